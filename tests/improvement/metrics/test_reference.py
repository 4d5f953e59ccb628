"""The catalogue says all there is to say about a metric, and the reference page says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from improvement.metrics import CATALOGUE, DIMENSIONS
from improvement.metrics.reference import page
from workflows.warehouse import sql_of

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"


def test_the_reference_page_is_that_of_the_catalogue() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m improvement.metrics.reference"


def test_all_hard_and_soft_metrics_are_there() -> None:
    assert set(CATALOGUE) == {
        "incident_count", "major_incident_count", "sla_breach_rate", "time_to_respond", "time_to_resolve",
        "reopen_rate", "reassignment_rate", "first_contact_resolution_rate", "repeat_incident_rate", "backlog_open",
        "backlog_age_p90", "change_failure_rate", "availability", "problem_age_p90", "csat_mean", "csat_low_share",
        "nps", "survey_response_rate", "contact_gap", "complaint_count", "escalation_rate", "mood_index",
    }  # fmt: skip


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_every_metric_is_fully_described(name: str) -> None:
    metric = CATALOGUE[name]
    texts = (metric.title, metric.definition, metric.unit, metric.date_basis, metric.numerator, metric.denominator)
    texts = (*texts, metric.least_sample)
    assert all(texts)
    assert metric.example
    assert metric.definition.endswith(".")
    assert metric.is_snapshot == (metric.date_basis == "end of week")
    assert set(metric.where_keys) <= {"kind", "sla.target", "sla.agreement", "survey.kind", *DIMENSIONS}
    sql = sql_of(metric)
    assert sql.startswith(("SELECT", "WITH"))
    assert "GETVARIABLE('as_of')" in sql
