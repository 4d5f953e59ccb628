"""The review record: the verdict first and frozen, people's part appended beside it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, get_type_hints

import jsonschema
import pytest
from pydantic import BaseModel

from improvement.check.model import CheckResult, GuardResult, WindowFacts
from improvement.evidence.canonical import digest
from improvement.review import (
    SCHEMA_FILE,
    SCHEMA_VERSION,
    ReviewError,
    approvers,
    export_schema,
    fold,
    is_intact,
    json_schema,
    plain_words,
)
from improvement.review_results import Guard, Results
from improvement.review_results import WindowFacts as PublishedWindow
from improvement.vocabulary import VERDICT_WORDS, Verdict

ROOT = Path(__file__).parents[2]


def a_result(verdict: Verdict = Verdict.IMPROVED, **changes: Any) -> dict[str, Any]:
    """A check result as the check hands it over."""
    facts: dict[str, Any] = {
        "action": "ACT-7",
        "metric": "sla_breach_rate",
        "metric_version": 1,
        "verdict": verdict,
        "reason": "all_passed",
        "sentence": "Breaches fell by a third against five comparable scopes.",
        "sentence_de": "Die Verletzungen sanken um ein Drittel gegenüber fünf vergleichbaren Bereichen.",
        "kind": "final",
        "look": 13,
        "is_provisional": False,
        "effect": 0.62,
        "low": 0.48,
        "high": 0.81,
        "unit": "odds ratio",
        "effect_text": "odds ratio 0.62",
        "interval_text": "0.48 to 0.81",
        "naive_text": "−44 %",
        "goal": "-30%",
        "goal_met": True,
    }
    return CheckResult(**{**facts, **changes}).as_dict()


def an_engine_part(kind: str = "final", found: Verdict = Verdict.IMPROVED, **changes: Any) -> dict[str, Any]:
    """The engine's part of a review, as it is frozen."""
    result = a_result(found, kind=kind)
    part: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "action": "ACT-7",
        "cycle_no": 1,
        "kind": kind,
        "look_no": 13,
        "due_at": "2026-03-02T00:00:00+00:00",
        "computed_at": "2026-03-02T12:00:00+00:00",
        "rule": "incident-resolution-sla",
        "rule_sha256": "a" * 64,
        "trigger": {"value": 0.24, "target": 0.15, "n": 412, "from": "2025-10-06", "to": "2025-11-09"},
        "scope": {"country": "CH", "customer": "Acme"},
        "connection": "snow",
        "plan_sha256": "b" * 64,
        "plan_version": 1,
        "plan_frozen_at": "2025-11-20T09:00:00+00:00",
        "owner": "p-olga",
        "approved_by": ["p-adam"],
        "rolls_up_to": "",
        "approval_source": "snow:8f1",
        "implemented_on": "2025-12-01",
        "implemented_ref": "CHG0030012",
        "data_as_of": "2026-03-02T00:00:00+00:00",
        "inputs_sha256": "c" * 64,
        "restatement_seq": 0,
        "results": result,
        "verdict": found.value,
        "reason": result["reason"],
        "sentence": result["sentence"],
    }
    return {**part, **changes}


def a_missed_part() -> dict[str, Any]:
    return an_engine_part("missed", results=None, verdict="", reason="", data_as_of="", inputs_sha256="")


def an_entry(part: dict[str, Any], kind: str, **payload: Any) -> dict[str, Any]:
    """An entry that cites the verdict of the part."""
    basis = {"kind": kind, "at": "2026-03-05T10:00:00+00:00", "actor": "p-olga", "verdict_sha256": digest(part)}
    return {**basis, **payload}


def folded(part: dict[str, Any], *entries: dict[str, Any]) -> dict[str, Any]:
    return fold(part, digest(part), entries)


def test_a_fresh_record_waits_for_its_decision() -> None:
    document = folded(an_engine_part())
    assert (document["verdict"], document["decision"], document["held_at"]) == ("improved", None, "")
    assert document["verdict_sha256"] == digest(an_engine_part())


def test_a_record_of_the_first_version_names_one_approver_as_text() -> None:
    old = an_engine_part(approved_by="p-adam", trigger={"value": 0.24, "from_week": 2910, "to_week": 2914})
    assert folded(old)["approved_by"] == "p-adam"  # as it was frozen
    assert approvers(old) == approvers(an_engine_part()) == ["p-adam"]
    assert approvers(an_engine_part(approved_by="")) == []


def test_a_decision_is_shown_beside_the_verdict_and_holds_the_final_review() -> None:
    part = an_engine_part()
    document = folded(part, an_entry(part, "decision", decision="standardise"))
    assert document["decision"]["decision"] == "standardise"
    assert document["decision"]["decided_by"] == "p-olga"
    assert document["decision"]["decided_at"] == "2026-03-05T10:00:00+00:00"
    assert document["held_at"] == "2026-03-05T10:00:00+00:00"


def test_an_interim_look_is_held_when_computed_and_a_sustaining_one_when_acknowledged() -> None:
    assert folded(an_engine_part("look"))["held_at"] == "2026-03-02T12:00:00+00:00"
    part = an_engine_part("sustain")
    assert folded(part)["held_at"] == ""
    assert folded(part, an_entry(part, "acknowledgement"))["held_at"] == "2026-03-05T10:00:00+00:00"


def test_an_override_takes_two_people_and_leaves_the_verdict_visible() -> None:
    part = an_engine_part(found=Verdict.NO_CHANGE)
    document = folded(part, an_entry(part, "override", reason="The outage hid it.", second_by="p-adam"))
    assert document["verdict"] == "no change"
    assert (document["override"]["by"], document["override"]["second_by"]) == ("p-olga", "p-adam")
    for second, reason in (("p-olga", "why"), ("engine", "why"), ("p-adam", "  ")):
        with pytest.raises(ReviewError, match="override takes"):
            folded(part, an_entry(part, "override", reason=reason, second_by=second))


def test_follow_ups_are_updated_by_later_entries() -> None:
    part = an_engine_part()
    asked = an_entry(part, "follow_up", no=1, what="Train the night shift", who="p-adam", due="2026-04-01")
    done = {**asked, "done_ref": "CIMT0001007"}
    document = folded(part, asked, an_entry(part, "follow_up", no=2, what="Tell the supplier", who="", due=""), done)
    assert [(item["no"], item["done_ref"]) for item in document["follow_ups"]] == [(1, "CIMT0001007"), (2, "")]


def test_receipts_say_where_it_was_written() -> None:
    part = an_engine_part()
    receipt = {
        "kind": "receipt",
        "at": "2026-03-02T12:01:00+00:00",
        "actor": "engine",
        "key": "ACT-7/note/final-1-13",
        "record": "8f1c",
        "number": "CIM0001001",
        "mode": "cim",
        "status": 201,
        "was_found": False,
        "request_sha256": "d" * 64,
        "differences": [],
        "unwritten": [],
    }
    assert folded(part, receipt)["receipts"][0]["number"] == "CIM0001001"


def test_an_entry_that_cites_another_verdict_is_refused() -> None:
    part = an_engine_part()
    with pytest.raises(ReviewError, match="another verdict"):
        folded(part, an_entry(part, "decision", decision="stop", verdict_sha256="0" * 64))


def test_a_frozen_part_that_was_edited_is_found() -> None:
    part = an_engine_part()
    with pytest.raises(ReviewError, match="changed after it was frozen"):
        fold({**part, "look_no": 12}, digest(part), [])


def test_a_published_document_can_be_checked_by_anybody() -> None:
    part = an_engine_part()
    document = json.loads(json.dumps(folded(part, an_entry(part, "decision", decision="stop"))))
    assert is_intact(document)
    assert not is_intact({**document, "verdict": "improved, not attributable"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"verdict": "great"}, "verdict"),
        ({"verdict": "worse"}, "the results say improved"),
        ({"results": None}, "has a verdict and its results"),
        ({"kind": "missed"}, "a missed review has no verdict"),
        ({"kind": "addendum"}, "names the record it belongs to"),
        ({"due_at": "tomorrow"}, "due_at"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_malformed_part_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ReviewError, match=message):
        folded(an_engine_part(**changes))


def test_a_missed_review_is_a_record_without_a_verdict() -> None:
    document = folded(a_missed_part())
    assert (document["verdict"], document["results"]) == ("", None)
    assert "nicht binnen 14 Tagen" in plain_words(document, language="de")


def test_published_documents_fit_the_published_schema() -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    part = an_engine_part()
    validator.validate(folded(part, an_entry(part, "decision", decision="standardise")))
    validator.validate(folded(a_missed_part()))
    assert list(validator.iter_errors({**folded(part), "verdict": "great"}))


def test_the_published_schema_is_current(tmp_path: Path) -> None:
    fresh = export_schema(tmp_path)
    published = ROOT / SCHEMA_FILE
    assert published.read_text(encoding="utf-8") == fresh.read_text(encoding="utf-8"), (
        "Run: python -c 'from pathlib import Path; from improvement.review import export_schema; "
        'export_schema(Path("."))\''
    )


@pytest.mark.parametrize(
    ("found", "published"), [(CheckResult, Results), (GuardResult, Guard), (WindowFacts, PublishedWindow)]
)
def test_every_number_of_the_check_is_published_by_name(found: type, published: type[BaseModel]) -> None:
    names = {field.name for field in dataclasses.fields(found)}
    assert {{"is_provisional": "provisional"}.get(name, name) for name in names} == set(published.model_fields)


def test_the_verdicts_are_those_of_the_check() -> None:
    assert get_type_hints(CheckResult)["verdict"] is get_type_hints(Results)["verdict"] is Verdict
    assert set(VERDICT_WORDS) == set(Verdict)


def test_a_work_note_says_it_in_plain_english() -> None:
    document = folded(an_engine_part())
    assert plain_words(document).splitlines() == [
        "ACT-7: Final look, 13 weeks after go-live.",
        "Verdict: improved.",
        "Measured effect: odds ratio 0.62; interval: 0.48 to 0.81.",
        "Goal: -30%, reached.",
        "A plain before–after comparison would have claimed: −44 %.",
        "Breaches fell by a third against five comparable scopes.",
        "Next: the owner decides, standardise, adjust or stop.",
        f"Plan {'b' * 12}, verdict {document['verdict_sha256'][:12]} (SHA-256).",
    ]


@pytest.mark.parametrize(
    ("language", "heading"),
    [("en", "ACT-7: Final look, 1 week after go-live."), ("de", "ACT-7: Letzter Blick, 1 Woche nach dem Go-live.")],
)
def test_a_work_note_tells_one_week_as_one(language: str, heading: str) -> None:
    document = {**folded(an_engine_part()), "look_no": 1}
    assert plain_words(document, language=language).splitlines()[0] == heading


def test_a_work_note_says_it_in_plain_german() -> None:
    found = a_result(
        Verdict.NO_CHANGE,
        effect_text="−19.7 percentage points (odds ratio 0.36, −50 in all)",
        interval_text="odds ratio 0.22 … 0.61",
        naive_text="24.0 % → 3.0 % (−87 %)",
    )
    text = plain_words(an_engine_part(results=found, verdict="no change"), language="de")
    assert "Befund: keine Veränderung." in text
    assert (
        "Gemessene Wirkung: −19,7 Prozentpunkte (Odds Ratio 0,36, −50 insgesamt); Intervall: Odds Ratio 0,22 … 0,61."
    ) in text
    assert "hätte behauptet: 24,0 % → 3,0 % (−87 %)." in text
    assert "Die Verletzungen sanken" in text
    assert "anpassen oder beenden" in text
    assert "zum Standard machen" not in text


def test_late_work_is_called_late() -> None:
    assert "late work is never credited" in plain_words(an_engine_part(is_late=True))


def test_a_look_without_numbers_invents_none() -> None:
    bare = a_result(Verdict.NOT_COMPUTED, effect=None, low=None, high=None, effect_text="", interval_text="")
    bare = {**bare, "naive_text": "", "goal_met": None}
    text = plain_words(an_engine_part(results=bare, verdict="not computed"))
    assert "Measured effect" not in text
    assert "Verdict: not computed." in text
