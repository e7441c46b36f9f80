"""Where every address leads."""

from django.contrib import admin
from django.urls import include, path

from marketplace.api import explanations, health

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
    path("", include("allauth.idp.urls")),
    path("api/v1/", include("marketplace.api.urls")),
    path("problems/", explanations.problems, name="problems"),
    path("problems/<slug:slug>", explanations.problem, name="problem"),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("", include("marketplace.web.urls")),
]
