"""Every setting, read once from the environment (architecture: "names fixed"); a missing or bad one fails with a hint."""

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
import pghistory
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str | None = None) -> str:
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"{name} is not set; see .env.example for what it means")
    return value


def env_int(name: str, default: int) -> int:
    try:
        return int(env(name, str(default)))
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {os.environ[name]!r}") from None


def secret(name: str, filename: str) -> str:
    """The value of a variable, or of a file under var/secrets that only the operator can read, or nothing."""
    if name in os.environ:
        return os.environ[name]
    try:
        return (VAR / "secrets" / filename).read_text().strip()
    except OSError:
        return ""


# Where and how this installation runs
VAR = Path(env("PRIME_VAR", str(BASE_DIR / "var"))).absolute()
PRIME_BIND = env("PRIME_BIND", "127.0.0.1")
PRIME_HTTP_PORT = env_int("PRIME_HTTP_PORT", 8000)
PRIME_DICOM_PORT = env_int("PRIME_DICOM_PORT", 11112)
PRIME_DICOM_AET = env("PRIME_DICOM_AET", "PRIME")
PRIME_EDGE_PORT = env_int("PRIME_EDGE_PORT", 8042)
PRIME_DEMO = env("PRIME_DEMO", "1") == "1"
PRIME_SECOND_FACTOR = env("PRIME_SECOND_FACTOR", "0" if PRIME_DEMO else "1") == "1"  # a code beside the password, for everybody
PRIME_SEGMENTER = env("PRIME_SEGMENTER", "classical")  # what drafts outlines in a box: classical, or package.module:factory
PRIME_TSA_URL = env("PRIME_TSA_URL", "")  # a time-stamping authority (RFC 3161) for heads that leave the house
PRIME_TSA_CA = env("PRIME_TSA_CA", "")  # its certificates, as a PEM file
PRIME_BATCH_AT = env("PRIME_BATCH_AT", "02:00")  # local time of the blind batch
PRIME_BATCH_SECONDS = env_int("PRIME_BATCH_SECONDS", 20)  # how long every batch takes, whatever it finds
PRIME_PUBLIC_URL = env("PRIME_PUBLIC_URL", f"http://{PRIME_BIND}:{PRIME_HTTP_PORT}")
HTTPS = urlsplit(PRIME_PUBLIC_URL).scheme == "https"

DEBUG = False
# A process that was given no key gets one of its own: it can then read nobody's sessions, which is what a worker should.
SECRET_KEY = secret("SECRET_KEY", "secret_key") or secrets.token_urlsafe(64)
ALLOWED_HOSTS = [urlsplit(PRIME_PUBLIC_URL).hostname or "", "127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = [PRIME_PUBLIC_URL]

INSTALLED_APPS = [
    "prime_platform",
    "analysis",
    "predictions",
    "followup",
    "imaging",
    "studies",
    "accounts",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "pgtrigger",
    "pghistory",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "csp",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "prime_platform.middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "prime_platform.middleware.SignInRequiredMiddleware",
    "prime_platform.middleware.SecondFactorMiddleware",
    "prime_platform.middleware.BehindMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "prime_platform.middleware.RefusalMiddleware",
    "prime_platform.middleware.ReadMiddleware",
    "prime_platform.middleware.NoStoreMiddleware",
    "prime_platform.request_scope.RequestScopeMiddleware",
]

ROOT_URLCONF = "prime_platform.urls"
WSGI_APPLICATION = "prime_platform.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "prime_platform" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "prime_platform.context.shell",
            ],
        },
    }
]

# The database: DATABASE_URL says who this process is; an operator's command on this machine is the owner.
DATABASE_URL = secret("DATABASE_URL", "owner.url")
DATABASES = {
    "default": dj_database_url.parse(
        DATABASE_URL or "postgresql://prime_owner@/prime?host=%2Fvar%2Fempty%2Fstart-with-make-run-or-set-DATABASE_URL",
        conn_max_age=60,
        conn_health_checks=True,
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# History: every event row carries its whole context, so that no later write can alter what an earlier one said.
PGHISTORY_APPEND_ONLY = True
PGHISTORY_CONTEXT_FIELD = pghistory.ContextJSONField()
PGHISTORY_CONTEXT_ID_FIELD = pghistory.ContextUUIDField()

# People
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_NAME = "prime_session"
CSRF_COOKIE_NAME = "prime_csrf"
CSRF_FAILURE_VIEW = "prime_platform.middleware.forbidden"

# HTTPS is switched on by the public address
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 63072000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 2**20

# Words and time: dates are local calendar dates of the center, instants are UTC
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "prime_platform" / "locale"]
USE_I18N = USE_TZ = True
TIME_ZONE = "Asia/Shanghai"
LANGUAGE_COOKIE_NAME = "prime_language"

# Files of the site
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "prime_platform" / "static"]
STATIC_ROOT = VAR / "static"
WHITENOISE_USE_FINDERS = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "PAGE_SIZE": 50,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {"TITLE": "PRIME Platform", "VERSION": "1", "SERVE_PUBLIC": False, "SERVE_INCLUDE_SCHEMA": False}

# Work (RL-01): JSON ids only, nothing kept
CELERY_BROKER_URL = secret("CELERY_BROKER_URL", "broker.url")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # Django's request log names URLs only; bodies and local variables never enter a log (SE-07).
    "loggers": {
        "django.request": {"level": "ERROR"},
        "fido2": {"level": "WARNING"},
        "pydicom": {"level": "ERROR"},
        "pynetdicom": {"level": "WARNING"},
        "numexpr": {"level": "WARNING"},
    },
}
