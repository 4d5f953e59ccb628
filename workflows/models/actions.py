"""Improvement actions: their plans, tasks, history and charts."""

from __future__ import annotations

from django.db import models

from improvement.pdca import State
from workflows.models.people import Person


class Origin(models.TextChoices):
    """Who opened an action."""

    RULE = "rule", "rule"
    PERSON = "person", "person"
    ADOPTED = "adopted", "adopted"  # people opened its record on the platform; it was taken into the loop later


class Action(models.Model):
    """One improvement action on one scope (improvement/pdca.py says how it moves)."""

    origin = models.CharField(max_length=10, choices=Origin.choices)
    rule_id = models.CharField(max_length=200, blank=True)
    rule_sha256 = models.CharField(max_length=64, blank=True)
    finding = models.ForeignKey("workflows.Finding", on_delete=models.PROTECT, null=True, related_name="actions")
    findings = models.ManyToManyField("workflows.Finding", related_name="opened_actions")  # several: a group
    connection = models.CharField(max_length=64)
    scope_key = models.TextField()
    scope = models.JSONField()
    metric = models.CharField(max_length=100, blank=True)  # '': an adopted record for which nothing is measured
    title = models.TextField()
    state = models.CharField(max_length=12, choices=[(state.value, state.value) for state in State], db_index=True)
    held_from = models.CharField(max_length=12, blank=True)
    cycle_no = models.IntegerField(default=1)
    is_accepted = models.BooleanField(default=True)  # False: proposed by a rule in mode `propose`, not yet accepted
    owner = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="owned_actions")
    hypothesis = models.TextField(blank=True)
    goal = models.CharField(max_length=30, blank=True)
    min_effect = models.CharField(max_length=30, blank=True)
    golive_planned = models.DateField(null=True)
    max_slip_weeks = models.IntegerField(default=4)
    implemented_on = models.DateField(null=True)
    implemented_ref = models.TextField(blank=True)
    first_implemented_on = models.DateField(null=True)  # of the first cycle, when the action was adjusted
    is_late = models.BooleanField(default=False)
    is_overridden = models.BooleanField(default=False)
    due = models.DateField(null=True)
    impact = models.IntegerField(default=2)  # 1 high … 3 low
    urgency = models.IntegerField(default=2)
    trigger = models.JSONField(default=dict)  # value, target, n, rows_sha256, from_week, to_week
    #: Of a supplier's action: the customer-facing one that was open when it was opened.
    rolls_up_to = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="served_by")
    measurement = models.JSONField(default=dict)  # what planning.measure found: windows, controls, detectable effect
    detectable_accepted_reason = models.TextField(blank=True)
    verdict = models.CharField(max_length=40, blank=True)
    diverged = models.TextField(blank=True)  # what is missing before both sides agree; '' while they do
    diverged_causes = models.JSONField(default=list)  # which changes on the platform a guard forbids
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    last_moved_at = models.DateTimeField()
    platform_mode = models.CharField(max_length=20, blank=True)
    platform_id = models.CharField(max_length=255, blank=True)
    platform_number = models.CharField(max_length=100, blank=True)
    platform_url = models.TextField(blank=True)
    platform_state = models.CharField(max_length=20, blank=True)
    platform_seen = models.JSONField(default=dict)  # fields as they were read there last, and which were edited there
    unknown_owner = models.CharField(max_length=255, blank=True)  # the owner there whose account is nobody we know

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "platform_id"], condition=~models.Q(platform_id=""), name="record_of_one_action"
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.title}"

    @property
    def code(self) -> str:
        """The id people use: ``ACT-7``."""
        return f"ACT-{self.pk}"


class Plan(models.Model):
    """A version of an action's measurement plan; frozen and hashed at approval, then never edited."""

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="plans")
    version = models.IntegerField()
    cycle_no = models.IntegerField()
    document = models.JSONField()
    drafted_at = models.DateTimeField()  # the last change of the draft: an approval given before does not hold
    sha256 = models.CharField(max_length=64, blank=True)  # '' while a draft
    frozen_at = models.DateTimeField(null=True)
    approved_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="approved_plans")
    approval_source = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["action", "version"], name="plan_version_once")]
        ordering = ["version"]

    def __str__(self) -> str:
        return f"{self.action_id} plan {self.version}"


class Transition(models.Model):
    """One event in an action's life. A refused attempt moves nothing and leaves nothing."""

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="transitions")
    at = models.DateTimeField()
    event = models.CharField(max_length=30)
    from_state = models.CharField(max_length=12)
    to_state = models.CharField(max_length=12)
    actor = models.CharField(max_length=64)  # a person's uid, 'engine', or 'platform'
    note = models.TextField(blank=True)
    source = models.TextField(blank=True)  # the platform's own record of it, like an approval

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.action_id}: {self.event}"


class ActionTask(models.Model):
    """A task of an action, as the platform shows it."""

    action = models.ForeignKey(Action, on_delete=models.CASCADE, related_name="tasks")
    platform_id = models.CharField(max_length=255, blank=True)
    number = models.CharField(max_length=100, blank=True)
    title = models.TextField()
    is_done = models.BooleanField(default=False)
    assignee = models.CharField(max_length=255, blank=True)
    due = models.DateField(null=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.title


class MarkedChange(models.Model):
    """A change that may have moved an action's figures too, as a person marked it; never deleted, only taken back."""

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="marked_changes")
    is_for_scope = models.BooleanField(default=False)  # it holds for every action on this scope or below it
    number = models.CharField(max_length=100)
    live_on = models.DateField()
    reason = models.TextField()
    marked_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="marked_changes")
    marked_at = models.DateTimeField()
    taken_back_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    taken_back_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["live_on", "id"]

    def __str__(self) -> str:
        return f"{self.number} of {self.live_on}"


class ActionComment(models.Model):
    """A comment written by a person on the platform."""

    action = models.ForeignKey(Action, on_delete=models.CASCADE, related_name="comments")
    platform_id = models.CharField(max_length=255)
    author = models.CharField(max_length=255)
    at = models.DateTimeField()
    text = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["action", "platform_id"], name="comment_once")]
        ordering = ["at"]

    def __str__(self) -> str:
        return self.text[:60]


class Chart(models.Model):
    """A rendered chart: Vega-Lite spec and SVG per theme and language, made by the cycle, shown by the web."""

    action = models.ForeignKey(Action, on_delete=models.CASCADE, related_name="charts")
    kind = models.CharField(max_length=30)
    theme = models.CharField(max_length=10)  # light | dark
    language = models.CharField(max_length=5)
    spec = models.JSONField()
    svg = models.TextField()
    alternative = models.TextField()
    as_of = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["action", "kind", "theme", "language"], name="chart_once")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.action_id}"
