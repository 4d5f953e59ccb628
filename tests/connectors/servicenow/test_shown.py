"""What people set on a record comes home by its label or name and with its author; of both sides the later counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from connectors.sandbox.testing import RunningSandbox
from improvement.records import Outbound, PlatformField, Verb

from .conftest import Connect, a_ticket, a_world
from .test_following import CREATE, Story

Serve = Callable[..., RunningSandbox]
WRITTEN = msgspec.structs.replace(
    CREATE,
    fields={"title": "Fewer breaches", "hypothesis": "A second shift", "service": "Mail", "owner": "olga.owner"},
)


@pytest.fixture
def running(serve: Serve) -> RunningSandbox:
    return serve(a_world(a_ticket()))


@pytest.fixture
def story(running: RunningSandbox, connect: Connect) -> Story:
    return Story(running, connect)


def fields(story: Story) -> dict[str, PlatformField]:
    return story.state.fields


def values(story: Story) -> dict[str, str]:
    return {name: field.value for name, field in fields(story).items()}


def test_a_record_of_ours_shows_what_we_wrote_and_what_the_platform_set_by_default(
    running: RunningSandbox, connect: Connect
) -> None:
    connector = connect(running)
    (state,) = connector.states([connector.write(WRITTEN, None).ref])
    assert {name: (field.value, field.changed_by) for name, field in state.fields.items()} == {
        "title": ("Fewer breaches", None),
        "hypothesis": ("A second shift", None),
        "service": ("Mail", None),
        "priority": ("4 - Low", None),
        "approver_group": ("", None),
        "strategies": ("", None),
        "percent_complete": ("0", None),
    }


def test_what_people_set_comes_home_with_its_author(story: Story) -> None:
    story.assess()
    other = story.admin.create("sn_cim_strategic_objective", name="Happy customers")["sys_id"]
    both = ",".join([story.admin.find("sn_cim_strategic_objective", "name=Reliable service")[0]["sys_id"], other])
    story.paul.change("sn_cim_register", story.ref.id, priority="2", strategic_objective=both)
    story.olga.change("sn_cim_register", story.ref.id, short_description="Far fewer breaches")
    found = fields(story)
    assert found["priority"] == PlatformField(value="2 - High", changed_by="paul.prover")
    assert found["strategies"] == PlatformField(value="Happy customers, Reliable service", changed_by="paul.prover")
    assert found["approver_group"] == PlatformField(value="Approvers of the story", changed_by="olga.owner")
    assert found["title"] == PlatformField(value="Far fewer breaches", changed_by="olga.owner")


def test_progress_is_that_of_its_tasks(story: Story) -> None:
    for number in (1, 2):
        task = Outbound(verb=Verb.TASK, key=f"ACT-7/task/{number}", action_id="ACT-7", fields={"title": f"{number}"})
        story.connector.write(task, story.ref)
    story.olga.change("sn_cim_task", story.admin.find("sn_cim_task", "")[0]["sys_id"], state="3")
    assert values(story)["percent_complete"] == "50"


def test_names_that_are_hidden_from_us_are_left_out_and_not_taken_for_empty(serve: Serve, connect: Connect) -> None:
    denied = {"regelkreis": ("sn_cim_strategic_objective",)}
    story = Story(serve(a_world(a_ticket()), denied=denied), connect)
    story.assess()
    assert "strategies" not in fields(story)
    assert values(story)["approver_group"] == "Approvers of the story"


def test_a_plain_task_tells_only_what_it_has(serve: Serve, connect: Connect) -> None:
    story = Story(serve(a_world(a_ticket()), cim=False), connect, fallback_modes=["task_min"])
    assert set(fields(story)) == {"title", "service", "priority"}


def test_a_later_change_here_counts_where_the_one_there_had_come_home(story: Story) -> None:
    """Due date and owner go both ways: what a person put there stays until it was read and then changed here."""
    story.paul.change("sn_cim_register", story.ref.id, due_date="2025-10-01 00:00:00")
    ours: dict[str, Any] = {"due": "2025-11-01"}
    update = Outbound(verb=Verb.UPDATE, key="ACT-7/update/1", action_id="ACT-7", fields=ours)
    unread = story.connector.write(update, story.ref)
    assert unread.unwritten == {"due": "paul.prover changed it there last"}
    read_before = msgspec.structs.replace(update, known={"due": "2025-09-01"})
    assert story.connector.write(read_before, story.ref).unwritten == unread.unwritten
    read = msgspec.structs.replace(update, known={"due": "2025-10-01"})
    assert set(story.connector.write(read, story.ref).written) == {"due_date"}
    assert story.state.due_changed_by == "regelkreis"


@pytest.mark.parametrize("there", ["olga.owner", ""])
def test_an_owner_whom_people_named_or_took_away_there_is_replaced_once_that_was_read(story: Story, there: str) -> None:
    ids = {row["user_name"]: row["sys_id"] for row in story.admin.find("sys_user", "user_nameLIKEo")}
    story.olga.change("sn_cim_register", story.ref.id, coordinator=ids["olga.owner"])
    if not there:
        story.olga.change("sn_cim_register", story.ref.id, coordinator="")
    update = Outbound(verb=Verb.UPDATE, key="ACT-7/update/1", action_id="ACT-7", fields={"owner": "paul.prover"})
    assert story.connector.write(update, story.ref).unwritten == {"owner": "olga.owner changed it there last"}
    read = msgspec.structs.replace(update, known={"owner": there})
    assert set(story.connector.write(read, story.ref).written) == {"coordinator"}
    assert story.state.owner == "paul.prover"
