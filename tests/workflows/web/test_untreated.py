"""The action and the review page show the untreated line beside the plain before–after figure."""

from __future__ import annotations

import pytest
from django.test import Client

from improvement.evidence.canonical import digest
from tests.workflows.web.conftest import Visit
from tests.workflows.web.stage import Stage
from workflows.models import Look, LookKind, ReviewRecord

pytestmark = pytest.mark.django_db
LINE = "4 past firings of sla that nobody acted on came to odds ratio 0.70 by themselves (2024-W30 – 2025-W29)"
LINE_DE = "4 frühere Auslösungen von sla, auf die niemand reagierte, kamen von selbst auf Odds Ratio 0,70"


@pytest.fixture
def addresses(stage: Stage) -> list[str]:
    """The pages of an action whose final look cites a line."""
    action = stage.actions["improved"]
    look = Look.objects.get(action=action, kind=LookKind.FINAL)
    told = {"untreated_text": LINE, "untreated_text_de": LINE_DE}
    look.result = {**(look.result or {}), **told}
    look.save()
    review = ReviewRecord.objects.get(look=look)
    results = {**review.document["results"], **told}
    document = {**review.document, "kind": "addendum", "addendum_to": review.code, "results": results}
    addendum = ReviewRecord.objects.create(  # a record never changes
        action=action,
        cycle_no=1,
        kind="addendum",
        document=document,
        verdict_sha256=digest(document),
        recorded_at=review.recorded_at,
    )
    return [f"/actions/{action.code}/", f"/reviews/{addendum.code}/"]


def page(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_it_follows_the_plain_figure_in_the_readers_language(addresses: list[str], as_person: Visit) -> None:
    for address in addresses:
        english = page(as_person("olga"), address)
        assert english.index("plain before–after comparison") < english.index(f"{LINE}.")
        assert f"{LINE_DE}." in page(as_person("olga", language="de"), address)


def test_a_review_from_before_shows_none(stage: Stage, as_person: Visit) -> None:
    Look.objects.update(result={"verdict": "improved", "effect_text": "odds ratio 0.5", "interval_text": "0.3 … 0.8"})
    assert "untreated" not in page(as_person("olga"), f"/actions/{stage.code('improved')}/")
