"""Every setting, read once from the environment; there is no second settings file.

``docs/reference/settings.md`` lists the variables. Without any of them the embedded stack under
``.local`` is used. The database is reached as one of two roles on the one alias ``default``:
``touchstone_app`` for web and workers, and ``touchstone_owner`` for the commands that change the
schema, for which ``manage.py`` sets ``DATABASE_ROLE=owner`` before Django reads this file.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.utils.csp import CSP
from environs import Env

from marketplace import embedded

# The types say ModelAdmin[Job] and FloatField[float, float]; this makes such classes accept it at run time.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()

# Where things are

TOUCHSTONE_HOME = Path(env.str("TOUCHSTONE_HOME", default=str(BASE_DIR / ".local"))).resolve()
DATABASE_URL = env.str("DATABASE_URL", default="")
DATABASE_OWNER_URL = env.str("DATABASE_OWNER_URL", default=DATABASE_URL)
DATABASE_ROLE = env.str("DATABASE_ROLE", default="app")
DATABASE_POOL_SIZE = env.int("DATABASE_POOL_SIZE", default=0)
BROKER_URL = env.str("BROKER_URL", default="")
CACHE_URL = env.str("CACHE_URL", default="")
NAMESPACE = env.str("NAMESPACE", default="touchstone")
"""Names the queue and begins every cache key, so that several sites can share a broker."""
SITE_URL = env.str("SITE_URL", default="http://localhost:8000")
EMBEDDED_DATABASE = not DATABASE_URL
EMBEDDED_VALKEY = not (BROKER_URL and CACHE_URL)

# Secrets

_generated = embedded.load_secrets(TOUCHSTONE_HOME) if EMBEDDED_DATABASE else {}
SECRET_KEY = env.str("SECRET_KEY", default=_generated.get("SECRET_KEY", ""))
_public_id_key = env.str("PUBLIC_ID_KEY", default=_generated.get("PUBLIC_ID_KEY", ""))
PUBLIC_ID_KEY = _public_id_key.encode()
"""Keys the opaque public ids. Changing it changes every id that was ever handed out."""

_pii_key = env.str("PII_KEY", default=_generated.get("PII_KEY", ""))
PII_KEY = _pii_key.encode()
"""Wraps the key of each person's private data and keys the hashes of what accounts may share. Losing it loses that data."""

for _name, _key in {"SECRET_KEY": SECRET_KEY, "PUBLIC_ID_KEY": _public_id_key, "PII_KEY": _pii_key}.items():
    if len(_key) < 32 or len(set(_key)) < 10 or "insecure" in _key:
        raise ImproperlyConfigured(
            f"{_name} is missing or weak: at least 32 random characters are needed, for example from"
            ' `python -c "import secrets; print(secrets.token_urlsafe(48))"`.'
        )
if DATABASE_ROLE not in {"app", "owner"}:
    raise ImproperlyConfigured(f"DATABASE_ROLE is 'app' or 'owner', not {DATABASE_ROLE!r}.")


def database(role: str) -> dict[str, Any]:
    """Connection settings for ``app`` or ``owner``, in Django's terms."""
    if EMBEDDED_DATABASE:
        user = embedded.OWNER if role == "owner" else embedded.APP
        host = str(embedded.postgres_at(TOUCHSTONE_HOME).socket)
        found: dict[str, Any] = {"ENGINE": "django.db.backends.postgresql", "NAME": embedded.DATABASE}
        found |= {"USER": user, "HOST": host, "OPTIONS": {}}
    else:
        found = dict(dj_database_url.parse(DATABASE_OWNER_URL if role == "owner" else DATABASE_URL))
        found.setdefault("OPTIONS", {})
    # A pool keeps connections itself, so Django must not (CONN_MAX_AGE 0). Only web processes have
    # threads to share one among; commands and workers use a single connection.
    found["CONN_MAX_AGE"] = 0
    if DATABASE_POOL_SIZE and role == "app":
        found["OPTIONS"]["pool"] = {"min_size": min(2, DATABASE_POOL_SIZE), "max_size": DATABASE_POOL_SIZE}
    return found


DATABASES = {"default": database(DATABASE_ROLE)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Web

_site = urlsplit(SITE_URL)
_https = _site.scheme == "https"
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[_site.hostname or "localhost", "localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = [f"{_site.scheme}://{_site.netloc}"]
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("TRUST_PROXY", default=False) else None
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
"""How many proxies of ours stand before us, each adding to X-Forwarded-For the address it was reached from."""
if not 0 <= TRUSTED_PROXIES <= 8:
    raise ImproperlyConfigured(f"TRUSTED_PROXIES is a number from 0 to 8, not {TRUSTED_PROXIES}.")
ALLAUTH_TRUSTED_PROXY_COUNT = 0
"""Our own middleware has put the client's address in its place before allauth looks."""
SECURE_CSP: dict[str, list[str]] = {
    "default-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:", "blob:"],
    "media-src": [CSP.SELF, "blob:"],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
ROOT_URLCONF = "marketplace.urls"
WSGI_APPLICATION = "marketplace.wsgi.application"

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "marketplace.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.socialaccount.providers.orcid",
    "allauth.headless",
    "allauth.idp.oidc",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "accounts",
    "accounts.ledger",
    "qualification",
    "tasks",
    "marketplace",
]
MIDDLEWARE = [
    "marketplace.addresses.ClientAddress",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "marketplace.signon.naming.NamingMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "marketplace.web.devices.DeviceMiddleware",
    # Last, so that it stands between who is signed in and the view, and nothing above it.
    "marketplace.web.impersonation.ImpersonationMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "marketplace" / "web" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "marketplace.signon.context.second_factor",
            ],
        },
    },
]

# Files: whitenoise serves the apps' own files as they lie, so that nothing has to be built first.
# A larger site collects them once under hashed names and sets STATIC_MANIFEST.

STATIC_MANIFEST = env.bool("STATIC_MANIFEST", default=False)
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles" if STATIC_MANIFEST else None
STATICFILES_DIRS = [BASE_DIR / "marketplace" / "web" / "static"]
WHITENOISE_USE_FINDERS = not STATIC_MANIFEST
MEDIA_ROOT = TOUCHSTONE_HOME / "media"
FILE_UPLOAD_HANDLERS = [
    "marketplace.web.receiving.Bounded",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # Documents that prove credentials, sealed; no address leads here.
    "evidence": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": TOUCHSTONE_HOME / "evidence", "file_permissions_mode": 0o600},
    },
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_MANIFEST
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# People

EVIDENCE_KEEP_DAYS = env.int("EVIDENCE_KEEP_DAYS", default=90)
"""How long documents that prove credentials are kept after the decision."""
AUTH_USER_MODEL = "accounts.User"
# One alone: a second would hash the password once more, and tell known addresses from unknown ones by time.
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_HASHERS = env.list("PASSWORD_HASHERS", default=["django.contrib.auth.hashers.PBKDF2PasswordHasher"])
MFA_REQUIRED = env.bool("MFA_REQUIRED", default=True)
"""Whether owners, finance members and platform roles must show a second factor before they use those rights."""
ACCOUNT_ADAPTER = "marketplace.signon.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = env.str("EMAIL_VERIFICATION", default="mandatory")
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_REAUTHENTICATION_REQUIRED = ACCOUNT_EMAIL_NOTIFICATIONS = True
MFA_ADAPTER = "marketplace.signon.adapters.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {"add_webauthn": "marketplace.signon.forms.PasskeyForm"}
MFA_TOTP_ISSUER = "Touchstone"
# Browsers take http://localhost for safe; anything else without https they refuse by themselves.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not _https
HEADLESS_CLIENTS = ("browser",)

# Accounts elsewhere: those whose client is named here.

SOCIALACCOUNT_ADAPTER = "marketplace.signon.providers.SocialAdapter"
SOCIALACCOUNT_PROVIDERS: dict[str, dict[str, Any]] = {}
_elsewhere: list[str] = []
if _orcid := env.str("ORCID_CLIENT_ID", default=""):
    _orcid_host = env.str("ORCID_HOST", default="orcid.org")
    _elsewhere.append(f"https://{_orcid_host}")
    SOCIALACCOUNT_PROVIDERS["orcid"] = {
        "BASE_DOMAIN": _orcid_host,
        "APP": {"client_id": _orcid, "secret": env.str("ORCID_CLIENT_SECRET", default="")},
    }
if _oidc := env.str("OIDC_CLIENT_ID", default=""):
    _oidc_server = env.str("OIDC_SERVER_URL", default="")
    _elsewhere.append("{0.scheme}://{0.netloc}".format(urlsplit(_oidc_server)))
    SOCIALACCOUNT_PROVIDERS["openid_connect"] = {
        "APPS": [
            {
                "provider_id": env.str("OIDC_ID", default="oidc"),
                "name": env.str("OIDC_NAME", default="OpenID Connect"),
                "client_id": _oidc,
                "secret": env.str("OIDC_CLIENT_SECRET", default=""),
                "settings": {"server_url": _oidc_server},
            }
        ]
    }
# Browsers hold a form to its policy when the answer leads elsewhere, as signing in elsewhere does.
SECURE_CSP["form-action"] = [CSP.SELF, *_elsewhere]
IDP_OIDC_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]
IDP_OIDC_ACCESS_TOKEN_FORMAT = "opaque"  # noqa: S105  a word, not a secret
IDP_OIDC_ACCESS_TOKEN_EXPIRES_IN = 3_600
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ADMIN_EMAIL = env.str("ADMIN_EMAIL", default="")
ADMIN_PASSWORD = env.str("ADMIN_PASSWORD", default="")
"""The first administrator, made by ``manage.py seed``; on the embedded stack one is made without them."""
MAILERS: dict[str, dict[str, Any]] = {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}
if _email_url := env.str("EMAIL_URL", default=""):
    _mail = urlsplit(_email_url)
    _options = {"host": _mail.hostname, "port": _mail.port or 587, "use_tls": _mail.scheme == "smtp+tls", "timeout": 10}
    _options |= {"username": _mail.username or "", "password": _mail.password or ""}
    MAILERS["default"] = {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": _options}
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="touchstone@localhost")

LANGUAGE_CODE, TIME_ZONE, USE_TZ, FORMAT_MODULE_PATH = "en", "UTC", True, "marketplace.dates"
LOCALE_PATHS = [BASE_DIR / "marketplace" / "locale"]

# Administration

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Touchstone",
    "SITE_HEADER": "Touchstone",
    "SITE_SUBHEADER": "Administration",
    "SITE_URL": "/",
    "SITE_ICON": lambda _request: static("touchstone/mark.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("touchstone/mark.svg")},
    ],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "DASHBOARD_CALLBACK": "marketplace.admin.dashboard",
    "SIDEBAR": {"show_search": True, "navigation": "marketplace.admin.sidebar"},
    "BORDER_RADIUS": "8px",
    # Gold on stone, as on the site's own pages.
    "COLORS": {
        "primary": {
            "50": "#fdf8eb", "100": "#f9edcb", "200": "#f2da93", "300": "#e9c25a", "400": "#deab34", "500": "#b2800c",
            "600": "#8a6206", "700": "#6f4e05", "800": "#573d07", "900": "#463108", "950": "#281b03",
        },
    },
}  # fmt: skip

# API

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "marketplace.api.auth.KeyAuthentication",
        "marketplace.api.auth.SessionSignIn",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    # JSON only: a multipart "null" or a form's empty string must not slip past the JSON checks.
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "marketplace.api.problems.handle",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Touchstone",
    "DESCRIPTION": "Post labeling jobs, let the right workers answer, pay them, and take a release that can be defended.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": False,
    "ENUM_NAME_OVERRIDES": {
        "AssignmentState": "tasks.models.assignments.Assignment.State",
        "AttemptState": "qualification.models.Attempt.State",
        "BatchState": "tasks.models.tasks.Batch.State",
        "ConsensusState": "tasks.models.consensus.Consensus.State",
        "CredentialKind": "accounts.models.credentials.CredentialType.Kind",
        "CredentialSource": "accounts.models.credentials.Credential.Source",
        "CredentialState": "accounts.models.credentials.Credential.State",
        "GoldSetState": "qualification.models.GoldSet.State",
        "JobState": "tasks.models.jobs.Job.State",
        "OrganisationRole": "accounts.models.Membership.Role",
        "OutcomeState": ["submitted", "repeated", "refused"],
        "QualificationSource": "qualification.models.Qualification.Source",
        "ReleaseState": "tasks.models.consensus.Release.State",
        "PlatformTermsKind": ["terms", "privacy"],
        "TermsKind": ["terms", "privacy", "nda"],
        "TaskState": "tasks.models.tasks.Task.State",
        "WorkerState": "accounts.models.Worker.State",
    },
}

# Cache and queue

_valkey = embedded.valkey_socket(TOUCHSTONE_HOME)
_cache = CACHE_URL or f"unix://{_valkey}?db=1"
_memory_cache = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
_shared_cache = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": _cache, "KEY_PREFIX": NAMESPACE}
CACHES = {"default": _memory_cache if _cache == "locmem://" else _shared_cache}

CELERY_BROKER_URL = BROKER_URL or f"redis+socket://{_valkey}?virtual_host=0"
CELERY_TASK_ALWAYS_EAGER = CELERY_TASK_EAGER_PROPAGATES = CELERY_BROKER_URL == "memory://"
CELERY_TASK_DEFAULT_QUEUE = NAMESPACE
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SOFT_TIME_LIMIT = 200
CELERY_TASK_TIME_LIMIT = 240
"""Below the visibility timeout: a task is never given to a second worker while the first still works on it."""
CELERY_TIMEZONE = "UTC"
if CELERY_BROKER_URL.startswith("redis"):
    # Without these a lost worker's task was not seen again within 90 seconds.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 300,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
    }
elif CELERY_BROKER_URL.startswith("amqp"):
    CELERY_TASK_DEFAULT_QUEUE_TYPE = "quorum"
    CELERY_WORKER_DETECT_QUORUM_QUEUES = True
    CELERY_BROKER_TRANSPORT_OPTIONS = {"confirm_publish": True}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}

env.seal()
