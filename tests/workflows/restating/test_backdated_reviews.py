"""A target dated into the past leaves a published review as it is, and adds what it would have been held against."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from improvement.review import json_schema
from tests.workflows.beginnings import Beginnings
from tests.workflows.conftest import RULE
from tests.workflows.platform import MemoryPlatform
from tests.workflows.steps.test_late_cycles import a_platform, an_action_that_is_live, ran, rewritten
from workflows.checks import reviewing
from workflows.evidence import verifying
from workflows.models import Action, LedgerEntry, ReviewRecord

pytestmark = pytest.mark.django_db


Reviewed = tuple[MemoryPlatform, ReviewRecord]


@pytest.fixture
def reviewed(home: Path, monday: datetime, beginnings: Beginnings) -> Reviewed:
    """An action that was opened in June, live in August, and whose final review is out."""

    def made() -> Reviewed:
        platform = a_platform()
        look = an_action_that_is_live(platform, monday).looks.get(kind="final")
        ran(platform, look.due_at + timedelta(days=1))
        return platform, ReviewRecord.objects.get(kind="final")

    return beginnings.begin("reviewed", home, made)


@pytest.fixture
def platform(reviewed: Reviewed) -> MemoryPlatform:
    return reviewed[0]


@pytest.fixture
def final(reviewed: Reviewed) -> ReviewRecord:
    return reviewed[1]


def dated_back(home: Path, *overrides: str) -> None:
    listed = "".join(f"    - {one}\n" for one in overrides)
    text = RULE.replace("  trigger:", f"  overrides:\n{listed}  trigger:") if overrides else RULE
    (home / "rules" / "sla.yaml").write_text(text, encoding="utf-8")


def addenda() -> list[ReviewRecord]:
    return list(ReviewRecord.objects.filter(kind="addendum").order_by("id"))


def test_a_target_of_another_metric_under_the_same_id_concerns_no_review(
    home: Path, platform: MemoryPlatform, final: ReviewRecord
) -> None:
    Action.objects.update(metric="time_to_resolve")  # opened when the rule counted that
    dated_back(home, "{when: {service: Mail}, target: {max: 2%}, from: 2025-06-02}")
    ran(platform, final.recorded_at + timedelta(weeks=1))
    entry = json.loads(bytes(LedgerEntry.objects.get(type="targets.restated").data))
    assert (entry["payload"]["open_actions"], entry["payload"]["published_reviews"]) == ([], [])
    assert addenda() == []


def test_a_published_review_gets_an_addendum_and_stays_as_it_is(
    home: Path, platform: MemoryPlatform, final: ReviewRecord
) -> None:
    before = reviewing.published(final)
    dated_back(home, "{when: {service: Mail}, target: {max: 2%}, from: 2025-06-02}")
    ran(platform, final.recorded_at + timedelta(weeks=1))
    (addendum,) = addenda()
    assert (addendum.document["addendum_to"], addendum.document["restatement_seq"]) == (final.code, 1)
    told = addendum.document["restated_targets"]
    assert {one["scope"]["service"] for one in told} == {"Mail"}
    assert {(one["old_target"], one["new_target"]) for one in told} == {("max 15%", "max 2%")}
    turned = [one["week"] for one in told if one["would_be_breaching"] != one["was_breaching"]]
    assert turned  # good weeks after the go-live, by the stricter target not good enough
    windows = final.document["results"]["windows"]
    assert windows["trigger"]["first_week"] <= min(one["week"] for one in told)
    assert max(one["week"] for one in told) <= windows["after"]["last_week"]
    assert addendum.document["verdict"] == before["verdict"] == "improved"
    assert addendum.document["results"] == before["results"]
    jsonschema.validate(reviewing.published(addendum), json_schema())
    final.refresh_from_db()
    assert reviewing.published(final)["verdict_sha256"] == before["verdict_sha256"]
    assert ReviewRecord.objects.filter(kind="look").exists()  # interim ones, which get none
    assert verifying.verify().failures == []


def test_people_read_on_the_platform_what_was_restated(
    home: Path, platform: MemoryPlatform, final: ReviewRecord
) -> None:
    dated_back(home, "{when: {service: Mail}, target: {max: 2%}, from: 2025-06-02}")
    ran(platform, final.recorded_at + timedelta(weeks=1))
    (addendum,) = addenda()
    points = len(addendum.document["restated_targets"])
    assert f"{points} would have been held against another one (max 15% → max 2%)" in reviewing.note_text(addendum)
    assert any(f"/note/addendum-{final.code.lower()}-1" in key for key in platform.effects)
    entry = json.loads(bytes(LedgerEntry.objects.get(type="targets.restated").data))["payload"]
    assert entry["open_actions"] == [Action.objects.get().code]
    assert final.code in entry["published_reviews"]
    assert addendum.code not in entry["published_reviews"]


def test_a_target_that_ends_before_the_trigger_concerns_no_review(
    home: Path, platform: MemoryPlatform, final: ReviewRecord
) -> None:
    first = date.fromisoformat(final.document["trigger"]["from"])
    dated_back(home, f"{{when: {{service: Mail}}, target: {{max: 3%}}, to: {first - timedelta(weeks=2)}}}")
    ran(platform, final.recorded_at + timedelta(weeks=1))
    entry = json.loads(bytes(LedgerEntry.objects.get(type="targets.restated").data))["payload"]
    assert entry["points"] > 0
    assert entry["published_reviews"] == []
    assert addenda() == []


def test_a_target_of_others_concerns_no_review(home: Path, platform: MemoryPlatform, final: ReviewRecord) -> None:
    dated_back(home, "{when: {service: Quiet1}, target: {max: 2%}, from: 2025-06-02}")
    ran(platform, final.recorded_at + timedelta(weeks=1))
    assert LedgerEntry.objects.filter(type="targets.restated").exists()
    assert addenda() == []


def test_taken_back_it_is_another_addendum_and_later_data_still_get_theirs(
    home: Path, platform: MemoryPlatform, final: ReviewRecord
) -> None:
    dated_back(home, "{when: {service: Mail}, target: {max: 2%}, from: 2025-06-02}")
    ran(platform, final.recorded_at + timedelta(weeks=1))
    dated_back(home)
    ran(platform, final.recorded_at + timedelta(weeks=2))
    back = addenda()[1].document
    assert {(one["old_target"], one["new_target"]) for one in back["restated_targets"]} == {("max 2%", "max 15%")}
    assert back["restated_targets"][0]["would_be_breaching"] == back["restated_targets"][0]["was_breaching"]
    rewritten(platform, final.recorded_at + timedelta(weeks=2, days=3))
    ran(platform, final.recorded_at + timedelta(weeks=3))
    assert [one.document["verdict"] for one in addenda()] == ["improved", "improved", "worse"]
    assert [one.document["restatement_seq"] for one in addenda()] == [1, 2, 3]
    assert "restated_targets" not in addenda()[2].document
    dated_back(home, "{when: {service: Mail}, target: {max: 2%}, from: 2025-06-02}")
    ran(platform, final.recorded_at + timedelta(weeks=4))
    assert addenda()[3].document["verdict"] == "worse"  # what was said last
