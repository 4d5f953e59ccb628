"""`deliveries` lists what did not arrive and why, sends a dead letter again, and gives one up."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from improvement.errors import ConnectionFailed, GuardRefused, InputError, WriteRefused
from improvement.records import Outbound, Verb
from tests.workflows.build import OPENED, an_action, an_owner
from tests.workflows.deliveries.test_deliver import Desk, raises, sent
from workflows.actions import commands
from workflows.cli.main import build
from workflows.deliveries import outbox
from workflows.models import Action, Connection, LedgerEntry

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


@pytest.fixture
def proposal(home: object) -> Action:
    """Proposed by a rule, not accepted: its record and a note wait for that."""
    made = an_action(an_owner(), is_accepted=False)
    Action.objects.update(platform_id="")
    for verb, name in ((Verb.CREATE, "create"), (Verb.NOTE, "note/one")):
        outbound = Outbound(verb=verb, key=f"{made.code}/{name}", action_id=made.code, text=name)
        outbox.queue(made, outbound, at=OPENED)
    return made


def reasons(action: Action) -> list[str]:
    return [letter["reason"] for letter in listed() if letter["action"] == action.code]


def test_each_write_that_waits_says_what_for(proposal: Action, settings: Any) -> None:
    owner = proposal.owner
    assert owner is not None
    assert reasons(proposal) == [f"nobody has accepted it yet: `regelkreis actions accept {proposal.code}`"] * 2
    commands.accept(owner, proposal.code, at=OPENED)
    assert reasons(proposal) == ["regelkreis.toml has no connection “snow” any more"] * 2
    settings.REGELKREIS = settings.REGELKREIS.model_copy(update={"connections": {"snow": object()}})
    Connection.objects.update(may_write=False)
    assert reasons(proposal) == ["writing is off: `regelkreis connect snow --write on`"] * 2
    Connection.objects.update(may_write=True)
    first, second = reasons(proposal)
    assert first == "it is sent with the next cycle"
    assert second == f"its record comes first: {proposal.code}/create"
    desk = Desk()
    desk.answers = raises(ConnectionFailed("HTTP 503."), on="create")
    sent(desk, 1)
    assert reasons(proposal)[0] == "HTTP 503. It is tried again with the next cycle."
    assert "HTTP 503." in run("list").stdout


def test_what_a_proposal_would_have_written_is_withdrawn_when_it_is_cancelled(proposal: Action) -> None:
    owner, at = proposal.owner, OPENED + timedelta(days=1)
    assert owner is not None
    keys = [f"{proposal.code}/create", f"{proposal.code}/note/one"]
    commands.cancel(owner, proposal.code, at=at, reason="not now")
    assert listed() == []
    assert "2 more will never be sent" in run("list").stderr
    over = listed("--over")
    assert [(one["key"], one["state"]) for one in over] == [(key, "withdrawn") for key in keys]
    assert {one["reason"] for one in over} == {f"{proposal.code} was cancelled before anybody accepted it"}
    entries = LedgerEntry.objects.filter(type="delivery.withdrawn", subject=proposal.code).order_by("index")
    told = [json.loads(bytes(entry.data)) for entry in entries]
    assert [(entry["payload"]["key"], entry["actor"]) for entry in told] == [(key, owner.uid) for key in keys]
    with pytest.raises(GuardRefused, match="it is cancelled"):
        commands.accept(owner, proposal.code, at=at)
    assert sent(Desk(), 2).sent == 0


def test_what_was_accepted_is_written_even_when_it_is_cancelled(proposal: Action) -> None:
    owner = proposal.owner
    assert owner is not None
    commands.accept(owner, proposal.code, at=OPENED)
    commands.cancel(owner, proposal.code, at=OPENED + timedelta(days=1), reason="not now")
    assert sent(Desk(), 2).sent == 4  # its record, the note, that it is cancelled, and how it may be closed there
    assert listed("--over") == []
