"""Looks (scheduled readings of the check) and review records (what was found and decided)."""

from __future__ import annotations

from django.db import models

from workflows.models.actions import Action, Plan


class LookKind(models.TextChoices):
    """The readings of a check."""

    LOOK = "look", "look"
    FINAL = "final", "final look"
    SUSTAIN = "sustain", "sustaining look"


class Look(models.Model):
    """One planned reading. ``result`` holds every number of the check once it is computed."""

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="looks")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="looks")
    cycle_no = models.IntegerField()
    kind = models.CharField(max_length=10, choices=LookKind.choices)
    week_no = models.IntegerField()  # weeks after go-live (sustaining: after the decision)
    round_no = models.IntegerField(default=1)  # sustaining: which decision to standardise it follows
    due_at = models.DateTimeField()
    is_dropped = models.BooleanField(default=False)
    computed_at = models.DateTimeField(null=True)
    held_at = models.DateTimeField(null=True)
    is_missed = models.BooleanField(default=False)  # grace passed before it was held; never erased
    data_as_of = models.DateTimeField(null=True)
    inputs_sha256 = models.CharField(max_length=64, blank=True)
    result = models.JSONField(null=True)
    verdict = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["action", "cycle_no", "plan", "kind", "round_no", "week_no"], name="look_once"
            )
        ]
        ordering = ["due_at", "id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.week_no} of {self.action_id}"


class ReviewRecord(models.Model):
    """The engine's part of a review, frozen when computed; people's part is appended as entries."""

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="reviews")
    look = models.ForeignKey(Look, on_delete=models.PROTECT, null=True, related_name="reviews")
    cycle_no = models.IntegerField()
    kind = models.CharField(max_length=10)  # look | final | sustain | missed | addendum
    document = models.JSONField()
    verdict_sha256 = models.CharField(max_length=64)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["look", "kind"], name="review_once")]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"REV-{self.pk}"

    @property
    def code(self) -> str:
        """The id people use: ``REV-3``."""
        return f"REV-{self.pk}"


class ReviewEntry(models.Model):
    """Something appended to a review: decision, override, follow-up or receipt; cites the verdict it answers."""

    review = models.ForeignKey(ReviewRecord, on_delete=models.PROTECT, related_name="entries")
    kind = models.CharField(max_length=20)
    at = models.DateTimeField()
    actor = models.CharField(max_length=64)
    payload = models.JSONField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} on {self.review_id}"
