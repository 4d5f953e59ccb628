"""Scores of satisfaction surveys: the answers lie in a table of their own, one row per question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc

from connectors.answers import Declined
from connectors.servicenow.lookups import Lookups
from connectors.servicenow.paging import BEGINNING, Pager
from connectors.servicenow.rows import Rows, Shape
from connectors.servicenow.tables import FEW, IDS_PER_QUERY, KEYS, LET_SEE, Instance
from improvement.errors import PermissionMissing, Place

RESULTS, METRICS = "asmt_metric_result", "asmt_metric"
BY_ID = 10 * IDS_PER_QUERY  # so many surveys are asked for by their ids; more by the span in which they were updated
FIELDS = (*KEYS, "instance", "metric", "actual_value")
NEEDED = (*((RESULTS, name) for name in FIELDS), (METRICS, "min"), (METRICS, "max"))
LEFT_OUT = "The platform leaves {} out of records, so no survey is read: all would look unanswered."
LET_READ = "Give the integration user the right to read this field."
ALL_HIDDEN = "The platform hides the records of {} from us, so no survey is read: all would look unanswered."
HIDDEN = "its answers are hidden from us ({})"
MANY = 50  # surveys: where all of so many are hidden, it is no matter of single ones
Scale = tuple[float, float]
Answers = dict[str, dict[Scale, list[float]]]


class Scores:
    """Mean answer of each survey on its scale.

    ``actual_value`` counts with the metric's own minimum and maximum (``normalized_value`` is weighted by category);
    −1 means no answer. Where an instance asks on several scales, the one with most answers counts. Raises
    :class:`PermissionMissing` where a right on a field hides it from us, or one on a table all its records.

    ``unseen``: surveys of the last page whose answers are hidden, with the reason: nobody knows their score.
    """

    def __init__(self, instance: Instance, lookups: Lookups, *, until: str) -> None:
        self._instance = instance
        self._lookups = lookups
        self._until = until
        self._shape = Shape.of(FIELDS)
        self.unseen: dict[str, str] = {}
        self._hidden: dict[str, bool] = {}  # of metrics that do not come: the others are gone
        self._needed = [(table, name) for table, name in NEEDED if table == METRICS]
        for table, name in self._needed:
            lookups.need(table, name)

    def of(self, ids: pa.Array, updated_on: pa.Array, taken_at: pa.Array) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Score, scale minimum and scale maximum of some surveys; null where nobody answered."""
        taken = set(pc.drop_null(pc.if_else(pc.is_valid(taken_at), ids, pa.scalar(None, pa.string()))).to_pylist())
        answers = self._answers(taken, updated_on)
        found = [_best(answers.get(key)) if key in taken else None for key in ids.to_pylist()]
        columns = zip(*(item or (None, None, None) for item in found), strict=True)
        score, low, high = (pa.array(list(column), pa.float64()) for column in columns)
        return score, low, high

    def _answers(self, wanted: set[str], updated_on: pa.Array) -> Answers:
        """All answers of these surveys, whenever they were given: one may be answered in several sittings."""
        told: list[tuple[str, str, str]] = []  # survey, metric and value of each answer
        left = wanted
        if len(wanted) > BY_ID:
            for page in self._of_span(updated_on):
                self._refuse_without((RESULTS, name) for name in FIELDS if name in page.left_out)
                rows = zip(*(column.to_pylist() for column in page.columns[2:]), strict=True)
                told += [row for row in rows if row[0] in wanted]
            left = wanted - {survey for survey, _, _ in told}  # updated again since: asked for by id
        for row in self._instance.rows_of(RESULTS, "instance", left, "", FIELDS):
            self._refuse_without((RESULTS, name) for name in FIELDS if name not in row)
            told.append((row["instance"], row["metric"], row["actual_value"]))
        if told:
            self._lookups.learn(METRICS, {metric for _, metric, _ in told})
        self._refuse_without(one for one in self._needed if one in self._lookups.left_out)
        self._notice_hidden(wanted, told)
        answers: Answers = defaultdict(lambda: defaultdict(list))
        for survey, metric, actual in told:
            self._add(answers, survey, metric, actual)
        return answers

    def _notice_hidden(self, wanted: set[str], told: Sequence[tuple[str, str, str]]) -> None:
        """A survey that was taken has answers, and these have metrics: those that do not come may be hidden from us."""
        with_answers = {survey for survey, _, _ in told}
        without = wanted - with_answers
        measured = {survey for survey, metric, _ in told if self._lookups.row(METRICS, metric)}
        unmeasured = with_answers - measured
        self.unseen = {}
        is_counted = self._instance.is_counted(RESULTS, "instance", without) if without else False
        if is_counted or (is_counted is None and len(without) == len(wanted) >= MANY):
            self.unseen |= dict.fromkeys(self._counted(without), HIDDEN.format(RESULTS))
        asked = [(survey, metric) for survey, metric, _ in told if survey in unmeasured]
        hidden = self._hidden_among({metric for _, metric in asked})
        self.unseen |= {survey: HIDDEN.format(METRICS) for survey, metric in asked if metric in hidden}
        table = METRICS if unmeasured else RESULTS
        if len(self.unseen) == len(wanted) >= MANY and not self._shows_any(table):
            where = Place(connection=self._instance.config.name)
            raise PermissionMissing(ALL_HIDDEN.format(table), where=where, mend=LET_SEE)

    def _counted(self, surveys: set[str]) -> set[str]:
        """Those of these surveys of which answers are counted; all where the platform does not tell whose they are."""
        with suppress(Declined, PermissionMissing):
            return self._instance.counted(RESULTS, "instance", surveys) or surveys
        return surveys

    def _hidden_among(self, metrics: set[str]) -> set[str]:
        """Those of these metrics, of which none came, that the platform counts; none where it does not tell that."""
        if new := metrics - self._hidden.keys():
            with suppress(Declined, PermissionMissing):
                counted = self._instance.counted(METRICS, "sys_id", new)
                self._hidden |= {metric: metric in counted for metric in new}
        return {metric for metric in metrics if self._hidden.get(metric)}

    def _shows_any(self, table: str) -> bool:
        """Whether some of the newest or oldest records of a table are shown: then only some are hidden."""
        orders = ("ORDERBYDESCsys_updated_on", "ORDERBYsys_updated_on")
        return any(self._instance.rows(table, order, ["sys_id"], limit=FEW) for order in orders)

    def _refuse_without(self, hidden: Iterable[tuple[str, str]]) -> None:
        for table, name in hidden:
            told = LEFT_OUT.format(f"{table}.{name}")
            raise PermissionMissing(told, where=Place(connection=self._instance.config.name), mend=LET_READ)

    def _of_span(self, updated_on: pa.Array) -> Iterable[Rows]:
        """The answers of all surveys that were updated at these times."""
        span = pc.min_max(updated_on)
        low, high = span["min"].as_py(), span["max"].as_py()
        narrowing = f"instance.sys_updated_on>={low}^instance.sys_updated_on<={high}"
        return Pager(self._instance, RESULTS, self._shape, after=BEGINNING, until=self._until, narrowing=narrowing)

    def _add(self, answers: Answers, survey: str, metric: str, actual: str) -> None:
        value = _number(actual)
        row = self._lookups.row(METRICS, metric)
        low, high = _number(row.get("min", "")), _number(row.get("max", ""))
        if value is not None and value >= 0 and low is not None and high is not None and low < high:
            answers[survey][low, high].append(value)


def _best(by_scale: dict[Scale, list[float]] | None) -> tuple[float, float, float] | None:
    if not by_scale:
        return None
    scale, values = max(by_scale.items(), key=lambda item: (len(item[1]), -item[0][1], -item[0][0]))
    return sum(values) / len(values), *scale


def _number(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
