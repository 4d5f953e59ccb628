"""`rules apply`: a person makes versions of rules live, after they were checked and tested (docs/decisions/019)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from improvement.errors import GuardRefused, InputError, ManyErrors, PermissionMissing, Place, RegelkreisError
from improvement.plurals import how_many
from improvement.rules import CheckReport, Limits, Mode, Rule, check_paths
from improvement.rules import run_tests as run
from improvement.rules.comparing import Change, changes
from workflows import access
from workflows.evidence import ledger
from workflows.models import LedgerEntry, Person, Role, RuleVersion
from workflows.rules import live as live_rules
from workflows.rules.lines import BAD, GOOD, HEAD, QUIET, Line, columns
from workflows.rules.published import readable
from workflows.rules.renamed import counted_twice
from workflows.rules.testing import TestReport, report_of

SIGNS = {"new": "+", "changed": "~", "limits changed": "~", "taken over": "=", "unchanged": "=", "removed": "-"}
STYLES = {"new": GOOD, "unchanged": QUIET, "removed": BAD}


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one rule, as :data:`SIGNS` names it; taken over: a file had made the same version live."""

    rule_id: str
    what: str
    sha256: str
    mode: str
    changes: tuple[Change, ...] = ()
    open_actions: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "rule": self.rule_id,
            "what": self.what,
            "version": self.sha256,
            "mode": self.mode,
            "changes": [change.as_dict() for change in self.changes],
            "open_actions": self.open_actions,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying would do, and what was found on the way."""

    report: CheckReport
    tests: TestReport
    steps: tuple[Step, ...]
    rules: Mapping[str, Rule] = field(repr=False)
    limits: Limits = field(repr=False)
    was_live: tuple[RuleVersion, ...] = field(repr=False)
    warnings: tuple[str, ...] = ()
    is_first: bool = False
    is_done: bool = False
    author: str = ""
    actor: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "applied": self.is_done,
            "author": self.author,
            "applied_by": self.actor,
            "rules": [step.as_dict() for step in self.steps],
            "tests": {"passed": self.tests.tests - self.tests.failed_tests, "failed": self.tests.failed_tests},
            "warnings": list(self.warnings),
        }

    def lines(self) -> Iterator[Line]:
        """For people."""
        yield from (Line(f"warning: {text}", QUIET) for text in self.warnings)
        yield Line(
            f"{how_many(len(self.report.rules), 'rule is', 'rules are')} valid; tests: {self.tests.summary}", QUIET
        )
        for step in self.steps:
            runs_on = (
                f"  {how_many(step.open_actions, 'open action runs on', 'open actions run on')}"
                if step.open_actions and step.what != "new"
                else ""
            )
            kept = " with the version that opened them" if runs_on and step.what == "changed" else ""
            sign = SIGNS[step.what]
            yield Line(
                f"{sign} {step.rule_id}  {step.sha256[:12]}  {step.what}, {step.mode}{runs_on}{kept}",
                STYLES.get(step.what, ""),
            )
            rows = [(change.key, str(change.before), "→", str(change.after)) for change in step.changes]
            yield from (Line(text) for text in columns(rows, indent=4))
        yield Line(self._end(), HEAD)

    def _end(self) -> str:
        touched = [step for step in self.steps if step.what != "unchanged"]
        if not touched:
            return "Nothing to do: all of it is live."
        if not self.is_done:
            return f"{how_many(len(touched), 'rule')} would change. Nothing was applied (--dry-run)."
        text = (
            f"{how_many(len(touched), 'rule')} applied by {self.actor}, written by {self.author}; live "
            "from the next cycle on."
        )
        if self.is_first:
            text += " From now on only what is applied is live: after an edit, apply again."
        return text


def apply(
    actor: Person, paths: Sequence[Path] | None, *, at: datetime, author: str | None = None, is_dry: bool = False
) -> Plan:
    """Check and test rules and make them live; without paths the whole rules folder, and what is not in it is removed.

    Raises all that is wrong with the files; :class:`GuardRefused` where a test fails or somebody would let a rule that
    they wrote themselves open actions by itself.
    """
    if not actor.has_role(Role.ADMIN):
        mend = f"Ask one, or `regelkreis users grant {actor.username} --role admin`."
        raise PermissionMissing(f"{actor.username} is no administrator.", mend=mend)
    writer = access.person_named(author) if author else actor
    plan = replace(_plan(paths, today=at.date()), author=writer.username, actor=actor.username)
    if plan.tests.failed:
        raise TestsFailed(plan.tests)
    is_waived = _must_be_two(plan, actor, writer)
    if is_dry or all(step.what == "unchanged" for step in plan.steps):
        return plan
    with transaction.atomic():
        ledger.hold()  # one at a time from here: whoever waited sees below what the other one did
        _must_be_as_planned(plan)
        _must_be_next(at)
        if plan.is_first:
            _take_over(at)
        for step in plan.steps:
            _take(step, plan, actor, writer, at=at, is_waived=step.rule_id in is_waived)
    return replace(plan, is_done=True)


def _must_be_next(at: datetime) -> None:
    """Refuse a moment that has not come, and one before the last application: rules date targets of the past."""
    now, where = datetime.now(UTC), Place(field="--as-of")
    if at > now:
        mend = "Leave it out, or name a moment that has come: rules are not applied ahead."
        raise InputError(f"{at:%Y-%m-%d %H:%M}Z is later than now.", where=where, mend=mend)
    happened = LedgerEntry.objects.filter(type__in=("rule.applied", "rule.removed")).order_by("-index")
    for data in happened.values_list("data", flat=True).iterator(chunk_size=100):
        last = datetime.fromisoformat(json.loads(bytes(data))["at"])
        if at < last <= now:
            raise InputError(
                f"Rules were applied at {last:%Y-%m-%d %H:%M}Z, which is later.",
                where=where,
                mend="Leave it out; what a target was in the past is said by `from` and `to` of an override.",
            )
        if last <= now:
            return


class TestsFailed(GuardRefused):
    """A test of the rules does not hold; ``report`` says how."""

    def __init__(self, report: TestReport) -> None:
        super().__init__(
            "Nothing was applied",
            [f"{how_many(report.failed_tests, 'test of the rules fails', 'tests of the rules fail')}"],
        )
        self.report = report


class AppliedMeanwhile(RegelkreisError):
    """Between the plan and its effect other versions became live: what was planned no longer says what would happen."""

    exit_code = 1

    def __init__(self, happened: Sequence[str]) -> None:
        mend = "Look at what changes now (`regelkreis rules apply --dry-run`) and apply again."
        super().__init__(
            f"Nothing was applied: somebody applied rules meanwhile. {' '.join(happened)}".strip(), mend=mend
        )


def unapplied() -> list[str]:
    """Where people apply rules, a sentence about files that say something else than what is live; empty elsewhere."""
    if not live_rules.is_applied() or not settings.REGELKREIS.rules.is_dir():
        return []
    live = dict(RuleVersion.objects.filter(is_live=True).values_list("rule_id", "sha256"))
    there = {rule.id: rule.sha256 for rule in live_rules.folder_rules().rules}
    other = sorted(rule_id for rule_id in {*live, *there} if live.get(rule_id) != there.get(rule_id))
    what = f"{', '.join(other)}: the files say something else than what is live; `regelkreis rules apply` applies them"
    return [what] if other else []


# --- the plan ---------------------------------------------------------------------------------------------------


def _plan(paths: Sequence[Path] | None, *, today: date) -> Plan:
    folder = settings.REGELKREIS.rules
    is_whole = not paths or [path.resolve() for path in paths] == [folder.resolve()]
    given = [folder] if is_whole or not paths else list(paths)
    report = check_paths(given, within=folder, today=today)
    if report.errors:
        errors: list[RegelkreisError] = list(report.errors)
        raise ManyErrors(errors)
    was_live = _live()  # before everything else that is read of what is live: later is noticed, never overlooked
    standing = live_rules.standing_rules()
    whole = live_rules.folder_rules().limits if is_whole else standing.limits
    rules = {rule.id: replace(rule, limits=_limits(rule, whole)) for rule in report.rules}
    live = {row.rule_id: row for row in was_live}
    steps = [_step(rule, live.get(rule.id)) for rule in rules.values()]
    gone = [
        row
        for row in live.values()
        if row.rule_id not in rules and (is_whole or row.rule_id.partition("@")[0] in rules)
    ]
    steps += [_removal(row) for row in sorted(gone, key=lambda row: row.rule_id)]
    dropped = {row.rule_id for row in gone}
    stays = [rule for rule in standing.rules if rule.id not in rules and rule.id not in dropped]
    warnings = [str(warning) for warning in report.warnings] + live_rules.unknown_owners(rules.values())
    warnings += counted_twice([*rules.values(), *stays], dropped=dropped)
    return Plan(
        report=report,
        tests=report_of(run(report.tests), rules),
        steps=tuple(steps),
        rules=rules,
        limits=whole,
        was_live=was_live,
        warnings=tuple(warnings),
        is_first=not live_rules.is_applied(),
    )


def _live() -> tuple[RuleVersion, ...]:
    return tuple(RuleVersion.objects.filter(is_live=True).order_by("rule_id"))


def _limits(rule: Rule, whole: Limits) -> Limits:
    """A rule's own limits; those of a cycle and an owner are one for the whole installation."""
    return replace(rule.limits, budget=whole.budget, max_new_actions=whole.max_new_actions)


def _step(rule: Rule, row: RuleVersion | None) -> Step:
    told = (rule.sha256, rule.mode.value)
    if row is None:
        return Step(rule.id, "new", *told)
    number = live_rules.open_actions(rule.id)
    if row.sha256 != rule.sha256:
        return Step(rule.id, "changed", *told, changes(_stored(row, rule), rule), number)
    if row.applied_by == ledger.ENGINE:
        return Step(rule.id, "taken over", *told, (), number)
    is_same = row.limits == live_rules.limits_document(rule.limits)
    return Step(rule.id, "unchanged" if is_same else "limits changed", *told, (), number)


def _stored(row: RuleVersion, rule: Rule) -> Rule:
    """The live version of a rule; where it cannot be read any more, one that differs in nothing."""
    return readable(row) or rule


def _removal(row: RuleVersion) -> Step:
    return Step(row.rule_id, "removed", row.sha256, row.mode, (), live_rules.open_actions(row.rule_id))


def _must_be_two(plan: Plan, actor: Person, writer: Person) -> frozenset[str]:
    """Rules whose second person was waived; refuses where nobody waived it.

    Whoever wrote a rule does not make it open actions by itself.
    """
    opening = frozenset(
        step.rule_id
        for step in plan.steps
        if step.what in ("new", "changed") and plan.rules[step.rule_id].mode is Mode.OPEN
    )
    if not opening or writer.pk != actor.pk:
        return frozenset()
    if settings.REGELKREIS.allow_own_approval:
        return opening
    names = ", ".join(sorted(opening))
    reason = f"{names}: in mode `open`, and {actor.username} both wrote and applies it"
    mend = "name who wrote it with --author, set `mode: propose`, or let a small team set allow_own_approval"
    raise GuardRefused("Nothing was applied", [reason, mend])


# --- the effect -------------------------------------------------------------------------------------------------


def _must_be_as_planned(plan: Plan) -> None:
    """Refuses where other versions, or the same with other limits, are live than when the plan was made."""
    now = _live()
    if _versions(plan.was_live) != _versions(now) or plan.is_first == live_rules.is_applied():
        raise AppliedMeanwhile(list(_happened(plan.was_live, now)))


def _happened(before: Sequence[RuleVersion], now: Sequence[RuleVersion]) -> Iterator[str]:
    """A sentence for each rule that is not live as it was."""
    was, rows = {row.rule_id: row for row in before}, {row.rule_id: row for row in now}
    for rule_id in sorted({*was, *rows}):
        old, new = was.get(rule_id), rows.get(rule_id)
        if new is None:
            yield f"{rule_id} is live no more."
        elif old is None or _versions([old]) != _versions([new]):
            what = "was not live before" if old is None else f"was {old.sha256[:12]}"
            if old is not None and old.sha256 == new.sha256:
                what = "is the same version as before, applied anew"
            yield f"{rule_id} is live as {new.sha256[:12]}, applied by {_name_of(new.applied_by)} (it {what})."


def _name_of(uid: str) -> str:
    person = Person.objects.filter(uid=uid).first()
    return person.username if person is not None else uid


def _versions(rows: Sequence[RuleVersion]) -> list[tuple[str, str, str, dict[str, int]]]:
    return [(row.rule_id, row.sha256, row.applied_by, row.limits) for row in rows]


def _take_over(at: datetime) -> None:
    """The first time: what files made live stays live as it is, with the limits of today's folder."""
    standing = live_rules.standing_rules()
    of = {rule.id: rule.limits for rule in standing.rules}
    for row in RuleVersion.objects.filter(is_live=True, limits={}):
        own = replace(
            of.get(row.rule_id, standing.limits),
            budget=standing.limits.budget,
            max_new_actions=standing.limits.max_new_actions,
        )
        row.limits = live_rules.limits_document(own)
        row.save(update_fields=["limits"])


def _take(step: Step, plan: Plan, actor: Person, writer: Person, *, at: datetime, is_waived: bool) -> None:
    if step.what == "removed":
        live_rules.retire(RuleVersion.objects.get(rule_id=step.rule_id, is_live=True), actor=actor.uid, at=at)
    elif step.what != "unchanged":
        rule = plan.rules[step.rule_id]
        told = {"author": writer.uid, **({"second_person": "waived"} if is_waived else {})}
        live_rules.record(rule, actor=actor.uid, at=at, limits=rule.limits, **told)
