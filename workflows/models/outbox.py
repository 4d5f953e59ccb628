"""Everything still to be written to a platform, in the transaction of the change that caused it."""

from __future__ import annotations

from django.db import models

from workflows.models.actions import Action


class DeliveryState(models.TextChoices):
    """Where a delivery stands."""

    WAITING = "waiting", "waiting"
    SENT = "sent", "sent"
    DEAD = "dead", "dead letter"
    DISCARDED = "discarded", "discarded"
    WITHDRAWN = "withdrawn", "withdrawn"  # of a proposal that was cancelled before anybody accepted it


class Delivery(models.Model):
    """One intended effect on a platform; ``key`` makes it effective exactly once."""

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="deliveries")
    connection = models.CharField(max_length=64)
    verb = models.CharField(max_length=10)
    key = models.CharField(max_length=200, unique=True)
    outbound = models.BinaryField()  # msgspec JSON of improvement.records.Outbound
    review = models.ForeignKey("workflows.ReviewRecord", on_delete=models.PROTECT, null=True, related_name="deliveries")
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING, db_index=True)
    attempts = models.IntegerField(default=0)
    failures = models.IntegerField(default=0)  # attempts that failed, outages not counted
    queued_at = models.DateTimeField()
    begun_at = models.DateTimeField(null=True)  # by the wall clock: since when an outcome is not known
    may_stand_unnamed = models.BooleanField(default=False)  # perhaps by a version whose traces named nobody
    sent_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
    receipt = models.JSONField(null=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.key
