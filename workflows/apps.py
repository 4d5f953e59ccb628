from __future__ import annotations

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    """The loop and its doors: one Django app holds the whole state."""

    name = "workflows"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Regelkreis"
