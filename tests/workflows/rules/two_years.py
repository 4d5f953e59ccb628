"""Two and a half years of a few small scopes, across the end of 2026 with its week 53, and rules that look at them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from improvement.records import RecordKind

START = datetime(2025, 7, 7, tzinfo=UTC)  # a Monday
QUIET, WEEKS = 26, 104  # weeks before the first cycle, cycles
SCOPES = {
    "acme": (
        *(("Alpenbank", "CH", service) for service in ("Mail", "ERP", "Shop", "Net")),
        *(("Rheinwerk", "DE", service) for service in ("Mail", "ERP", "Shop")),
        ("Sakura", "JP", "Mail"),
        ("Prairie", "US", "Mail"),
    ),
    "desk": (("Nordlicht", "DE", "Mail"), ("Nordlicht", "DE", "ERP"), ("Thames", "GB", "Net")),
}
LATE = "request"  # the kind of tickets of which some are told of weeks later

RULES = """
apiVersion: regelkreis/v1
kind: Defaults
metadata: {owner: service-owner}
spec:
  cooldown: 5w
  limits: {budget: 2, max_new_actions: 2, group_above: 1}
---
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: sla, title: Kept agreements}
spec:
  metric: sla_breach_rate
  where: {kind: incident, sla.target: resolution, sla.agreement: sla}
  by: [customer, country, service]
  window: 4w
  target: {max: 16%}
  overrides:
    - {when: {country: JP}, target: {max: 20%}}
    - {when: {country: CH}, target: {max: 10%}, from: 2027-01-01}
    - {when: {customer: "Rhein*"}, target: {max: 12%}, from: 2026-06-01, to: 2026-12-31}
  trigger: {for: 2w, min_samples: 15}
  clear: {ratio: 0.9, for: 2w}
  flow_down: {by: supplier, agreement: [uc], tighten: 0.8}
action: {title: "{service}"}
check: {goal: -50%}
---
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: csat, title: Satisfaction}
spec:
  metric: csat_mean
  where: {survey.kind: csat}
  by: [customer, country]
  window: 4w
  every: 2w
  target: {min: 3.8}
  trigger: {for: 4w, min_samples: 6}
  clear: {ratio: 0.97, for: 4w}
  cooldown: 9w
---
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: watermelon, title: Watermelon}
spec:
  mode: observe
  metric: csat_mean
  where: {survey.kind: csat}
  by: [customer, country]
  window: 4w
  target: {min: 3.8}
  while:
    - {metric: sla_breach_rate, where: {kind: incident, sla.target: resolution, sla.agreement: sla}, max: 12%}
  trigger: {for: 2w, min_samples: 6}
  clear: {ratio: 0.97, for: 2w}
---
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: hours, title: Time to resolve}
spec:
  metric: time_to_resolve
  where: {kind: incident}
  by: [customer, country, service]
  window: 4w
  target: {max: 30h}
  trigger: {for: 2w, min_samples: 15}
  clear: {ratio: 0.9, for: 2w}
---
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: backlog, title: Backlog}
spec:
  metric: backlog_open
  where: {kind: incident}
  by: [customer, country]
  window: 1w
  target: {worse_than_own: {by: 60%, reference: 13w}}
  trigger: {for: 1w, min_samples: 3}
  clear: {ratio: 0.5, for: 2w}
---
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: volume, title: Volume}
spec:
  mode: open
  metric: incident_count
  where: {kind: incident}
  by: [customer, country, service]
  window: 2w
  target: {worse_than_own: {by: 30%, reference: 26w}}
  trigger: {for: 1w, min_samples: 10}
  clear: {ratio: 0.5, for: 2w}
---
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: silence, title: Silence}
spec:
  metric: survey_response_rate
  by: [customer]
  window: 4w
  target: {worse_than_own: {by: 30%, reference: 13w}}
  trigger: {for: 2w, min_samples: 15}
  clear: {ratio: 0.5, for: 2w}
---
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: gap, title: Contact}
spec:
  mode: observe
  metric: contact_gap
  by: [customer]
  window: 1w
  target: {max: 2d}
  trigger: {for: 1w}
  clear: {ratio: 0.5, for: 1w}
---
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: available, title: Availability}
spec:
  metric: availability
  by: [customer, service]
  window: 4w
  target: {min: 99.5%}
  trigger: {for: 1w, min_samples: 4}
  clear: {min: 99.7%, for: 2w}
---
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: late, title: Requests}
spec:
  mode: observe
  metric: incident_count
  where: {kind: request}
  by: [customer, country]
  window: 2w
  target: {max: 11}
  trigger: {for: 1w, min_samples: 2}
  clear: {ratio: 0.9, for: 1w}
"""

Row = dict[str, Any]


@dataclass
class Drawn:
    """The versions of one connection's records, and the ids of those that were told of late."""

    name: str
    rows: dict[RecordKind, list[Row]] = field(default_factory=lambda: {kind: [] for kind in RecordKind})
    late: set[str] = field(default_factory=set)

    def add(self, kind: RecordKind, row: Row, at: datetime) -> None:
        """The version of a record that is shown from a moment on."""
        self.rows[kind].append({"connection": self.name, **row, "updated_at": at})


def drawn(name: str, *, seed: int = 11) -> Drawn:
    """All records of a connection. Every scope has good and bad spells, some of them shared by a customer."""
    found = Drawn(name)
    rng = np.random.default_rng([seed, len(name)])
    spells: dict[str, list[bool]] = {}
    for customer, country, service in SCOPES[name]:
        shared = spells.setdefault(customer, _spells(rng))
        own = _spells(rng)
        for week in range(QUIET + WEEKS + 1):
            is_bad = shared[week] or own[week]
            for number in range(int(rng.poisson(15 if own[week] else 9))):
                key = f"{customer}-{service}-{week}-{number}"
                at = _moment(rng, week)
                _incident(rng, found, key, (customer, country, service), at, is_bad=is_bad)
            if rng.random() < (0.35 if own[week] else 0.08):
                _outage(rng, found, f"{customer}-{service}-{week}", (customer, country, service), _moment(rng, week))
        for week in range(QUIET + WEEKS + 1):
            for number in range(int(rng.poisson(4))):
                _request(rng, found, f"R-{customer}-{service}-{week}-{number}", (customer, country, service), week)
    for customer, country in dict.fromkeys((one[0], one[1]) for one in SCOPES[name]):
        for number, at in enumerate(_talks(rng)):
            row = {
                "id": f"{customer}-talk-{number}",
                "kind": "call",
                "customer": customer,
                "country": country,
                "at": at,
            }
            found.add(RecordKind.CONTACT, row, at)
    return found


def _spells(rng: np.random.Generator) -> list[bool]:
    weeks: list[bool] = []
    while len(weeks) <= QUIET + WEEKS:
        weeks += [False] * int(rng.integers(8, 30)) + [True] * int(rng.integers(3, 11))
    return weeks


def _moment(rng: np.random.Generator, week: int) -> datetime:
    """Any second of a week: so some lie near midnight of other zones."""
    return START + timedelta(weeks=week, seconds=int(rng.integers(0, 7 * 86_400)))


def _talks(rng: np.random.Generator) -> Iterator[datetime]:
    at = START + timedelta(days=2)
    while at < START + timedelta(weeks=QUIET + WEEKS + 1):
        yield at
        at += timedelta(days=float(rng.gamma(2.0, 8.0)), hours=1)


def _ticket(key: str, where: tuple[str, str, str], kind: str, at: datetime) -> Row:
    customer, country, service = where
    return {
        "id": key, "number": key, "kind": kind, "title": "t", "state": "new", "priority": 3, "is_major": False,
        "customer": customer, "country": country, "service": service, "category": "c", "assignment_group": "g",
        "opened_at": at, "created_at": at, "reopen_count": 0, "reassignment_count": 0,
    }  # fmt: skip


def _incident(
    rng: np.random.Generator, found: Drawn, key: str, where: tuple[str, str, str], at: datetime, *, is_bad: bool
) -> None:
    goal = timedelta(hours=36)
    is_breached = bool(rng.random() < (0.3 if is_bad else 0.06))
    took = timedelta(seconds=int(3600 * (rng.uniform(40, 160) if is_breached else rng.uniform(1, 34))))
    done = at + took
    supplier = ("Nimbus", "Kabelwerk")[int(rng.integers(2))] if rng.random() < 0.4 else None
    ticket = {**_ticket(key, where, "incident", at), "supplier": supplier}
    found.add(RecordKind.TICKET, ticket, at)
    found.add(RecordKind.TICKET, {**ticket, "state": "resolved", "resolved_at": done}, done)
    closed = done + timedelta(days=5)
    found.add(RecordKind.TICKET, {**ticket, "state": "closed", "resolved_at": done, "closed_at": closed}, closed)
    _clock(found, f"{key}-sla", key, "sla", None, at, goal, took)
    if supplier is not None:
        begin = at + timedelta(minutes=20)
        _clock(found, f"{key}-uc", key, "uc", supplier, begin, 0.8 * goal, done - begin)
    if rng.random() < 0.7:
        _survey(rng, found, f"{key}-survey", key, done + timedelta(minutes=5), is_bad=is_bad)


def _clock(
    found: Drawn,
    key: str,
    ticket: str,
    agreement: str,
    supplier: str | None,
    at: datetime,
    goal: timedelta,
    took: timedelta,
) -> None:
    is_breached = took > goal
    clock = {
        "id": key, "ticket_id": ticket, "sla_id": agreement, "sla_name": agreement, "target": "resolution",
        "agreement": agreement, "supplier": supplier, "stage": "in_progress", "is_breached": False, "start_at": at,
        "breach_at": at + goal, "goal_s": int(goal.total_seconds()),
    }  # fmt: skip
    found.add(RecordKind.SLA, clock, at)
    if is_breached:
        found.add(RecordKind.SLA, {**clock, "is_breached": True}, at + goal)
    ended = {"stage": "completed", "is_breached": is_breached, "end_at": at + took}
    found.add(RecordKind.SLA, {**clock, **ended, "elapsed_s": int(took.total_seconds())}, at + took)


def _survey(rng: np.random.Generator, found: Drawn, key: str, ticket: str, at: datetime, *, is_bad: bool) -> None:
    survey = {"id": key, "kind": "csat", "ticket_id": ticket, "sent_at": at}
    found.add(RecordKind.SURVEY, survey, at)
    if rng.random() < (0.3 if is_bad else 0.5):
        answered = at + timedelta(hours=float(rng.uniform(1, 15 * 24)))
        score = float(np.clip(round(rng.normal(3.2 if is_bad else 4.3, 1)), 1, 5))
        answer = {"answered_at": answered, "score": score, "scale_min": 1.0, "scale_max": 5.0}
        found.add(RecordKind.SURVEY, {**survey, **answer}, answered)


def _outage(rng: np.random.Generator, found: Drawn, key: str, where: tuple[str, str, str], at: datetime) -> None:
    customer, country, service = where
    row = {
        "id": f"{key}-outage", "kind": "outage", "service": service, "customer": customer, "country": country,
        "begin_at": at,
    }  # fmt: skip
    end = at + timedelta(minutes=float(rng.uniform(10, 300)))
    found.add(RecordKind.OUTAGE, row, at)
    found.add(RecordKind.OUTAGE, {**row, "end_at": end}, end)


def _request(rng: np.random.Generator, found: Drawn, key: str, where: tuple[str, str, str], week: int) -> None:
    """One in six is told of up to six weeks after it was opened."""
    at = _moment(rng, week)
    is_late = rng.random() < 1 / 6
    told = at + timedelta(days=float(rng.uniform(1, 42))) if is_late else at
    if is_late:
        found.late.add(key)
    found.add(RecordKind.TICKET, _ticket(key, where, LATE, at), told)
