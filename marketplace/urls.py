"""Where every address leads."""

from django.contrib import admin
from django.urls import include, path

from marketplace.api import explanations, health, identity

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
    path(".well-known/oauth-authorization-server", identity.metadata, name="oauth_metadata"),
    path("identity/o/api/token", identity.token, name="oauth_token"),
    path("identity/o/api/revoke", identity.revoke, name="oauth_revoke"),
    path("api/v1/", include("marketplace.api.urls")),
    path("problems/", explanations.problems, name="problems"),
    path("problems/<slug:slug>", explanations.problem, name="problem"),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("", include("marketplace.web.urls")),
]
