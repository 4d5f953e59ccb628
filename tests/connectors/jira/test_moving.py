"""Moving an issue, request by request: localised names, missing rights, conflicts, screens that demand too much."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import responses

from connectors.config import ConnectionConfig
from connectors.jira.connector import JiraConnector
from connectors.jira.issues import ActionIssue
from connectors.jira.moving import WANTED, follow_state, platform_state
from connectors.jira.sending import LiveSender
from connectors.jira.shaping import Shaped
from connectors.jira.wire import StatusCategory, StatusValue
from improvement.errors import ConnectionFailed
from improvement.records import SUSTAINED_VERDICTS, Outbound, State, Verb, Verdict

URL = "https://acme.atlassian.net"
API = f"{URL}/rest/api/2/issue/10"
TO_DO = {"id": "1", "name": "Zu erledigen", "statusCategory": {"key": "new"}}
DOING = {"id": "3", "name": "In Arbeit", "statusCategory": {"key": "indeterminate"}}
PARKED = {"id": "4", "name": "Zurückgestellt", "statusCategory": {"key": "indeterminate"}}
DONE = {"id": "5", "name": "Erledigt", "statusCategory": {"key": "done"}}
RESOLUTIONS = [{"id": "71", "name": "Erfolglos"}, {"id": "72", "name": "Fertig"}]


def a_way(id: str, to: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": id, "name": f"Weg {id}", "to": to, "fields": fields}


def demanded(**parts: Any) -> dict[str, Any]:
    return {"required": True, "hasDefaultValue": False, **parts}


class Board:
    """One issue of a German Jira, answered by ``responses``."""

    def __init__(self, mocked: responses.RequestsMock, **settings: Any) -> None:
        config = ConnectionConfig.model_validate(
            {
                "name": "acme",
                "platform": "jira",
                "url": URL,
                "user": "rk@acme.example",
                "token": "t0ken-abc",
                **settings,
            }
        )
        self.mocked = mocked
        self.connector = JiraConnector(config)
        self.connector.__dict__["is_service_desk"] = False
        self.form = Shaped()

    def offers(self, *ways: dict[str, Any]) -> None:
        self.mocked.get(f"{API}/transitions", json={"transitions": list(ways)})

    def answers(self, status: int, body: Any = None) -> None:
        self.mocked.put(f"{API}/properties/regelkreis", json={})  # what is about to be done is noted first
        self.mocked.post(f"{API}/transitions", status=status, json=body if body is not None else {})

    def knows_us(self) -> None:
        self.mocked.get(f"{URL}/rest/api/2/myself", json={"accountId": "rk"})

    def stands_at(self, status: dict[str, Any]) -> None:
        self.mocked.get(API, json={"id": "10", "key": "CIP-1", "fields": {"status": status}})
        self.mocked.get(f"{API}/remotelink", json=[])

    def has_no_comments(self) -> None:
        self.mocked.get(f"{API}/comment", json={"comments": [], "total": 0})
        self.mocked.post(f"{API}/comment", status=201, json={"id": "9"})

    def follow(self, state: str, *, at: dict[str, Any] = TO_DO, placed: str = "proposed", **fields: Any) -> str | None:
        issue = ActionIssue("10", "CIP-1", {"status": at}, {"placed": placed}, [])
        outbound = Outbound(verb=Verb.UPDATE, key="ACT-7/u", action_id="ACT-7", fields={"state": state, **fields})
        sender = LiveSender(self.connector.client, self.connector.config)
        return follow_state(self.connector, sender, outbound, issue, self.form, frozenset)

    @property
    def sent(self) -> list[dict[str, Any]]:
        """Bodies of the writing requests, our property apart."""
        return [json.loads(call.request.body or "{}") for call in self.mocked.calls if call.request.method == "POST"]


@pytest.fixture
def mocked() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=True) as found:
        yield found


def test_a_localised_status_is_told_by_its_category(mocked: responses.RequestsMock) -> None:
    board = Board(mocked)
    board.offers(a_way("21", DONE), a_way("31", DOING))
    board.answers(204)
    assert board.follow("doing") == "doing"
    assert board.sent == [{"transition": {"id": "31"}, "fields": {}}]
    assert board.form.unwritten == {}


def test_two_statuses_of_one_category_are_told_apart_by_the_connection(mocked: responses.RequestsMock) -> None:
    board = Board(mocked, statuses={"4": "on_hold"})
    board.offers(a_way("31", DOING), a_way("41", PARKED))
    board.answers(204)
    assert board.follow(State.ON_HOLD, at=DOING, placed="doing") == "on hold"
    assert board.sent[0]["transition"] == {"id": "41"}


def test_every_state_an_action_can_have_has_its_place() -> None:
    assert set(WANTED) == set(State)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_is_resolved_as_success_or_as_none(mocked: responses.RequestsMock, verdict: Verdict) -> None:
    screen = {"resolution": demanded(allowedValues=RESOLUTIONS)}
    board = Board(mocked, resolutions={"no_success": "Erfolglos", "success": "Fertig"})
    board.offers(a_way("51", DONE, **screen))
    board.answers(204)
    board.follow(State.CLOSED, at=DOING, placed="sustaining", verdict=verdict)
    resolved_as = "72" if verdict in SUSTAINED_VERDICTS else "71"
    assert board.sent[0]["fields"] == {"resolution": {"id": resolved_as}}


def test_a_localised_resolution_needs_the_connections_word(mocked: responses.RequestsMock) -> None:
    screen = {"resolution": demanded(allowedValues=RESOLUTIONS)}
    board = Board(mocked, resolutions={"no_success": "Erfolglos", "success": "Fertig"})
    board.offers(a_way("51", DONE, **screen))
    board.answers(204)
    assert board.follow("closed", at=DOING, placed="doing", verdict=Verdict.NOT_ENOUGH_DATA) == "closed"
    assert board.sent[0]["fields"] == {"resolution": {"id": "71"}}


def test_a_screen_that_demands_what_we_cannot_give_is_no_way(mocked: responses.RequestsMock) -> None:
    board = Board(mocked)
    board.offers(a_way("31", DOING, customfield_9=demanded(name="Cost centre")))
    board.has_no_comments()
    assert board.follow("doing") == "proposed"
    assert board.form.unwritten["state"] == "no transition that we may take leads to in progress"
    assert "found no transition" in board.sent[0]["body"]


def test_an_empty_list_is_no_right_or_no_way_and_is_never_forced(mocked: responses.RequestsMock) -> None:
    board = Board(mocked)
    board.offers()
    board.has_no_comments()
    board.follow("doing")
    assert len(board.sent) == 1  # the comment


@pytest.mark.parametrize("status", [400, 403])
def test_a_refused_transition_is_flagged_and_the_rest_goes_on(mocked: responses.RequestsMock, status: int) -> None:
    board = Board(mocked)
    board.offers(a_way("31", DOING))
    board.answers(status, {"errorMessages": ["Die Bedingung ist nicht erfüllt."]})
    board.stands_at(TO_DO)
    board.knows_us()
    assert board.follow("doing") == "proposed"
    assert "Jira refused the transition “Weg 31”" in board.form.unwritten["state"]
    assert "Bedingung" in board.form.unwritten["state"]


@pytest.mark.parametrize("status", [400, 409])
def test_a_transition_that_somebody_else_made_just_now_is_ours_too(mocked: responses.RequestsMock, status: int) -> None:
    board = Board(mocked)
    board.offers(a_way("31", DOING))
    board.answers(status, {"errorMessages": ["Transition id '31' is not valid for this issue."]})
    board.stands_at(DOING)
    assert board.follow("doing") == "doing"
    assert board.form.unwritten == {}


def test_a_conflict_waits_for_the_next_delivery(mocked: responses.RequestsMock) -> None:
    board = Board(mocked)
    board.offers(a_way("31", DOING))
    board.answers(409, {"errorMessages": ["The issue was changed."]})
    board.stands_at(TO_DO)
    board.knows_us()
    with pytest.raises(ConnectionFailed, match="answered 409"):
        board.follow("doing")


def test_an_issue_that_stands_there_already_asks_nothing(mocked: responses.RequestsMock) -> None:
    assert Board(mocked).follow("doing", at=DOING, placed="proposed") == "doing"
    assert len(mocked.calls) == 0


def test_a_status_nobody_knows_counts_by_its_category_and_else_as_in_progress() -> None:
    config = ConnectionConfig.model_validate({"name": "acme", "platform": "jira", "url": URL, "token": "t0ken"})
    odd = StatusValue(id="9", name="Quarantäne", status_category=None)
    assert platform_state(odd, config) == "in_progress"
    done = StatusValue(id="9", name="Quarantäne", status_category=StatusCategory(key="done"))
    assert platform_state(done, config) == "closed"
    assert platform_state(done, config, "Declined") == "cancelled"
    said = config.model_copy(update={"statuses": {"Quarantäne": "on_hold"}})
    assert platform_state(done, said) == "on_hold"
