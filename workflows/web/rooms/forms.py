"""What people enter on an action's page. The forms check the form of it; the guards of the loop check the sense."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from workflows.actions import loop, marking, rights
from workflows.actions.consequences import shown_sha256
from workflows.models import Action, Person, Role

LONGEST = 4000


class _Day(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__({"autocomplete": "off"}, format="%Y-%m-%d")


def _reason(label: Any, *, is_required: bool = True) -> forms.CharField:
    return forms.CharField(
        label=label, required=is_required, max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 2})
    )


def _day(label: Any, *, is_required: bool = False) -> forms.DateField:
    return forms.DateField(label=label, required=is_required, widget=_Day(), input_formats=["%Y-%m-%d"])


class Deed(forms.Form):
    """A form without fields: only the button. ``use_required_attribute`` stays off: the page shows all reasons."""

    use_required_attribute = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)

    def fit(self, action: Action) -> None:
        """Offer what can be chosen for this action."""


class PlanForm(Deed):
    """Hypothesis, goal and dates of a plan. It carries what it showed, which may have been changed elsewhere since."""

    hypothesis = forms.CharField(
        label=_("Hypothesis"),
        required=False,
        max_length=LONGEST,
        help_text=_("What is changed, and why that should help."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    goal = forms.CharField(label=_("Goal"), required=False, max_length=30, help_text=_("Like -30% or +0.25."))
    min_effect = forms.CharField(
        label=_("Smallest effect worth the effort"),
        required=False,
        max_length=30,
        help_text=_("Left empty: half the goal."),
    )
    golive = _day(_("Planned go-live"))
    due = _day(_("Due"))
    accept_detectable = _reason(_("Why go on, if the goal is below the detectable effect"), is_required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():  # a page of an earlier version does not say what it showed
            field.show_hidden_initial = not self.is_bound or self.add_initial_prefix(name) in self.data


class ApprovalForm(Deed):
    """The plan that is shown, so that no other is approved."""

    draft = forms.CharField(required=False, widget=forms.HiddenInput())

    def fit(self, action: Action) -> None:
        """The plan as it stands, and the words beside it."""
        plan = loop.current_plan(action)
        self.initial["draft"] = shown_sha256(action, plan) if plan is not None else ""


class ReasonForm(Deed):
    """A reason, for the record."""

    reason = _reason(_("Reason"))


class GoLiveForm(Deed):
    """On which local day the change went live, and with which change or task."""

    on = _day(_("Live since"), is_required=True)
    ref = forms.CharField(label=_("Change or task"), required=False, max_length=200)


class CorrectionForm(GoLiveForm):
    """The day it really went live, and why another one was reported."""

    reason = _reason(_("Reason"))


class MarkForm(Deed):
    """A change that may have moved the figures too."""

    number = forms.CharField(
        label=_("Number of the change"), max_length=100, help_text=_("As the platform names it, like CHG0042.")
    )
    on = _day(_("Live since"), is_required=True)
    reason = _reason(_("What it did to these figures"))
    is_for_scope = forms.BooleanField(label=_("It holds for every action on this scope"), required=False)


class TakeBackForm(Deed):
    """A mark of one's own that no longer stands."""

    number = forms.ChoiceField(label=_("Marked change"), widget=forms.Select(attrs={"translate": "no"}))

    def fit(self, action: Action) -> None:
        """The changes that were marked on this action."""
        field = self.fields["number"]
        assert isinstance(field, forms.ChoiceField)
        marks = [mark for mark in marking.marks_of(action) if mark.action_id == action.pk]
        field.choices = [(mark.number, str(mark)) for mark in marks]


class DecisionForm(Deed):
    """Standardise, adjust or stop."""

    decision = forms.ChoiceField(
        label=_("Decision"),
        choices=[
            ("standardise", _("Make it the standard: it helped, and looks go on to see that it lasts.")),
            ("adjust", _("Adjust: the same action again, with a new plan to approve.")),
            ("stop", _("Stop: it did not help, or is not worth it.")),
        ],
        widget=forms.RadioSelect,
    )
    reason = _reason(_("Reason"), is_required=False)


class OwnerForm(Deed):
    """Who owns the action: one of the service owners of its scope."""

    owner = forms.ChoiceField(label=_("Owner"), widget=forms.Select(attrs={"translate": "no"}))  # names

    def fit(self, action: Action) -> None:
        """The people who may own it: with rights on its scope, and not the one who approved its plan."""
        people = Person.objects.filter(grants__role=Role.SERVICE_OWNER, is_active=True).distinct().order_by("username")
        able = [person for person in people if not rights.why_not_owner(person, action)]
        field = self.fields["owner"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(person.username, str(person)) for person in able]


class FollowUpForm(Deed):
    """Something still to be done after a review."""

    what = forms.CharField(label=_("What is to be done"), max_length=LONGEST)
    who = forms.CharField(label=_("Who"), required=False, max_length=100)
    due = _day(_("Due"))


class TaskForm(Deed):
    """A task below the platform's record."""

    title = forms.CharField(label=_("What is to be done"), max_length=200)
    due = _day(_("Due"))
