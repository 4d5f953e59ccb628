"""Live rules, the points they computed, and the findings those points became."""

from __future__ import annotations

from django.db import models

from improvement.plurals import how_many


class RuleVersion(models.Model):
    """One version of a rule, named by the SHA-256 of its canonical form."""

    rule_id = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    document = models.JSONField()
    file = models.TextField(blank=True)
    mode = models.CharField(max_length=10)
    is_live = models.BooleanField(default=True)
    applied_at = models.DateTimeField()
    applied_by = models.CharField(max_length=32)
    limits = models.JSONField(default=dict)  # as they were when a person applied it; empty: those of the rules folder

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rule_id", "sha256"], name="rule_version_once"),
            models.UniqueConstraint(fields=["rule_id"], condition=models.Q(is_live=True), name="rule_live_once"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id}@{self.sha256[:8]}"


class Evaluation(models.Model):
    """That a rule was evaluated on a connection: the first evaluation opens nothing."""

    rule_id = models.CharField(max_length=200)
    connection = models.CharField(max_length=64)
    first_week = models.IntegerField()
    last_week = models.IntegerField()
    count = models.IntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule_id", "connection"], name="evaluation_once")]

    def __str__(self) -> str:
        return f"{self.rule_id} on {self.connection}"


class Finding(models.Model):
    """What a rule knows about one scope: its state, and the evidence it fired on. One per rule and scope."""

    rule_id = models.CharField(max_length=200)
    rule_sha256 = models.CharField(max_length=64)
    connection = models.CharField(max_length=64)
    scope_key = models.TextField()
    scope = models.JSONField()
    state = models.CharField(max_length=10, db_index=True)
    memory = models.JSONField()
    times_fired = models.IntegerField(default=0)
    first_pending_week = models.IntegerField(null=True)
    fired_week = models.IntegerField(null=True)
    fired_at = models.DateTimeField(null=True)
    value = models.FloatField(null=True)
    target_kind = models.CharField(max_length=20, blank=True)
    target_value = models.FloatField(null=True)
    target_source = models.TextField(blank=True)
    n = models.BigIntegerField(default=0)
    rows_sha256 = models.CharField(max_length=64, blank=True)
    rows_count = models.BigIntegerField(default=0)
    sql = models.TextField(blank=True)
    queue_reason = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule_id", "connection", "scope_key"], name="finding_once")]

    def __str__(self) -> str:
        return f"{self.rule_id} [{self.scope_key}] {self.state}"


class UntreatedLine(models.Model):
    """What past firings of a rule's version came to on a connection where nobody acted; a new count is a new row."""

    rule_id = models.CharField(max_length=200)
    rule_sha256 = models.CharField(max_length=64)
    connection = models.CharField(max_length=64)
    counted_at = models.DateTimeField()
    first_week = models.IntegerField()  # of the back-test that counted them
    last_week = models.IntegerField()
    firings = models.IntegerField()
    effect = models.FloatField(null=True)  # their mean, in ``unit``; null: there is no such firing
    low = models.FloatField(null=True)  # eight in ten lie between low and high; null: too few, or not noted then
    high = models.FloatField(null=True)
    unit = models.CharField(max_length=20, blank=True)
    delay_weeks = models.IntegerField()
    weeks = models.IntegerField()

    class Meta:
        indexes = [models.Index(fields=["rule_id", "connection", "counted_at"], name="untreated_line_newest")]
        ordering = ["counted_at", "id"]

    def __str__(self) -> str:
        return f"{self.rule_id} on {self.connection}: {how_many(self.firings, 'firing')}, {self.effect} {self.unit}"


class Point(models.Model):
    """A published value of one rule and scope for the window that ends with ``week``; it never changes.

    Where later data change it, ``later_value`` is what its window shows since ``later_at``; null: no value any more.
    """

    finding = models.ForeignKey(Finding, on_delete=models.CASCADE, related_name="points")
    week = models.IntegerField()
    value = models.FloatField(null=True)
    numerator = models.FloatField()
    denominator = models.FloatField()
    n = models.BigIntegerField()
    target_value = models.FloatField(null=True)
    is_breaching = models.BooleanField(null=True)
    version = models.ForeignKey(  # that judged it; null: published before versions were noted
        RuleVersion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    later_value = models.FloatField(null=True)
    later_at = models.DateTimeField(null=True)  # when the difference was found; null: there is none

    class Meta:
        constraints = [models.UniqueConstraint(fields=["finding", "week"], name="point_once")]
        ordering = ["week"]

    def __str__(self) -> str:
        return f"{self.finding_id}@{self.week}: {self.value}"
