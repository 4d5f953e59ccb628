"""What the log says of actions, looks and findings, and where their rows say something else.

Pages, commands and later steps read rows; only the log is proven. So its entries are folded into what each row has to
say. A row that no entry tells of is named as well: somebody put it there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from django.db.models import QuerySet

from improvement import weeks
from improvement.evidence.canonical import digest, sha256_hex
from improvement.pdca import Event, State
from workflows.actions import planning
from workflows.evidence import ledger, pinning
from workflows.models import Action, ErasableText, Finding, Look, LookKind, Transition

LookKey = tuple[str, str, int, int, int, str]  # action, kind, cycle, round, week, plan's digest
EVIDENCE = "evidence"
#: Lines of an action's history that have an entry of their own; marks and notes have others.
STEPS = [EVIDENCE, *(event.value for event in Event)]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an action's history. ``reason_sha256``: of the sealed reason, '' where none was given."""

    event: str
    from_state: str
    to_state: str
    actor: str
    at: str
    entry: int = -1
    reason_sha256: str = ""

    @property
    def words(self) -> str:
        """As it is told: event, states, actor, time."""
        return f"{self.event}, {self.from_state or 'nothing'} → {self.to_state}, by {self.actor}, {self.at}"

    def is_told_by(self, row: Step) -> bool:
        """Whether a row says the same."""
        return self.words == row.words


@dataclass(slots=True)
class ToldAction:
    """Where an action stands by its entries: values by field, each with the entry that says so."""

    values: dict[str, tuple[Any, int]]
    steps: list[Step]

    def say(self, index: int, **values: Any) -> None:
        """From this entry on the fields have these values."""
        self.values |= {name: (value, index) for name, value in values.items()}


@dataclass(slots=True)
class ToldFinding:
    """What the last firing pins, and whether it was resolved since."""

    fired: Mapping[str, Any]
    entry: int
    is_over: bool = False


@dataclass(slots=True)
class Told:
    """Everything the entries say of rows; :meth:`hear` them in their order."""

    actions: dict[str, ToldAction] = field(default_factory=dict)
    looks: dict[LookKey, tuple[Mapping[str, Any], int]] = field(default_factory=dict)
    findings: dict[str, ToldFinding] = field(default_factory=dict)

    def hear(self, index: int, said: Mapping[str, Any]) -> None:
        """Take one entry in."""
        listen = _HEARD.get(said["type"])
        if listen is not None:
            listen(self, index, said)

    def differences(self) -> Iterator[str]:
        """A sentence per row that says something else than the log."""
        yield from _wrong_actions(self.actions)
        yield from _wrong_looks(self.looks)
        yield from _wrong_findings(self.findings)
        yield from pinning.wrong()

    def counts(self) -> tuple[int, int, int, int]:
        """How many actions, steps of their histories, looks and findings the log tells of."""
        return len(self.actions), sum(len(one.steps) for one in self.actions.values()), len(self.looks), len(
            self.findings
        )  # fmt: skip


# --- hearing --------------------------------------------------------------------------------------------------


def _opened(told: Told, index: int, said: Mapping[str, Any]) -> None:
    step = Step(Event.OPEN.value, "", State.PROPOSED.value, said["actor"], said["at"], index)
    action = told.actions[said["subject"]] = ToldAction({}, [step])
    action.say(index, state=step.to_state, cycle_no=1, verdict="", implemented_on="", owner=said["payload"]["owner"])
    _measured(told, index, said)


def _measured(told: Told, index: int, said: Mapping[str, Any]) -> None:
    """What an action is measured by: as it was opened, or since somebody gave an adopted one its metric."""
    payload = said["payload"]
    if said["subject"] in told.actions:
        told.actions[said["subject"]].say(index, **{name: payload[name] for name in MEASURED if name in payload})


def _moved(told: Told, index: int, said: Mapping[str, Any]) -> None:
    payload, action = said["payload"], told.actions.get(said["subject"])
    if action is None:
        return  # never opened: the rows' own check says so
    step = Step(
        payload["event"], payload["from"], payload["to"], said["actor"], said["at"], index, payload["reason_sha256"]
    )
    action.steps.append(step)
    action.say(index, state=step.to_state, **{name: payload[name] for name in MOVED if name in payload})
    if payload.get("implemented_ref_sha256") or step.event == Event.ADJUST:
        action.say(index, implemented_ref_sha256=payload.get("implemented_ref_sha256", ""))


MEASURED = ("metric", "scope", "trigger")
#: What each transition says of the action besides its state.
MOVED = ("cycle_no", "implemented_on", "held_from", "verdict", "is_late", "is_overridden")


def _evidence(told: Told, index: int, said: Mapping[str, Any]) -> None:
    action = told.actions.get(said["subject"])
    if action is not None:
        state = action.values["state"][0]
        action.steps.append(Step(EVIDENCE, state, state, said["actor"], said["at"], index))


def _owned(told: Told, index: int, said: Mapping[str, Any]) -> None:
    if said["subject"] in told.actions:
        told.actions[said["subject"]].say(index, owner=said["payload"]["owner"])


def _edited(told: Told, index: int, said: Mapping[str, Any]) -> None:
    """Of what was edited on the platform only the title is changed nowhere else."""
    payload = said["payload"]
    if said["subject"] in told.actions and payload["field"] == "title":
        told.actions[said["subject"]].say(index, title_sha256=payload["text_sha256"])


def _overruled(told: Told, index: int, said: Mapping[str, Any]) -> None:
    if said["subject"] in told.actions:
        told.actions[said["subject"]].say(index, is_overridden=True)


def _looked(told: Told, index: int, said: Mapping[str, Any]) -> None:
    payload = said["payload"]
    key = (
        said["subject"],
        payload["kind"],
        payload["cycle_no"],
        payload["round_no"],
        payload["week"],
        payload["plan_sha256"],
    )
    told.looks[key] = (payload, index)


def _fired(told: Told, index: int, said: Mapping[str, Any]) -> None:
    told.findings[said["subject"]] = ToldFinding(said["payload"], index)


def _over(told: Told, index: int, said: Mapping[str, Any]) -> None:
    if said["subject"] in told.findings:
        told.findings[said["subject"]].is_over = True


_HEARD: dict[str, Callable[[Told, int, Mapping[str, Any]], None]] = {
    "action.opened": _opened,
    "action.measured": _measured,
    "action.transitioned": _moved,
    "action.evidence": _evidence,
    "action.owner": _owned,
    "action.edited": _edited,
    "verdict.overridden": _overruled,
    "check.looked": _looked,
    "finding.fired": _fired,
    "finding.resolved": _over,
    "finding.ended": _over,
}


# --- actions --------------------------------------------------------------------------------------------------


def _wrong_actions(told: Mapping[str, ToldAction]) -> Iterator[str]:
    histories = _histories()
    rows = {action.code: action for action in Action.objects.select_related("owner")}
    salts = dict(ErasableText.objects.values_list("digest", "salt"))
    for code, action in told.items():
        if code not in rows:
            yield f"{code}, opened by entry {action.steps[0].entry}, is gone."
            continue
        yield from _differing(code, action, _values_of(rows[code]))
        yield from _wrong_steps(code, action.steps, histories.get(code, []), salts)
        yield from _wrong_reference(code, action, rows[code].implemented_ref, salts)
        yield from _wrong_title(code, action, rows[code].title, salts)
    for code in rows.keys() - told.keys():
        yield f"{code} is in the database, but no entry of the log opened it."


def _values_of(action: Action) -> dict[str, Any]:
    return {
        "state": action.state,
        "held_from": action.held_from,
        "cycle_no": action.cycle_no,
        "verdict": action.verdict,
        "implemented_on": action.implemented_on.isoformat() if action.implemented_on else "",
        "is_late": action.is_late,
        "is_overridden": action.is_overridden,
        "owner": action.owner.uid if action.owner else "",
        "metric": action.metric,
        "scope": action.scope,
        "trigger": planning.published_trigger(action),
    }


def _differing(code: str, action: ToldAction, row: Mapping[str, Any]) -> Iterator[str]:
    for name, value in row.items():
        said, entry = action.values.get(name, (value, 0))
        if said != value:
            yield f"{code} has {name} “{value}”, but entry {entry} says “{said}”."


def _histories() -> dict[str, list[tuple[Step, str]]]:
    """The lines of every action's history with their notes, by the action's code."""
    found: dict[str, list[tuple[Step, str]]] = {}
    rows: QuerySet[Transition] = Transition.objects.filter(event__in=STEPS).select_related("action").order_by("id")
    for row in rows.iterator(chunk_size=2000):
        step = Step(row.event, row.from_state, row.to_state, row.actor, ledger.stamp(row.at))
        found.setdefault(row.action.code, []).append((step, row.note))
    return found


def _wrong_steps(code: str, said: list[Step], rows: list[tuple[Step, str]], salts: Mapping[str, str]) -> Iterator[str]:
    for step, found in zip_longest(said, rows):
        if step is None:
            yield f"The history of {code} has a step that no entry tells: {found[0].words}."
        elif found is None:
            yield f"The history of {code} lacks the step of entry {step.entry}: {step.words}."
        elif not step.is_told_by(found[0]):
            yield f"The history of {code} says “{found[0].words}”, but entry {step.entry} says “{step.words}”."
        elif not _is_sealed(found[1], step.reason_sha256, salts):
            yield f"The reason in the history of {code} ({step.event}) is not the one that entry {step.entry} seals."
            continue
        else:
            continue
        return  # all later lines are shifted by this one


def _wrong_reference(code: str, action: ToldAction, text: str, salts: Mapping[str, str]) -> Iterator[str]:
    sealed, entry = action.values.get("implemented_ref_sha256", ("", 0))
    if not _is_sealed(text, sealed, salts):
        yield f"The reference with which {code} went live is not the one that entry {entry} seals."


def _wrong_title(code: str, action: ToldAction, text: str, salts: Mapping[str, str]) -> Iterator[str]:
    sealed, entry = action.values.get("title_sha256", ("", 0))
    if not _is_sealed(text, sealed, salts):
        yield f"The title of {code} is not the one that entry {entry} seals."


def _is_sealed(text: str, sealed: str, salts: Mapping[str, str]) -> bool:
    """Whether a text is the one a digest seals; one whose salt was erased proves nothing either way."""
    if not sealed:
        return True
    salt = salts.get(sealed)
    return salt is None or hashlib.sha256(f"{salt}\n{text}".encode()).hexdigest() == sealed


# --- looks and findings ---------------------------------------------------------------------------------------


def _wrong_looks(told: Mapping[LookKey, tuple[Mapping[str, Any], int]]) -> Iterator[str]:
    computed = Look.objects.filter(computed_at__isnull=False).select_related("action", "plan")
    rows = {
        (look.action.code, look.kind, look.cycle_no, look.round_no, look.week_no, look.plan.sha256): look
        for look in computed
    }
    for key, (payload, entry) in told.items():
        name = _look_name(key)
        look = rows.get(key)
        if look is None:
            yield f"{name}, pinned by entry {entry}, is gone."
        elif digest(look.result) != payload["result_sha256"]:
            yield f"{name} has another result than entry {entry} pins."
        elif (look.verdict, look.inputs_sha256) != (payload["verdict"], payload["inputs_sha256"]):
            yield f"{name} has another verdict or other inputs than entry {entry} says."
    for key in rows.keys() - told.keys():
        yield f"{_look_name(key)} is in the database as computed, but no entry of the log tells it."


def _look_name(key: LookKey) -> str:
    return f"The {LookKind(key[1]).label} of {key[0]}, week {key[4]}"


def _wrong_findings(told: Mapping[str, ToldFinding]) -> Iterator[str]:
    rows = {f"{row.rule_id}/{row.connection}/{row.scope_key}": row for row in Finding.objects.all()}
    for name, finding in told.items():
        row = rows.get(name)
        if row is None:
            yield f"The finding {name}, pinned by entry {finding.entry}, is gone."
            continue
        for column, value in _pinned_columns(row).items():
            said = finding.fired.get(column, value)
            if said != value:
                yield f"The finding {name} has {column} “{value}”, but entry {finding.entry} says “{said}”."
        if finding.is_over and row.state == "firing":
            yield f"The finding {name} is firing, but the log says it was over after entry {finding.entry}."
    for name, row in rows.items():
        if name not in told and (row.state == "firing" or row.fired_at is not None):
            yield f"The finding {name} has fired by the database, but no entry of the log tells it."


def _pinned_columns(row: Finding) -> dict[str, Any]:
    return {
        "rule_sha256": row.rule_sha256,
        "week": weeks.label(row.fired_week) if row.fired_week is not None else "",
        "value": row.value if row.value is not None else "",
        "target": row.target_value if row.target_value is not None else "",
        "target_kind": row.target_kind,
        "target_source": row.target_source,
        "n": row.n,
        "rows_sha256": row.rows_sha256,
        "rows": row.rows_count,
        "sql_sha256": sha256_hex(row.sql.encode()),
    }
