"""What the cycle drew to compare suppliers or countries with each other."""

from __future__ import annotations

from django.db import models


class ScopeChart(models.Model):
    """A funnel plot of one rule's share by one dimension: spec and SVG per theme and language, shown by the web."""

    rule_id = models.CharField(max_length=200)
    dimension = models.CharField(max_length=30)  # supplier | country
    theme = models.CharField(max_length=10)  # light | dark
    language = models.CharField(max_length=5)
    spec = models.JSONField()
    svg = models.TextField()
    alternative = models.TextField()
    as_of = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rule_id", "dimension", "theme", "language"], name="scope_chart_once")
        ]
        ordering = ["rule_id"]

    def __str__(self) -> str:
        return f"{self.rule_id} by {self.dimension}"
