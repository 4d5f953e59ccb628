"""A platform that does not answer is told of once, by its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import pytest

from connectors.base import Cursor, Page
from improvement.errors import CredentialsRefused, Place, Unreachable
from improvement.records import Outbound, PlatformState, Receipt, RecordKind, RecordRef, Verb
from tests.workflows.build import OPENED, an_action
from tests.workflows.platform import MemoryPlatform
from workflows import cycle
from workflows.deliveries import outbox
from workflows.models import Connection, PullReport
from workflows.steps import deliver, pull
from workflows.warehouse import our_warehouse

pytestmark = pytest.mark.django_db


@dataclass
class NobodyHome(MemoryPlatform):
    """Nobody is at home."""

    tried: list[RecordKind] = field(default_factory=list)
    knocks: int = 0

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        self.tried.append(kind)
        yield from self._asked()

    def states(self, refs: Sequence[RecordRef]) -> list[PlatformState]:
        return list(self._asked())

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        self._asked()

    def _asked(self) -> NoReturn:
        self.knocks += 1
        raise Unreachable(
            "https://snow.example could not be reached: refused.",
            where=Place(connection="snow"),
            mend="Check the address, the network and the proxy.",
        )


def test_what_every_step_meets_alike_is_said_once_and_names_the_connection_once(home: Path, monday: datetime) -> None:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    summary = cycle.run_with([NobodyHome(scopes={"Mail": {0: 0.1}})], as_of=monday)
    told = (
        "connection snow: https://snow.example could not be reached: refused. Check the address, the network and the "
        "proxy."
    )
    assert [error for error in summary.errors if "reached" in error] == [told]
    assert [error for error in summary.errors if error != told] == [
        "snow: without all outage, sla, ticket records these rules wait: sla."
    ]
    assert Connection.objects.get(name="snow").last_error == told


def test_many_rules_that_wait_are_counted_in_one_line_and_named_in_the_document(home: Path, monday: datetime) -> None:
    Connection.objects.create(name="snow", platform="servicenow", integration_account="regelkreis")
    rule = (home / "rules" / "sla.yaml").read_text(encoding="utf-8")
    names = [f"sla-{number}" for number in range(1, 6)]
    for name in names:
        text = rule.replace("id: sla,", f"id: {name},")
        (home / "rules" / f"{name}.yaml").write_text(text, encoding="utf-8")
    summary = cycle.run_with([NobodyHome(scopes={"Mail": {0: 0.1}})], as_of=monday)
    assert [error for error in summary.errors if "reached" not in error] == [
        "snow: without all outage, sla, ticket records 6 rules wait: sla, sla-1, sla-2 and 3 more; `--json` names all."
    ]
    assert summary.as_dict()["rules_waiting"] == {"snow": ["sla", *names]}


def test_what_several_kinds_met_alike_is_said_once_with_all_of_them() -> None:
    kinds, said = ("ticket", "sla", "survey"), "Not looked for what is gone: there is no field “companny”."
    reports = [PullReport(kind=kind, notes=said) for kind in kinds]
    reports[1].notes += "\n12 more are asked for by the next pull."
    assert pull.PullResult("snow", reports=reports).notes == [
        f"ticket, sla, survey: {said}",
        "sla: 12 more are asked for by the next pull.",
    ]


class WrongPassword(NobodyHome):
    """Somebody is at home and does not let us in; after a few more knocks our user is locked."""

    def _asked(self) -> NoReturn:
        self.knocks += 1
        raise CredentialsRefused(
            "https://snow.example refused our password.", where=Place(connection="snow"), mend="Correct it."
        )


class EagerlyNobodyHome(NobodyHome):
    """It asks before it has an iterator to give, as a connector may that learns about its platform first."""

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        self.tried.append(kind)
        self._asked()


@pytest.mark.parametrize("platform_of", [NobodyHome, EagerlyNobodyHome, WrongPassword])
@pytest.mark.parametrize("is_ahead", [True, False], ids=["in a cycle", "pulled alone"])
def test_who_does_not_let_us_in_is_tried_once_a_pull_and_every_kind_is_told_as_not_read(
    home: Path, monday: datetime, is_ahead: bool, platform_of: type[NobodyHome]
) -> None:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    platform = platform_of(scopes={"Mail": {0: 0.1}})
    with our_warehouse() as warehouse:
        if is_ahead:
            reading = pull.Reading(platform, warehouse, as_of=monday)
            with closing(pull.Loading([reading], warehouse, as_of=monday)) as loading:
                result = pull.pull(platform, warehouse, as_of=monday, loading=loading)
        else:
            result = pull.pull(platform, warehouse, as_of=monday)
    assert platform.tried == [RecordKind.TICKET]
    assert result.missing == set(platform.kinds())
    assert len(result.errors) == 1


@pytest.fixture
def two_to_tell(home: Path) -> None:
    """Two actions whose records are on the platform, each with something to write there."""
    for title in ("Late for Acme", "Late for Globex"):
        action = an_action(None, title=title, scope_key=title)
        note = Outbound(verb=Verb.NOTE, key=f"{action.code}/note/one", action_id=action.code, text="We look at it.")
        outbox.queue(action, note, at=OPENED)


def test_a_wrong_password_is_tried_once_a_cycle_whatever_waits(two_to_tell: None, monday: datetime) -> None:
    """Jira Data Center asks for a CAPTCHA after some failed logins, and then our user is shut out for good."""
    platform = WrongPassword(scopes={"Mail": {0: 0.1}})
    summary = cycle.run_with([platform], as_of=monday)
    assert platform.knocks == 1
    assert [error for error in summary.errors if "password" in error] == [
        "connection snow: https://snow.example refused our password. Correct it."
    ]


def test_a_password_refused_while_writing_stops_the_queue(two_to_tell: None, monday: datetime) -> None:
    platform = WrongPassword(scopes={"Mail": {0: 0.1}})
    sent = deliver.deliver(platform, as_of=monday)
    assert (platform.knocks, sent.waiting, sent.refused) == (1, 2, 0)
