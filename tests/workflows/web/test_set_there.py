"""The page of an action shows what the platform sets on its record, what was edited there, and the proposed closure."""

from __future__ import annotations

import pytest

from tests.workflows.web.conftest import Visit
from tests.workflows.web.stage import Stage
from workflows.models import Action

pytestmark = pytest.mark.django_db
SEEN = {
    "priority": "2 - High", "approver_group": "<b>Board</b>", "strategies": "Reliable service",
    "percent_complete": "50", "service": "Payments", "edited": ["service", "title"],
}  # fmt: skip


def pages(as_person: Visit, code: str) -> tuple[str, str]:
    """In English and in German."""
    english, german = (as_person("olga", language).get(f"/actions/{code}/") for language in ("en", "de"))
    return english.content.decode(), german.content.decode()


def test_what_is_set_and_edited_there_is_shown_in_both_languages(stage: Stage, as_person: Visit) -> None:
    code = stage.code("checking")
    Action.objects.filter(pk=stage.actions["checking"].pk).update(platform_seen=SEEN)
    english, german = pages(as_person, code)
    for page in (english, german):
        for value in ("2 - High", "&lt;b&gt;Board&lt;/b&gt;", "Reliable service", "Payments"):
            assert f"<bdi>{value}</bdi>" in page
    for words in ("Set on the platform", "Approver group", "Strategies", "Percent complete", "Service, Title"):
        assert words in english
    for words in ("Auf der Plattform gesetzt", "Genehmigergruppe", "Strategien", "Service, Titel"):
        assert words in german


def test_nothing_is_shown_where_nothing_is_set(stage: Stage, as_person: Visit) -> None:
    english, german = pages(as_person, stage.code("checking"))
    assert "Set on the platform" not in english
    assert "Proposed closure" not in english
    assert "Auf der Plattform gesetzt" not in german


def test_the_closure_that_is_proposed_stands_with_the_facts(stage: Stage, as_person: Visit) -> None:
    code = stage.code("closed")
    Action.objects.filter(pk=stage.actions["closed"].pk).update(verdict="no change", is_overridden=False)
    english, german = pages(as_person, code)
    assert '<dt>Proposed closure</dt><dd><bdi translate="no">Unsuccessful</bdi></dd>' in english
    assert "<dt>Vorgeschlagener Abschluss</dt>" in german
