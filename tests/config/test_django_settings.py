"""What the web and the state run with."""

from __future__ import annotations

from django.conf import settings
from django.db import connection


def test_the_admin_site_is_not_there() -> None:
    assert "django.contrib.admin" not in settings.INSTALLED_APPS


def test_pages_are_guarded_by_default() -> None:
    assert settings.DEBUG is False
    assert settings.X_FRAME_OPTIONS == "DENY"
    assert settings.SECURE_CONTENT_TYPE_NOSNIFF
    assert settings.SESSION_COOKIE_HTTPONLY
    assert settings.PASSWORD_HASHERS == ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    assert len(settings.SECRET_KEY) > 40


def test_our_settings_are_at_hand_for_the_loop() -> None:
    assert settings.REGELKREIS.home.is_absolute()
    assert settings.USE_TZ
    assert settings.TIME_ZONE == "UTC"


def test_the_state_is_sqlite_with_immediate_transactions() -> None:
    assert connection.vendor == "sqlite"
    assert connection.settings_dict["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
