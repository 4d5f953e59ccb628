"""Django's settings, made from ours."""

from __future__ import annotations

from pathlib import Path
from secrets import token_urlsafe
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy

import workflows.web
from config import logging as log_setup
from config.databases import database
from config.secret_files import read_or_make_secret
from config.settings import load

REGELKREIS = load()
log_setup.configure(REGELKREIS.log_format, REGELKREIS.log_level, secrets=REGELKREIS.secrets())
_WEB = Path(workflows.web.__file__).parent

DEBUG = False
# Without a home there is nothing to sign for yet: whoever only looks around leaves no files behind.
SECRET_KEY = read_or_make_secret(REGELKREIS.secret_key) if REGELKREIS.home.is_dir() else token_urlsafe(50)
ALLOWED_HOSTS = [*REGELKREIS.allowed_hosts, urlsplit(REGELKREIS.public_url).hostname or ""]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "workflows",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "workflows.web.security.content_security_policy",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_WEB / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {
                "loop": "workflows.web.templatetags.loop",
                "rooms": "workflows.web.templatetags.rooms",
            },
        },
    }
]

DATABASES = {"default": database(REGELKREIS.database, home=REGELKREIS.home)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "workflows.Person"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = REGELKREIS.language
LANGUAGES = [("en", gettext_lazy("English")), ("de", gettext_lazy("German"))]
LOCALE_PATHS = [_WEB / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATICFILES_DIRS = [_WEB / "static"]
WHITENOISE_USE_FINDERS = True  # served from the package itself: nothing to collect
WHITENOISE_AUTOREFRESH = False

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
_IS_HTTPS = REGELKREIS.public_url.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _IS_HTTPS
CSRF_TRUSTED_ORIGINS = ["{0.scheme}://{0.netloc}".format(urlsplit(REGELKREIS.public_url))] if _IS_HTTPS else []
SECURE_HSTS_SECONDS = 31_536_000 if _IS_HTTPS else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
LOGGING_CONFIG = None
