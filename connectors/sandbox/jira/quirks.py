"""What an administrator of a Jira site changed, or what a site in trouble does: options while it serves.

``index_lag``
    How many searches do not see what somebody made, changed or deleted through the API, unless they reconcile it: they
    find a changed issue by what it was, where it was, and show what it is.
``hidden_priorities``
    Ids of priorities whose issues nobody but an administrator sees (issue security).
``transition_names``
    Transition id → its name in the site's language.
``missing_transitions``
    Ids of transitions that the workflow has lost.
``demanded_fields``
    Transition id → ids of fields that its screen demands.
``screen_lacks``
    ``create`` or ``edit`` → ids of fields that this screen of every project lacks.
``max_links``
    How many links an issue may have.
``unlinkable``
    Keys of projects whose issues nobody may link: of the outward one on Cloud, of the inward one on Data Center.
``duplicate_fields``
    Names of custom fields of which there is a second one, empty, of the same type.
``names_callers``
    Whether every answer says in a header to whom it was given; false: a proxy takes it away.
``hourly_points``, ``limits_issue_writes``
    Cloud: how many points an hour this tenant is served (0: as many as it likes), and whether writes to one issue are
    limited (:mod:`connectors.sandbox.jira.limits`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from connectors.sandbox.jira.catalogue import CUSTOM_FIELDS, Field, Transition
from connectors.sandbox.plugin import is_like

DUPLICATE_ID = 10_900


@dataclass(frozen=True, slots=True)
class Quirks:
    """The options in force."""

    index_lag: int = 0
    hidden_priorities: Sequence[str] = ()
    transition_names: Mapping[str, str] = field(default_factory=dict)
    missing_transitions: Sequence[str] = ()
    demanded_fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    screen_lacks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    max_links: int = 2_000
    unlinkable: Sequence[str] = ()
    duplicate_fields: Sequence[str] = ()
    names_callers: bool = True
    hourly_points: int = 0
    limits_issue_writes: bool = False

    def changed(self, options: Mapping[str, Any]) -> Quirks:
        """These with others laid over. Raises ValueError for an option that there is not, or of another type."""
        known = {option.name: getattr(Quirks(), option.name) for option in fields(Quirks)}
        for name, value in options.items():
            if name not in known or not is_like(value, known[name]):
                raise ValueError(f"Jira has no option {name} = {value!r}; there are {', '.join(sorted(known))}.")
        return replace(self, **options)

    def ways(self, workflow: Sequence[Transition]) -> list[Transition]:
        """A workflow's transitions as they are now."""
        return [
            replace(
                way,
                name=self.transition_names.get(way.id, way.name),
                required=tuple(dict.fromkeys((*way.required, *self.demanded_fields.get(way.id, ())))),
            )
            for way in workflow
            if way.id not in self.missing_transitions
        ]

    def lacking(self, screen: str) -> frozenset[str]:
        """The ids of the fields that the *create* or the *edit* screens lack."""
        return frozenset(self.screen_lacks.get(screen, ()))

    def further_fields(self) -> list[Field]:
        """The second fields of the same name."""
        twins = [field for field in CUSTOM_FIELDS if field.name in self.duplicate_fields]
        return [replace(twin, id=f"customfield_{DUPLICATE_ID + n}", attribute="") for n, twin in enumerate(twins)]
