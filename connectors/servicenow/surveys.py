"""Scores of satisfaction surveys: the answers lie in a table of their own, one row per question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from connectors.servicenow.lookups import Lookups
from connectors.servicenow.paging import BEGINNING, Pager
from connectors.servicenow.rows import Rows, Shape
from connectors.servicenow.tables import IDS_PER_QUERY, KEYS, Instance
from improvement.errors import PermissionMissing, Place

RESULTS, METRICS = "asmt_metric_result", "asmt_metric"
BY_ID = 10 * IDS_PER_QUERY  # so many surveys are asked for by their ids; more by the span in which they were updated
FIELDS = (*KEYS, "instance", "metric", "actual_value")
NEEDED = (*((RESULTS, name) for name in FIELDS), (METRICS, "min"), (METRICS, "max"))
LEFT_OUT = "The platform leaves {} out of records, so no survey is read: all would look unanswered."
LET_READ = "Give the integration user the right to read this field."
Scale = tuple[float, float]
Answers = dict[str, dict[Scale, list[float]]]


class Scores:
    """Mean answer of each survey on its scale.

    ``actual_value`` counts with the metric's own minimum and maximum (``normalized_value`` is weighted by category);
    −1 means no answer. Where an instance asks on several scales, the one with most answers counts. Raises
    :class:`PermissionMissing` where a right on a field hides it from us.
    """

    def __init__(self, instance: Instance, lookups: Lookups, *, until: str) -> None:
        self._instance = instance
        self._lookups = lookups
        self._until = until
        self._shape = Shape.of(FIELDS)
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
        answers: Answers = defaultdict(lambda: defaultdict(list))
        left = wanted
        if len(wanted) > BY_ID:
            seen: set[str] = set()
            for page in self._of_span(updated_on):
                self._refuse_without((RESULTS, name) for name in FIELDS if name in page.left_out)
                for survey, metric, actual in zip(*(column.to_pylist() for column in page.columns[2:]), strict=True):
                    if survey in wanted:
                        seen.add(survey)
                        self._add(answers, survey, metric, actual)
            left = wanted - seen  # updated again since: their answers are asked for by id
        for row in self._instance.rows_of(RESULTS, "instance", left, "", FIELDS):
            self._refuse_without((RESULTS, name) for name in FIELDS if name not in row)
            self._add(answers, row["instance"], row["metric"], row["actual_value"])
        self._refuse_without(one for one in self._needed if one in self._lookups.left_out)
        return answers

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
