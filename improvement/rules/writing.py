"""A first version of a rule from a few answers: commented YAML with a test that passes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from improvement import weeks
from improvement.errors import InputError, Place
from improvement.plurals import how_many
from improvement.rules.given import words_of
from improvement.rules.reach import out_of_reach, range_of
from improvement.rules.units import UnitError, number_text, parse_amount

if TYPE_CHECKING:
    from improvement.metrics.catalogue import Metric

WINDOW = 4
COMMENTS_AT = 38  # column
REFERENCE = 52
BRACES = re.compile(r"[{}]")
OWN = re.compile(r"^(?:own|worse than own)\s+(.+)$", re.IGNORECASE)
DEFAULT_BY = ("customer", "country", "service")
KINDS = ("incident", "request", "problem", "change")
PLAUSIBLE = {"customer": "Acme", "country": "CH", "service": "Mail", "supplier": "Nimbus", "priority": "2"}
FIRST_WEEK = weeks.parse_label("2024-W01")
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")  # what needs no quotes in YAML, beside WORDS
WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
GOALS = {"score": "+0.3"}  # by family, where it is no share
FIXED_WHERE: dict[str, dict[str, str]] = {  # what a metric is nearly always narrowed to
    "sla_breach_rate": {"sla.target": "resolution", "sla.agreement": "sla"},
    "time_to_respond": {"sla.target": "response", "sla.agreement": "sla"},
    "change_failure_rate": {"kind": "change"},
    "problem_age_p90": {"kind": "problem"},
    "csat_mean": {"survey.kind": "csat"},
    "nps": {"survey.kind": "nps"},
}


@dataclass(frozen=True, slots=True)
class Answers:
    """What somebody said about the rule they want.

    ``target`` is a limit in the metric's unit (``5%``, ``40h``), or ``own 30%``: so much worse than its own past.
    """

    rule_id: str
    title: str
    metric: Metric = field(repr=False)
    by: tuple[str, ...]
    target: str
    kind: str = ""
    hold: int = 2
    min_samples: int = 30
    owner: str = "service-owner"
    mode: str = "observe"

    @property
    def where(self) -> dict[str, str]:
        """Which records count."""
        fixed = FIXED_WHERE.get(self.metric.id, {})
        takes_kind = self.kind and "kind" in self.metric.where_keys and "kind" not in fixed
        return {**({"kind": self.kind} if takes_kind else {}), **fixed}


def asks_for_kind(metric: Metric) -> bool:
    """Whether the kind of ticket is a question of this metric."""
    is_settled = bool({"kind", "survey.kind"} & set(FIXED_WHERE.get(metric.id, {})))
    return "kind" in metric.where_keys and not is_settled


def default_samples(metric: Metric) -> int:
    """How many samples a value needs at first; counts and snapshots need none."""
    return 0 if metric.family == "count" or metric.is_snapshot else 30


def id_from(title: str) -> str:
    """An id made of a title: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:100] or "my-rule"


def rule_text(answers: Answers) -> str:
    """The file: a rule with comments, and a test of a good and a bad spell."""
    return "\n".join([*_rule(answers), "---", *_test(answers)]) + "\n"


def _rule(said: Answers) -> Iterator[str]:
    metric = said.metric
    yield f"# {metric.title}: {_line(metric.definition).partition('. ')[0].rstrip('.')}."
    yield "apiVersion: regelkreis/v1"
    yield "kind: Rule"
    yield "metadata:"
    yield f"  id: {_name(said.rule_id)}"
    yield f"  title: {_quoted(said.title)}"
    yield _beside(f"  owner: {_name(said.owner)}", "a role or a user; actions of this rule are theirs")
    yield "spec:"
    yield _beside(f"  mode: {said.mode}", "observe: only show · propose: a person accepts · open: by itself")
    yield f"  metric: {metric.id}"
    if said.where:
        yield f"  where: {{{', '.join(f'{key}: {value}' for key, value in said.where.items())}}}"
    yield _beside(f"  by: [{', '.join(map(_name, said.by))}]", "one series for each combination")
    yield _beside(f"  window: {WINDOW}w", "how much history one value looks at")
    yield f"  target: {_target(said)}"
    yield _beside("  # overrides:", "other targets for some scopes; the lowest level wins")
    yield "  #   - {when: {country: JP}, target: {…}, from: 2027-01-01}"
    samples = f", min_samples: {said.min_samples}" if said.min_samples else ""
    yield _beside(f"  trigger: {{for: {said.hold}w{samples}}}", "bad for so long, on at least so many records")
    yield _beside(f"  clear: {_clear(said)}", "stricter than the target, so that a finding does not flicker")
    yield "action:"
    yield f"  title: {_quoted(_title(said))}"
    if metric.family is not None:
        yield "check:"
        yield _beside(
            f"  goal: {_quoted(_goal(metric))}", "what success would be; planning tells whether it can be shown"
        )


def _beside(text: str, comment: str) -> str:
    """A line with its comment; short lines have theirs in one column."""
    return f"{text:<{COMMENTS_AT}}  # {comment}"


def _title(said: Answers) -> str:
    places = " at ".join("{" + name + "}" for name in reversed(said.by) if name in ("customer", "service"))
    rest = ", ".join("{" + name + "}" for name in said.by if name not in ("customer", "service"))
    where = " ".join(part for part in (places, f"({rest})" if rest and places else rest) if part)
    title = "{rule}" if BRACES.search(said.title) else said.title  # braces of its own name no dimension
    return f"{title}: {where}" if where else title


def _goal(metric: Metric) -> str:
    if metric.family in GOALS:
        return GOALS[metric.family]
    return "-30%" if metric.direction == "lower" else "+10%"


def _target(said: Answers) -> str:
    own = OWN.match(said.target.strip())
    if own:
        return f"{{worse_than_own: {{by: {own[1].strip()}, reference: {REFERENCE}w}}}}"
    side = "max" if said.metric.direction == "lower" else "min"
    return f"{{{side}: {said.target.strip()}}}"


def _clear(said: Answers) -> str:
    """A ratio; of scores, which have an end, a tenth of the way from the target to the best there is."""
    _, high = range_of(said.metric)
    if said.metric.is_share or said.metric.direction == "lower" or OWN.match(said.target.strip()):
        return "{ratio: 0.8, for: 4w}"
    limit = _number(said, said.target)
    return f"{{min: {number_text(max(limit, round(limit + (high - limit) / 10, 2)))}, for: 4w}}"


# --- its test ---------------------------------------------------------------------------------------------------


def _test(said: Answers) -> Iterator[str]:
    metric, lag = said.metric, said.metric.lag_weeks
    good, bad = _values(said)
    past = REFERENCE if OWN.match(said.target.strip()) else 0
    last_good = FIRST_WEEK + past + WINDOW + lag
    last_bad = last_good + WINDOW + said.hold + lag
    scope = {name: PLAUSIBLE.get(name, "Any") for name in said.by}
    of = (
        f"scope: {{{', '.join(f'{_name(name)}: {_scalar(value)}' for name, value in scope.items())}}}, "
        if scope
        else ""
    )
    label = weeks.label
    yield "# What you expect of it, on numbers you choose. `regelkreis rules test` tells where it does something else."
    yield "apiVersion: regelkreis/v1"
    yield "kind: RuleTest"
    yield f"rule: {_name(said.rule_id)}"
    yield "tests:"
    yield f"  - name: {how_many(said.hold, 'bad value fires', 'bad values fire')}"
    yield "    given:"
    yield f"      - {{weeks: {label(FIRST_WEEK)}..{label(last_good)}, {of}{_counts(metric, good, said)}}}"
    yield f"      - {{weeks: {label(last_good + 1)}..{label(last_bad)}, {of}{_counts(metric, bad, said)}}}"
    yield "    expect:"
    yield f"      - {{as_of: {label(last_good)}, finding: ok}}"
    yield f"      - {{as_of: {label(last_bad)}, finding: firing}}"


def _values(said: Answers) -> tuple[float, float]:
    """A value that keeps the target and one that breaks it, in the metric's unit."""
    metric = said.metric
    own = OWN.match(said.target.strip())
    text = own[1] if own else said.target
    number = _number(said, text)
    is_upper = metric.direction == "lower"
    if own:
        is_relative = text.strip().endswith("%")
        _must_be_in_reach(metric, number, text, is_relative=is_relative)
        return _own_values(metric, number, is_relative=is_relative)
    low, high = range_of(metric)
    if is_upper:
        return number / 2, min(number * 2 + (0 if metric.is_share and number else 1), high)
    return number + (high - number) / 2, number - (number - low) / 3


def _number(said: Answers, text: str) -> float:
    """A limit or a distance in the metric's unit, a percentage as a share."""
    try:
        amount = parse_amount(text.strip())
    except UnitError as error:
        raise InputError(error.what, where=Place(field="--target"), mend=error.mend) from error
    metric = said.metric
    number = amount.number * {"d": 24.0, "min": 1 / 60}.get(amount.unit, 1.0) if metric.unit == "h" else amount.number
    return number * 7 if metric.unit == "days" and amount.unit == "w" else number


def _own_values(metric: Metric, number: float, *, is_relative: bool) -> tuple[float, float]:
    """A past and a value beyond the tolerance of it, both inside the metric's range."""
    low, high = range_of(metric)
    worse = -metric.sign
    usual = min(0.5 if metric.is_share else 4.0 if metric.family == "score" else 100.0, high)
    limit = usual + worse * number * (usual if is_relative else 1)
    if low < limit < high:
        base = usual
    elif worse < 0:
        base = high
    else:
        base = high / (1 + 2 * number) if is_relative else low
    bad = base + worse * 1.5 * number * (base if is_relative else 1)
    return base, min(max(bad, low), high)


def _must_be_in_reach(metric: Metric, number: float, text: str, *, is_relative: bool) -> None:
    """Refuses a tolerance below which no value of the metric can fall, or above which none can rise."""
    wrong = out_of_reach(metric, number, text, is_relative=is_relative)
    if wrong is not None:
        what, mend = wrong
        raise InputError(what, where=Place(field="--target"), mend=mend)


def _counts(metric: Metric, value: float, said: Answers) -> str:
    """What a week of the test holds, in the metric's own words."""
    top, bottom = words_of(metric)
    if bottom is None:
        number = math.floor(value) if value < 1 else round(value)
        samples = f", samples: {max(said.min_samples, 1)}" if said.min_samples > number else ""
        return f"{top}: {number}{samples}"
    trials = max(said.min_samples, 40)
    if metric.family == "proportion":
        return f"{bottom}: {trials}, {top}: {round(value * trials)}"
    return f"{bottom}: {trials}, {top}: {number_text(round(value, 3))}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    """In double quotes, as JSON has it: YAML reads the same."""
    return json.dumps(_line(text), ensure_ascii=False)


def _name(text: str) -> str:
    """As it is where YAML reads it as that text, else quoted: nothing somebody answers adds keys or lines."""
    return text if PLAIN.fullmatch(text) and text.lower() not in WORDS else _quoted(text)


def _scalar(text: str) -> str:
    return f'"{text}"' if text.isdigit() else text
