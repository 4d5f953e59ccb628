"""What the rules say of single breached clocks: which count them, what they published, which findings hold them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any

from improvement import weeks
from improvement.dispositions import BreachedClock, RuleSays
from improvement.rules import Rule, Scope, SeriesKey
from improvement.rules.canonical import series_of
from workflows.complete_weeks import last_week
from workflows.models import Finding, LedgerEntry, RuleVersion
from workflows.rules.published import moment_of, of_series, readable

OVER = ("finding.resolved", "finding.ended")
OF_RULES = ("rule.applied", "rule.removed")  # earlier releases ended no finding with its rule
BREACH_METRICS = frozenset({"sla_breach_rate"})  # those whose numerator is breached clocks


@dataclass(frozen=True, slots=True)
class _Fired:
    """A finding from the first week of its trigger to the one it was resolved or ended in, None while it fires."""

    name: str
    key: SeriesKey
    first_week: int
    last_week: int | None
    counts: str = ""  # digest of the series it fired on
    is_told: bool = False  # that it is over, by an entry of its own

    def holds(self, week: int) -> bool:
        return self.first_week <= week and (self.last_week is None or week <= self.last_week)


class RulesOnClocks:
    """The rules and findings of one connection as they stood at ``as_of``; call it with a clock."""

    def __init__(self, connection: str, rules: Sequence[Rule], *, as_of: datetime) -> None:
        self._connection, self._as_of = connection, as_of
        counting = {rule.id: rule for rule in rules if rule.metric in BREACH_METRICS}
        self._rules = {rule_id: rule for rule_id, rule in counting.items() if rule_id not in self._away}
        self._known: dict[tuple[object, ...], list[tuple[str, SeriesKey, str]]] = {}

    def __call__(self, clock: BreachedClock) -> tuple[RuleSays, ...]:
        """What every rule that counts the clock, or whose finding held it, says."""
        assert clock.week is not None  # one without a week is excluded before
        found: dict[str, RuleSays] = {}
        counting: set[str] = set()  # live rules that count it now, not only by what they counted before
        for rule_id, key, scope_key in self._counting(clock):
            if rule_id in self._rules and self._rules[rule_id].key == key:
                counting.add(rule_id)
            one, before = self._says(rule_id, key, scope_key, clock.week), found.get(rule_id, RuleSays(rule_id))
            finding, judged, silent = (
                before.finding or one.finding,
                before.judged + one.judged,
                before.silent + one.silent,
            )
            found[rule_id] = RuleSays(rule_id, finding, judged=judged, silent=silent)
        return tuple(
            one for one in found.values() if one.rule_id in counting or one.finding or one.judged or one.silent
        )

    def _says(self, rule_id: str, key: SeriesKey, scope_key: str, week: int) -> RuleSays:
        fired = (one for one in self._fired[rule_id, scope_key] if one.key == key)
        finding = next((one.name for one in fired if one.holds(week)), "")
        values = [
            is_judged
            for rule in self._looking.get((rule_id, key), ())
            for last, is_judged in self._points[rule_id, rule.series_sha256, scope_key]
            if last - rule.window_weeks < week <= last
        ]
        return RuleSays(rule_id, finding, judged=sum(values), silent=len(values) - sum(values))

    def _counting(self, clock: BreachedClock) -> list[tuple[str, SeriesKey, str]]:
        """(rule, what it counts, scope) of every series that counts the clock; the same for all that are alike to
        rules."""
        values = {**clock.dimensions, "sla.target": clock.target or None, "sla.agreement": clock.agreement}
        alike = tuple(values.values())
        if alike not in self._known:
            self._known[alike] = [
                (rule_id, key, Scope.of({name: values[name] for name in key.by}).key)
                for rule_id, key in self._series
                if _meets(values, key)
            ]
        return self._known[alike]

    @cached_property
    def _series(self) -> list[tuple[str, SeriesKey]]:
        """What is counted: by the live rules, and by those that were live, or fired, and are so no more."""
        return sorted(self._looking.keys() | self._fired_series, key=lambda one: (one[0], repr(one[1])))

    @cached_property
    def _looking(self) -> Mapping[tuple[str, SeriesKey], list[Rule]]:
        """A version of every series of the live rules, and of those that were live until now: what they published of a
        week stands, whatever counts it since."""
        found = {(rule.id, rule.series_sha256): rule for rule in self._rules.values()}
        for kind, rule_id, _, payload in self._entries:
            document = self._documents.get((rule_id, payload["sha256"])) if kind == "rule.applied" else None
            if document is None or document["spec"]["metric"] not in BREACH_METRICS:
                continue
            series = series_of(document)
            if (rule_id, series) not in found and (rule := _readable(rule_id, payload["sha256"])) is not None:
                found[rule_id, series] = rule
        looking: dict[tuple[str, SeriesKey], list[Rule]] = defaultdict(list)
        for rule in found.values():
            looking[rule.id, rule.key].append(rule)
        return looking

    @cached_property
    def _entries(self) -> list[tuple[str, str, str, dict[str, Any]]]:
        """(type, rule, scope, payload) of everything that fired or was over here until now, oldest first.

        Of rules that were applied or removed, without a scope, the payload has the last week that was over then.
        """
        found = []
        rows = LedgerEntry.objects.filter(type__in=("finding.fired", *OVER, *OF_RULES)).order_by("index")
        for kind, data in rows.values_list("type", "data").iterator(chunk_size=2000):
            entry = json.loads(bytes(data))
            at = datetime.fromisoformat(entry["at"])
            if moment_of(at) > self._as_of:
                continue
            if kind in OF_RULES:
                found.append((kind, entry["subject"], "", {**entry["payload"], "week": weeks.label(last_week(at))}))
                continue
            rule_id, connection, scope_key = entry["subject"].split("/", 2)
            if connection == self._connection:
                found.append((kind, rule_id, scope_key, entry["payload"]))
        return found

    @cached_property
    def _away(self) -> set[str]:
        """The rules that were removed by then, or were not applied yet."""
        last = {rule_id: kind for kind, rule_id, _, _ in self._entries if kind in OF_RULES}
        ever = LedgerEntry.objects.filter(type="rule.applied").values_list("subject", flat=True).distinct()
        return {rule_id for rule_id in ever if last.get(rule_id) != "rule.applied"}

    @cached_property
    def _judged_to(self) -> Mapping[str, Mapping[str, int]]:
        """Rule → digest of each version that was applied until now → the last week that it can have judged by then.

        What it judged before it was removed, it had judged by then.
        """
        newest = last_week(self._as_of)
        found: dict[str, dict[str, int]] = defaultdict(dict)
        for kind, rule_id, _, payload in self._entries:
            if kind == "rule.applied":
                found[rule_id][payload["sha256"]] = newest
            elif kind == "rule.removed":
                evaluated = payload.get("last_weeks", {})  # earlier releases do not tell
                ended = weeks.parse_label(evaluated.get(self._connection, payload["week"]))
                found[rule_id] = {sha256: min(week, ended) for sha256, week in found[rule_id].items()}
        return found

    @cached_property
    def _fired_series(self) -> set[tuple[str, SeriesKey]]:
        told = ((rule_id, payload["series"]) for kind, rule_id, _, payload in self._entries if kind == "finding.fired")
        return {(rule_id, _key_of(one)) for rule_id, one in told if one["metric"] in BREACH_METRICS}

    @cached_property
    def _fired(self) -> Mapping[tuple[str, str], list[_Fired]]:
        found: dict[tuple[str, str], list[_Fired]] = defaultdict(list)
        codes = self._actions
        for kind, rule_id, scope_key, payload in self._entries:
            if kind in OF_RULES:
                self._end(found, rule_id, payload)
                continue
            of = found[rule_id, scope_key]
            if kind == "finding.fired":
                if payload["series"]["metric"] in BREACH_METRICS:
                    held = _hold_weeks(rule_id, payload["rule_sha256"])
                    first = weeks.parse_label(payload["series"]["from"]) - held
                    name = f"{rule_id} [{scope_key}]"
                    named = " ".join([name, *codes.get((rule_id, scope_key), ())])
                    counts = self._counts(rule_id, payload["rule_sha256"])
                    of.append(_Fired(named, _key_of(payload["series"]), first, None, counts))
            elif of and not of[-1].is_told:
                of[-1] = replace(of[-1], last_week=weeks.parse_label(payload["week"]), is_told=True)
        return found

    def _end(self, found: Mapping[tuple[str, str], list[_Fired]], rule_id: str, payload: Mapping[str, Any]) -> None:
        """What fires of a rule ends with it, and where another series is applied; one that is back before a week is
        over was never away.
        """
        counts = self._counts(rule_id, payload["sha256"]) if "mode" in payload else None
        week = weeks.parse_label(payload["week"])
        for (of_rule, _), of in found.items():
            if of_rule == rule_id and of and not of[-1].is_told:
                if of[-1].last_week is None and of[-1].counts != counts:
                    of[-1] = replace(of[-1], last_week=week)
                elif of[-1].last_week == week and of[-1].counts == counts:
                    of[-1] = replace(of[-1], last_week=None)

    def _counts(self, rule_id: str, sha256: str) -> str:
        """What a version counts, as a digest; '' of one that is not kept."""
        document = self._documents.get((rule_id, sha256))
        return series_of(document) if document is not None else ""

    @cached_property
    def _documents(self) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        rows = RuleVersion.objects.values_list("rule_id", "sha256", "document")
        return {(rule_id, sha256): document for rule_id, sha256, document in rows}

    @cached_property
    def _actions(self) -> dict[tuple[str, str], list[str]]:
        """The actions that were opened on findings until now."""
        rows = Finding.objects.filter(connection=self._connection, actions__isnull=False).distinct()
        return {
            (row.rule_id, row.scope_key): [
                action.code for action in row.actions.order_by("id") if moment_of(action.opened_at) <= self._as_of
            ]
            for row in rows
        }

    @cached_property
    def _points(self) -> Mapping[tuple[str, str, str], list[tuple[int, bool]]]:
        """(rule, series, scope) → (last week of the window, whether the value was compared with a target)."""
        found: dict[tuple[str, str, str], list[tuple[int, bool]]] = defaultdict(list)
        columns = ("finding__scope_key", "week", "is_breaching", "version")
        digests, newest = dict(RuleVersion.objects.values_list("pk", "sha256")), last_week(self._as_of)
        for rule in chain.from_iterable(self._looking.values()):
            judged_to = self._judged_to.get(rule.id, {})
            last = {key: judged_to.get(sha256, -1) for key, sha256 in digests.items()}
            rows = of_series(rule).filter(finding__connection=self._connection, week__lte=newest)
            for scope_key, week, is_breaching, version in rows.values_list(*columns).iterator(chunk_size=5000):
                if version is None or week <= last[version]:  # else it was looked back on later
                    found[rule.id, rule.series_sha256, scope_key].append((week, is_breaching is not None))
        return found


def _key_of(series: Mapping[str, Any]) -> SeriesKey:
    """What a finding fired on, as its entry tells."""
    return SeriesKey(series["metric"], tuple((key, tuple(of)) for key, of in series["where"]), tuple(series["by"]))


def _meets(values: Mapping[str, Any], key: SeriesKey) -> bool:
    """Whether a record meets the filter, as the metrics read it: ``(none)`` is a missing value."""
    return all((values[name] if values[name] is not None else "(none)") in allowed for name, allowed in key.where)


def _hold_weeks(rule_id: str, sha256: str) -> int:
    """Weeks from the first value that broke the target to the one it fired on."""
    rule = _readable(rule_id, sha256)
    if rule is None:  # of a version this release cannot read: the window it fired on is certain, no more
        return 0
    return (rule.for_values - 1) * rule.every_weeks


def _readable(rule_id: str, sha256: str) -> Rule | None:
    row = RuleVersion.objects.filter(rule_id=rule_id, sha256=sha256).first()
    return readable(row) if row is not None else None
