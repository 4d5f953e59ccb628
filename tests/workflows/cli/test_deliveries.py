"""`deliveries` lists what did not arrive and why, sends a dead letter again, and gives one up."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from improvement.errors import InputError, WriteRefused
from improvement.records import Outbound, Verb
from tests.workflows.build import OPENED, an_action, an_owner
from tests.workflows.deliveries.test_deliver import Desk, raises, sent
from workflows.cli.main import build
from workflows.deliveries import outbox
from workflows.models import Action

pytestmark = pytest.mark.django_db
NOTES = ("note/one", "note/two")


def run(*arguments: str) -> Result:
    """One command as the local administrator; refusals are raised."""
    return CliRunner().invoke(build(), ["deliveries", *arguments], catch_exceptions=False)


def listed(*options: str) -> Any:
    return json.loads(run("list", *options, "--json").stdout)


@pytest.fixture
def action(home: object) -> Action:
    """Two notes for its record, of which a rule refused the first."""
    made = an_action(an_owner())
    for name in NOTES:
        outbound = Outbound(verb=Verb.NOTE, key=f"{made.code}/{name}", action_id=made.code, text=name)
        outbox.queue(made, outbound, at=OPENED)
    desk = Desk()
    desk.answers = raises(WriteRefused("aborted by Business Rule No robots"), on="note/one")
    sent(desk, 1)
    return made


def test_a_dead_letter_is_listed_with_its_reason_and_sent_again(action: Action) -> None:
    key = f"{action.code}/note/one"
    (letter,) = listed("--dead")
    assert (letter["key"], letter["state"], "No robots" in letter["reason"]) == (key, "dead", True)
    assert "No robots" in run("list").stdout
    assert f"{key} waits again" in run("replay", key, "--reason", "the rule spares us").stdout
    assert listed("--dead") == []
    assert [letter["state"] for letter in listed()] == ["waiting"]
    assert sent(Desk(), 2).sent == 1
    assert listed() == []


def test_a_dead_letter_is_given_up_with_a_reason(action: Action) -> None:
    key = f"{action.code}/note/one"
    assert run("discard", key).exit_code == 2  # without a reason
    assert f"{key} is discarded." in run("discard", key, "--reason", "said by telephone").stdout
    assert listed() == []
    assert sent(Desk(), 2).sent == 0


def test_a_name_that_is_none_tells_those_there_are(action: Action) -> None:
    with pytest.raises(InputError, match="There is no delivery") as caught:
        run("discard", "ACT-0/create", "--reason", "x")
    assert f"{action.code}/note/one" in caught.value.mend
