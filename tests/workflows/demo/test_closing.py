"""The demo's last page: the truth beside the verdicts, and how many of them are honest."""

from __future__ import annotations

from typing import Any

import pytest

from improvement.vocabulary import Verdict
from workflows.demo.closing import HONEST, honest, print_summary


def an_action(truth: str, verdict: str | None) -> dict[str, Any]:
    return {
        "id": "ACT-1", "scope": "customer=Acme", "metric": "sla_breach_rate", "truth": truth, "verdict": verdict,
        "state": "acting", "effect_text": "", "interval_text": "", "naive_text": "", "record": "CIM1",
        "record_url": "", "platform": "servicenow",
    }  # fmt: skip


@pytest.mark.parametrize("truth", ["placebo", "regression", "trend", "few"])
@pytest.mark.parametrize("verdict", [Verdict.IMPROVED, Verdict.WORSE])
def test_where_nothing_happened_neither_better_nor_worse_is_honest(truth: str, verdict: Verdict) -> None:
    assert verdict not in HONEST[truth]
    assert honest([an_action(truth, verdict), an_action(truth, Verdict.NO_CHANGE)]) == (1, 2)


def test_an_action_without_a_verdict_is_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    summary = {
        "tickets": 1, "records": 1, "rules": 1, "points": 1, "findings": 1, "reviews_written": 1, "loop_seconds": 1,
        "seconds": 1, "evidence": [], "evidence_ok": True, "errors": [],
        "actions": [an_action("effect", "improved"), an_action("placebo", "worse"), an_action("effect", None)],
    }  # fmt: skip
    print_summary(summary)
    assert "1 of 2 verdicts say what the truth allows." in capsys.readouterr().out
