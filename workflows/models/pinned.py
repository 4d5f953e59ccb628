"""Rows as they were counted when something was decided by them."""

from __future__ import annotations

from django.db import models

from improvement.plurals import how_many


class PinnedRows(models.Model):
    """The rows behind a value as a Parquet file, named by their digest (improvement/evidence/rows.py).

    Only what the metric needs: dimensions, the record's id, week, numerator, denominator; no text of people.
    """

    sha256 = models.CharField(max_length=64, primary_key=True)
    count = models.BigIntegerField()
    parquet = models.BinaryField()

    def __str__(self) -> str:
        return f"{how_many(self.count, 'row')} {self.sha256[:12]}"
