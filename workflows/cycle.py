"""One cycle for one moment in time: the only place that knows the order of the steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import zip_longest
from typing import Any

import msgspec
import structlog
from django.conf import settings

from connectors.base import Connector
from connectors.registry import connector as connect
from improvement.errors import InputError, RegelkreisError
from improvement.plurals import how_many
from improvement.records import RecordKind
from improvement.rules import Limits, Rule
from workflows.checks import charting
from workflows.clocks import quarters
from workflows.evidence import ledger
from workflows.models import Connection
from workflows.progress import Progress, progress
from workflows.rules import applying, kept_targets
from workflows.rules.live import live_rules
from workflows.rules.renamed import counted_twice
from workflows.steps import check, deliver, evaluate, follow, pull, restate_points
from workflows.steps import open as opening
from workflows.unforeseen import held
from workflows.warehouse import Warehouse, our_warehouse

log = structlog.get_logger()
NO_REQUEST = {"method": "", "url": "", "body": "", "may_follow": ""}
MOST_NAMED = 3  # rules that wait for the same, in one line


@dataclass(slots=True)
class CycleSummary:
    """What one cycle did, over all connections."""

    as_of: datetime
    records: int = 0
    new: int = 0
    deleted: int = 0
    new_tickets: int = 0
    rules: int = 0
    rules_removed: list[str] = field(default_factory=list)
    rules_waiting: dict[str, list[str]] = field(default_factory=dict)  # by connection: those that lack records
    points: int = 0
    fired: list[str] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    queued: dict[str, str] = field(default_factory=dict)
    moved: list[str] = field(default_factory=list)
    diverged: list[str] = field(default_factory=list)
    unknown_owners: list[str] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    addenda: list[str] = field(default_factory=list)
    delivered: int = 0
    waiting: int = 0
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    published: dict[str, evaluate.Published] = field(default_factory=dict)  # by connection; told to nobody

    def report(self, connection: str, errors: Iterable[object]) -> None:
        """Tell what went wrong on a connection: its name once, and what several steps met alike once."""
        for error in errors:
            text = str(error)
            told = text if text.startswith(f"connection {connection}") else f"{connection}: {text}"
            if told not in self.errors:
                self.errors.append(told)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """What goes wrong after the connections is told with all that went well before it."""
        try:
            yield
        except RegelkreisError as error:
            if str(error) not in self.errors:
                self.errors.append(str(error))

    def as_dict(self) -> dict[str, Any]:
        """The summary as one JSON-ready object."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "published"}

    def rows(self) -> list[tuple[str, object]]:
        """The summary as lines for a table."""
        return [
            ("records pulled", f"{self.records} ({self.new} new)"),
            ("gone from the platform", self.deleted),
            ("rules", self.rules),
            *((("rules removed", "; ".join(self.rules_removed)),) if self.rules_removed else ()),
            ("points", self.points),
            ("findings fired", len(self.fired)),
            ("findings resolved", len(self.resolved)),
            ("actions opened", ", ".join(self.opened) or 0),
            ("waiting to open", self._queue()),
            ("moved by people", len(self.moved)),
            ("diverged", len(self.diverged)),
            *((("owners nobody knows", "; ".join(self.unknown_owners)),) if self.unknown_owners else ()),
            ("looks computed", len(self.looks)),
            ("verdicts", "; ".join(self.verdicts) or 0),
            ("reviews missed", len(self.missed)),
            *((("addenda", "; ".join(self.addenda)),) if self.addenda else ()),
            ("delivered", self.delivered),
            ("still to deliver", self.waiting),
            *((("to look at", "; ".join(self.notes)),) if self.notes else ()),
        ]

    def _queue(self) -> str | int:
        """How many firing findings wait for an action, by the reason."""
        if not self.queued:
            return 0
        reasons = Counter(self.queued.values())
        return f"{len(self.queued)}: " + "; ".join(
            f"{why} ({number})" if len(reasons) > 1 else why for why, number in reasons.most_common()
        )


@contextmanager
def connectors(names: list[str] | None = None, *, unusable: dict[str, str] | None = None) -> Iterator[list[Connector]]:
    """Open the configured connections (all, or those named); makes their rows in the state.

    One whose mapping cannot be meant is an error, or, with ``unusable``, is put there with the reason and left out.
    """
    configured = settings.REGELKREIS.connections
    for name in names or []:
        if name not in configured:
            known = ", ".join(sorted(configured)) or "none"
            raise InputError(f"There is no connection “{name}”.", mend=f"Connections in regelkreis.toml: {known}.")
    opened: list[Connector] = []
    try:
        for name in sorted(names or configured):
            config = configured[name]
            Connection.objects.get_or_create(
                name=name, defaults={"platform": config.platform, "integration_account": config.user or ""}
            )
            try:
                opened.append(connect(config))
            except RegelkreisError as error:
                if unusable is None:
                    raise
                unusable[name] = str(error)
        yield opened
    finally:
        for one in opened:
            one.close()


def pull_all(
    *,
    as_of: datetime,
    names: list[str] | None = None,
    is_shown: bool = False,
    since: datetime | None = None,
    is_reconciled: bool = False,
) -> list[pull.PullResult]:
    """Pull some or all connections; see :func:`workflows.steps.pull.pull`. One that fails does not stop the others."""
    unusable: dict[str, str] = {}
    with (
        connectors(names, unusable=unusable) as opened,
        our_warehouse() as warehouse,
        progress(is_shown) as told,
    ):
        results = []
        for one in opened:
            try:
                with held("a pull", connection=one.name):
                    pulled = pull.pull(
                        one,
                        warehouse,
                        as_of=as_of,
                        on_progress=told.records if told.is_shown else None,
                        since=since,
                        is_counted=True,
                        is_reconciled=is_reconciled,
                    )
            except RegelkreisError as error:
                log.warning("pull.failed", connection=one.name, error=str(error))
                pulled = pull.PullResult(one.name, problem=str(error))
            results.append(pulled)
    return [*(pull.PullResult(connection=name, problem=problem) for name, problem in unusable.items()), *results]


def run(*, as_of: datetime, is_shown: bool = False) -> CycleSummary:
    """Pull, evaluate, open, follow, check, review, deliver: every connection, for the moment ``as_of``."""
    unusable: dict[str, str] = {}
    with connectors(unusable=unusable) as opened:
        summary = run_with(opened, as_of=as_of, is_shown=is_shown)
    for name, problem in unusable.items():
        summary.report(name, [problem])
    if not opened and not unusable:
        summary.errors.append(
            f"No connection is configured. Describe one in {settings.REGELKREIS.home}/regelkreis.toml."
        )
    with progress(is_shown) as told:
        told.doing("drawing charts")
        with summary.telling():
            catch_up(as_of=as_of, published=summary.published)
        if opened:
            told.doing("accounting for the quarter")
            with summary.telling():
                keep_figures(as_of=as_of)
    return summary


def catch_up(*, as_of: datetime, published: Mapping[str, evaluate.Published]) -> None:
    """Once, after the newest cycle, for people to look at: values that later data changed, and the charts.

    ``published``: what that cycle published, by connection.
    """
    restate_points.restate_all(as_of=as_of, published=published)
    charting.render_all(as_of=as_of)


def keep_figures(*, as_of: datetime) -> None:
    """What pages show and the web cannot count: targets in force, what became of breaches, whose minutes they were."""
    kept_targets.keep(as_of=as_of)
    quarters.keep_current(as_of=as_of)


def run_with(opened: list[Connector], *, as_of: datetime, is_shown: bool = False) -> CycleSummary:
    """One cycle over connectors that are open already. One connection's failure does not stop the others."""
    summary = CycleSummary(as_of=as_of)
    rules, limits = live_rules(as_of=as_of, errors=summary.errors, removed=summary.rules_removed)
    summary.rules = len(rules)
    summary.notes += applying.unapplied()
    summary.notes += counted_twice(rules)
    with (
        progress(is_shown) as told,
        our_warehouse() as warehouse,
        ExitStack() as stack,
    ):
        loaded = []
        for one, pulling in _load(opened, warehouse, summary, stack, told):
            with _reported(one, summary):
                pulled = _finish(pulling, summary)
                counted = _countable(rules, pulled, summary)
                evaluating = evaluate.Evaluating(warehouse, counted, one.name, as_of=as_of)
                stack.enter_context(closing(evaluating))
                checking = check.Checking(warehouse, one.name, as_of=as_of, missing=pulled.missing)
                stack.enter_context(closing(checking))
                loaded.append((one, counted, evaluating, checking, pulled.is_shut_out))
        for one, counted, evaluating, checking, is_shut_out in loaded:
            with _reported(one, summary):
                _judge(one, counted, evaluating, warehouse, limits, summary, told)
                if not is_shut_out:  # what people did is not known, and nothing can be sent
                    _act(one, checking, summary, told)
        told.doing("")
    with summary.telling():
        ledger.sign_checkpoint(as_of)
    return summary


def _begin_loading(
    opened: list[Connector], warehouse: Warehouse, summary: CycleSummary, stack: ExitStack
) -> list[tuple[Connector, pull.Loading]]:
    """Let every platform answer and be loaded from now on; one that cannot is left out."""
    readings = {}
    for one in opened:
        with _reported(one, summary):
            readings[one.name] = stack.enter_context(closing(pull.Reading(one, warehouse, as_of=summary.as_of)))
    loadings: dict[str, pull.Loading] = {}
    for group in pull.grouped(list(readings.values())):
        loading = stack.enter_context(closing(pull.Loading(group, warehouse, as_of=summary.as_of)))
        loadings |= dict.fromkeys((one.name for one in group), loading)
    return [(one, loadings[one.name]) for one in opened if one.name in loadings]


@contextmanager
def _reported(one: Connector, summary: CycleSummary) -> Iterator[None]:
    """A connection that fails is told of; the others go on."""
    try:
        with held("a step of the cycle", connection=one.name):
            yield
    except RegelkreisError as error:
        summary.report(one.name, [error])
        log.warning("cycle.failed", connection=one.name, error=str(error))


def _load(
    opened: list[Connector], warehouse: Warehouse, summary: CycleSummary, stack: ExitStack, told: Progress
) -> list[tuple[Connector, pull.Pulling]]:
    """Load all connections, and note down what was loaded: in turns, because it comes from all of them at once."""
    on_progress = told.records if told.is_shown else None
    begun = []
    for one, loading in _begin_loading(opened, warehouse, summary, stack):
        with _reported(one, summary):
            pulling = pull.Pulling.begin(one, warehouse, as_of=summary.as_of, on_progress=on_progress, loading=loading)
            begun.append((one, pulling))
    for turn in zip_longest(*(pulling.kinds for _, pulling in begun)):
        for (_, pulling), kind in zip(begun, turn, strict=True):
            if kind is not None:
                pulling.note_loaded(kind)
    return begun


def _finish(pulling: pull.Pulling, summary: CycleSummary) -> pull.PullResult:
    one = pulling.connector
    pulled = pulling.finish()
    summary.records += pulled.read
    summary.new += sum(report.new for report in pulled.reports)
    summary.new_tickets += sum(report.new for report in pulled.reports if report.kind == RecordKind.TICKET)
    summary.deleted += pulled.deleted
    summary.notes.extend(f"{one.name}: {note}" for note in pulled.notes)
    summary.report(one.name, pulled.errors)
    return pulled


def _countable(rules: list[Rule], pulled: pull.PullResult, summary: CycleSummary) -> list[Rule]:
    """The rules whose records are complete. The others wait and catch up week by week when theirs are."""
    waiting = sorted(rule.id for rule in rules if rule.reads & pulled.missing)
    if waiting:
        summary.rules_waiting[pulled.connection] = waiting
        kinds = ", ".join(sorted(kind.value for kind in pulled.missing))
        summary.report(pulled.connection, [f"without all {kinds} records {_listed(waiting)}."])
    return [rule for rule in rules if rule.id not in waiting]


def _listed(waiting: list[str]) -> str:
    """Which rules wait; of many only how many there are, and which for example."""
    if len(waiting) <= MOST_NAMED:
        return f"these rules wait: {', '.join(waiting)}"
    more = f"{len(waiting) - MOST_NAMED} more; `--json` names all"
    return f"{len(waiting)} rules wait: {', '.join(waiting[:MOST_NAMED])} and {more}"


def _judge(
    one: Connector,
    rules: list[Rule],
    evaluating: evaluate.Evaluating,
    warehouse: Warehouse,
    limits: Limits,
    summary: CycleSummary,
    told: Progress,
) -> None:
    """Counts become findings, findings actions."""
    told.doing(f"{one.name}: evaluating {how_many(len(rules), 'rule')}")
    evaluated = evaluating.finish()
    summary.points += evaluated.points
    summary.published[one.name] = evaluated.published
    summary.fired += [f"{one.name}: {text}" for text in evaluated.fired]
    summary.resolved += [f"{one.name}: {text}" for text in evaluated.resolved]
    summary.report(one.name, evaluated.errors)
    told.doing(f"{one.name}: opening actions")
    found = opening.open_actions(warehouse, rules, one.name, limits=limits, as_of=summary.as_of)
    summary.opened += found.opened
    summary.queued |= {f"{one.name}: {key}": reason for key, reason in found.queued.items()}


def _act(one: Connector, checking: check.Checking, summary: CycleSummary, told: Progress) -> None:
    """What people did comes home, looks that are due are computed, what is to be written is sent."""
    as_of = summary.as_of
    told.doing(f"{one.name}: following what people changed")
    followed = follow.follow(one, as_of=as_of)
    summary.moved += followed.moved
    summary.diverged += followed.diverged
    summary.unknown_owners += followed.unknown_owners
    told.doing(f"{one.name}: computing the looks that are due")
    checked = checking.finish()
    summary.looks += checked.computed
    summary.verdicts += checked.verdicts
    summary.missed += checked.missed
    summary.addenda += checked.addenda
    summary.report(one.name, checked.errors)
    told.doing(f"{one.name}: delivering")
    sent = deliver.deliver(one, as_of=as_of)
    summary.delivered += sent.sent + sent.found
    summary.waiting += sent.waiting
    if sent.is_write_off and sent.waiting:
        summary.notes.append(
            f"{one.name}: writing is off, {sent.waiting} to deliver; `regelkreis connect {one.name} --write on`"
        )
    summary.report(one.name, sent.errors)


@dataclass(slots=True)
class Shown:
    """What a dry run shows: requests, or why there is none, by delivery; and what is wrong."""

    lines: list[dict[str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def preview_all() -> Shown:
    """What the outbox would send now, without sending any."""
    shown, unusable = Shown(), dict[str, str]()
    with connectors(unusable=unusable) as opened:
        for one in opened:
            for preview in deliver.preview(one):
                requests = [msgspec.to_builtins(item) for item in preview.requests] or [NO_REQUEST]
                shown.lines += [{"key": preview.delivery.key, **item, "why": preview.why} for item in requests]
                shown.errors += [f"{preview.delivery.key}: {preview.why}"] if preview.is_wrong else []
    shown.errors += unusable.values()
    return shown
