"""Figures that were counted for a page: the web shows them and counts nothing itself."""

from __future__ import annotations

from django.db import models


class KeptFigures(models.Model):
    """What was counted at one moment for one page; a new count takes its place. None of it is evidence."""

    name = models.CharField(max_length=100, primary_key=True)  # 'targets', or 'account/2026Q1'
    as_of = models.DateTimeField()
    document = models.JSONField()

    def __str__(self) -> str:
        return f"{self.name} as of {self.as_of:%Y-%m-%d}"
