"""A dry run shows the exact requests of a write, and sends none."""

from __future__ import annotations

import json

import pytest

from improvement.records import Verb

from .conftest import FILE, Desk


def test_a_creation_is_shown_with_everything_that_follows_it(desk: Desk) -> None:
    shown = desk.connector.preview(desk.creation, None)
    base = f"{desk.running.urls[desk.flavour]}/rest/api/2"
    assert [(request.method, request.url) for request in shown] == [
        ("POST", f"{base}/issue"),
        ("PUT", f"{base}/issue/NEW/properties/regelkreis"),
        ("POST", f"{base}/issue/NEW/remotelink"),
    ]
    fields = json.loads(shown[0].body)["fields"]
    assert fields["labels"] == [desk.label, "regelkreis"]
    assert fields["issuetype"] == {"id": "10002"}
    assert all("sandbox" not in request.body for request in shown)
    assert desk.labelled() == []


def test_what_is_shown_is_what_is_sent(desk: Desk) -> None:
    """Each request of the dry run, sent as shown, is what the write itself does."""
    (creation, *_) = desk.connector.preview(desk.creation, None)
    response = desk.claudia._session.post(creation.url, data=creation.body)
    key = response.json()["key"]
    assert desk.create().was_found
    assert desk.claudia.issue(key).fields.summary == desk.fields["title"]


@pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.NOTE, Verb.ATTACH, Verb.TASK, Verb.LINK])
def test_what_follows_a_creation_that_has_not_happened_is_shown_too(desk: Desk, verb: Verb) -> None:
    write = desk.outbound(
        verb, "x", fields={**desk.fields, "title": "t"}, text="text", file=FILE, trigger_ids=("10", "11")
    )
    shown = desk.connector.preview(write, None)
    assert len(shown) == (2 if verb is Verb.LINK else 1)
    assert all("NEW" in request.url + request.body for request in shown)


def test_a_write_that_is_there_already_shows_nothing(desk: Desk) -> None:
    ref = desk.create().ref
    desk.note(ref)
    assert desk.connector.preview(desk.outbound(Verb.NOTE, "note/final", text="x"), ref) == []
    assert desk.connector.preview(desk.outbound(Verb.NOTE, "note/next", text="x"), ref)[0].method == "POST"
    assert len(desk.claudia.comments(ref.id)) == 1


def test_a_move_is_shown_with_its_transition(desk: Desk) -> None:
    ref = desk.create().ref
    shown = desk.connector.preview(desk.outbound(Verb.UPDATE, "update", fields={**desk.fields, "state": "doing"}), ref)
    assert [request.url.rpartition("/")[2] for request in shown] == ["regelkreis", "transitions", "regelkreis"]
    assert json.loads(shown[1].body)["transition"] == {"id": "121"}
    assert desk.seen(ref).fields.status.name == "To Do"


def test_a_file_is_described_and_not_printed(desk: Desk) -> None:
    ref = desk.create().ref
    (request,) = desk.connector.preview(desk.outbound(Verb.ATTACH, "attach", file=FILE), ref)
    assert json.loads(request.body)["bytes"] == len(FILE.content)
    assert "improved" not in request.body
