"""The page of an adopted record says where it came from, and that what is not measured cannot improve."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.web.conftest import Visit
from tests.workflows.web.stage import OPENED, Stage
from workflows.actions import opening
from workflows.evidence import ledger
from workflows.models import Action

pytestmark = pytest.mark.django_db


def an_adopted_action(stage: Stage, **parts: Any) -> Action:
    action = Action.objects.create(
        origin="adopted", connection="snow", scope={"customer": "Acme"}, scope_key="customer=Acme", metric="csat_mean",
        title="Better mood", state="proposed", owner=stage.people["olga"], opened_at=OPENED, last_moved_at=OPENED,
        platform_mode="cim", platform_id="id-adopted", platform_number="CIM77", platform_url="https://snow.example/77",
        trigger={
            "from_week": 1, "to_week": 8, "adopted_record": "CIM77", "adopted_opened_at": "2025-05-05T09:00:00+00:00",
        },
        **parts,
    )  # fmt: skip
    opening.log_opening(action, actor=ledger.ENGINE, at=OPENED, note="adopted CIM77")
    return action


def test_the_page_names_the_record_and_when_people_opened_it(stage: Stage, as_person: Visit) -> None:
    action = an_adopted_action(stage)
    page = as_person("olga").get(f"/actions/{action.code}/").content.decode()
    assert "Adopted" in page
    assert "opened by people on the platform on 5 May 2025" in page
    assert "Not measured." not in page
    assert "adopted CIM77" in page


def test_an_unmeasured_one_says_so_on_its_page_and_in_the_register(stage: Stage, as_person: Visit) -> None:
    unmeasured = {"unmeasured": "no metric was named for it"}
    action = an_adopted_action(stage, measurement=unmeasured)
    Action.objects.filter(pk=action.pk).update(metric="")
    page = as_person("olga").get(f"/actions/{action.code}/").content.decode()
    assert "no metric was named for it" in page
    assert f"regelkreis actions measure {action.code}" in page
    german = as_person("olga", "de").get(f"/actions/{action.code}/").content.decode()
    assert "dafür wurde keine Kennzahl genannt" in german
    assert "not measured" in as_person("olga").get("/register/?view=table").content.decode()
    refused = as_person("olga").post(f"/actions/{action.code}/submit/")
    assert "the metric is missing" in refused.content.decode()
