"""The page of an action says, before a look does, that its records are read otherwise than its plan froze."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.config import ConnectionConfig
from tests.workflows.web.conftest import Visit
from tests.workflows.web.stage import Stage
from workflows.actions import planning
from workflows.models import Plan

pytestmark = pytest.mark.django_db
SNOW = {"name": "snow", "platform": "servicenow", "url": "https://snow.example.com", "user": "rk", "password": "x"}
FRENCH = {"incident": {"fields": {"country": {"constant": "FR"}}}}


def read(settings: Any, **parts: Any) -> None:
    config = ConnectionConfig.model_validate({**SNOW, **parts})
    settings.REGELKREIS = settings.REGELKREIS.model_copy(update={"connections": {"snow": config}})


def frozen(stage: Stage, name: str) -> Plan:
    """The next version of its plan, as it is frozen where the connection is configured."""
    plan = Plan.objects.get(action=stage.actions[name])
    plan.pk, plan.version = None, plan.version + 1
    plan.document["data_source"]["read_by"] = planning.document(plan.action)["data_source"]["read_by"]
    plan.save(force_insert=True)
    return plan


def test_another_mapping_is_told_on_the_page_of_an_open_action(stage: Stage, as_person: Visit, settings: Any) -> None:
    read(settings)
    assert set(frozen(stage, "checking").document["data_source"]["read_by"]) == {"ticket", "sla"}
    url = f"/actions/{stage.code('checking')}/"
    assert "Read otherwise than planned." not in as_person("olga").get(url).content.decode()
    read(settings, mapping=FRENCH)
    assert "Read otherwise than planned." in as_person("olga").get(url).content.decode()
    assert "Anders gelesen als geplant." in as_person("olga", "de").get(url).content.decode()


def test_it_is_not_told_of_an_action_that_is_closed(stage: Stage, as_person: Visit, settings: Any) -> None:
    read(settings)
    plan = frozen(stage, "closed")
    read(settings, mapping=FRENCH)
    assert planning.read_otherwise(plan.action, plan) == ("ticket",)
    page = as_person("olga").get(f"/actions/{stage.code('closed')}/").content.decode()
    assert "Read otherwise than planned." not in page
