"""The platforms we read from and write to, how far each pull has come, and what it could not read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from connectors.base import Page
    from workflows.warehouse.loading import LoadReport

LONGEST_REASON = 200
MOST_REASONS = 20  # different ones in one report; every single record is kept with its own as RejectedRecord


class Connection(models.Model):
    """The state of one configured connection. Its address and secrets live in the settings, never here."""

    name = models.CharField(max_length=64, primary_key=True)
    platform = models.CharField(max_length=20)
    may_write = models.BooleanField(default=False)
    mode = models.CharField(max_length=20, blank=True)  # write-back mode detected, '' while unknown
    integration_account = models.CharField(max_length=255, blank=True)
    capabilities = models.JSONField(default=dict)
    last_pull_as_of = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
    reconciled = models.JSONField(
        default=dict
    )  # kind → when what was last looked at (workflows.steps.departures.Looked)
    restated_until = models.DateTimeField(null=True)  # later data up to here were held against the published reviews
    points_restated_until = models.DateTimeField(null=True)  # and up to here against the published points
    counted_by = models.JSONField(default=dict)  # how they were counted then (restating/counted_by.py)
    last_write = models.BigIntegerField(default=0)  # into the warehouse, by its number (warehouse/numbering.py)

    hinted_at = models.DateTimeField(null=True)  # the platform said since the last pull that something changed there

    def __str__(self) -> str:
        return self.name


class Hint(models.Model):
    """That a platform's hint was taken: kept for a while, by digests only, so that it is not taken again."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="hints")
    body_sha256 = models.CharField(max_length=64)
    identifier_sha256 = models.CharField(max_length=64, blank=True)  # of the platform's own name for it
    at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "body_sha256"], name="hint_once")]

    def __str__(self) -> str:
        return f"{self.connection_id} at {self.at:%Y-%m-%d %H:%M:%S}"


class PullCursor(models.Model):
    """Everything of this kind updated before ``updated_at`` is in the warehouse."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="cursors")
    kind = models.CharField(max_length=20)
    updated_at = models.DateTimeField()
    tiebreak = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "kind"], name="cursor_once")]

    def __str__(self) -> str:
        return f"{self.connection_id}/{self.kind}"


class PullReport(models.Model):
    """What one pull of one record kind did.

    ``restated`` records were counted as done, decided or answered before they changed. ``reasons`` of what was
    rejected: “field: reason” → how many. ``deleted`` are gone from the platform. ``lag_s`` is from the newest update
    read to ``as_of``. ``platform_count`` is the platform's own count of the records created until ``as_of``, beside
    our ``warehouse_count``; a cycle asks for it once a week. ``notes`` say, a line each, what the platform leaves out
    of its records, and what could not be found out about deletions.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="pulls")
    kind = models.CharField(max_length=20)
    as_of = models.DateTimeField()
    read = models.BigIntegerField(default=0)
    new = models.BigIntegerField(default=0)
    changed = models.BigIntegerField(default=0)
    unchanged = models.BigIntegerField(default=0)
    restated = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    deleted = models.BigIntegerField(default=0)
    requests = models.BigIntegerField(default=0)
    retries = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0)
    reasons = models.JSONField(default=dict)
    lag_s = models.FloatField(null=True)
    platform_count = models.BigIntegerField(null=True)
    warehouse_count = models.BigIntegerField(null=True)
    notes = models.TextField(blank=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.connection_id}/{self.kind} at {self.as_of:%Y-%m-%d}"

    def as_dict(self) -> dict[str, Any]:
        """The report as one JSON-ready object."""
        return {
            "connection": self.connection_id,
            "kind": self.kind,
            "as_of": self.as_of.isoformat(),
            "read": self.read,
            "new": self.new,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "restated": self.restated,
            "rejected": self.rejected,
            "reasons": dict(self.reasons),
            "deleted": self.deleted,
            "platform_count": self.platform_count,
            "warehouse_count": self.warehouse_count,
            "lag_s": None if self.lag_s is None else round(self.lag_s),
            "requests": self.requests,
            "retries": self.retries,
            "seconds": round(self.seconds, 1),
            "notes": self.notes.splitlines(),
            "error": self.error,
        }

    def add(self, loaded: LoadReport, page: Page, *, deleted: int) -> None:
        """Count one more load of one more page."""
        self.read += loaded.read
        self.new += loaded.new
        self.changed += loaded.changed
        self.unchanged += loaded.unchanged
        self.deleted += deleted
        self.requests += page.requests
        self.retries += page.retries
        self.rejected += len(page.rejected_ids)
        for rejected in page.rejected:
            text = f"{rejected.field}: {rejected.reason}"[:LONGEST_REASON]
            if text in self.reasons or len(self.reasons) < MOST_REASONS:
                self.reasons[text] = self.reasons.get(text, 0) + 1
        self.note(page.notes)

    def note(self, lines: Iterable[str]) -> None:
        """Add what is not told yet."""
        self.notes = "\n".join(dict.fromkeys([*self.notes.splitlines(), *lines]))


class RejectedRecord(models.Model):
    """A platform record that could not be read; it stays here until it can."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="rejected")
    kind = models.CharField(max_length=20)
    record_id = models.CharField(max_length=255)
    field = models.CharField(max_length=255)
    reason = models.TextField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "kind", "record_id"], name="rejected_once")]

    def __str__(self) -> str:
        return f"{self.connection_id}/{self.kind}/{self.record_id}"
