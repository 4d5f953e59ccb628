"""What every connector must keep, as tests to run against it: subclass :class:`Conformance` in a test file.

    class TestTicketDesk(Conformance):
        until = datetime(2026, 3, 9, tzinfo=UTC)

        def connect(self) -> Connector:
            return TicketDeskConnector(a_config())

pytest finds the inherited tests. They pull what there is and, unless ``may_write`` is false, write one improvement
record; run them against a test instance that nobody else changes meanwhile.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec

from connectors.along import BringsAlong
from connectors.base import Connector, Cursor, Page, ReadsByIds
from improvement.records import (
    OUTBOUND_FIELDS,
    SCHEMAS,
    Outbound,
    OutboundFile,
    Receipt,
    RecordKind,
    RecordRef,
    Verb,
)

OURS, ANOTHERS = "k7m2qd4x", "zzzzzzzz"  # installations
FILE = OutboundFile(name="review-0123456789ab.json", media_type="application/json", content=b'{"verdict":"improved"}')


class Conformance(ABC):
    """The promises of :class:`connectors.base.Connector`. ``until`` bounds every pull (aware)."""

    until: ClassVar[datetime]
    may_write: ClassVar[bool] = True

    @abstractmethod
    def connect(self) -> Connector:
        """A new connector to the same platform, as after a restart."""

    # --- reading ----------------------------------------------------------------------------------------------

    def test_it_keeps_the_protocol(self) -> None:
        """Every member is there, and name and platform say something."""
        one = self.connect()
        assert isinstance(one, Connector)
        assert one.name
        assert one.platform

    def test_it_describes_itself_and_says_how_to_mend_what_fails(self) -> None:
        """The account, the mode, where our fields go, and a remedy for each complaint."""
        found = self.connect().describe()
        assert found.platform == self.connect().platform
        assert found.user, "the integration account must be known: it never counts as a person"
        assert found.mode is None or found.modes[found.mode] == "available"
        assert set(found.columns) | set(found.unresolved) <= set(OUTBOUND_FIELDS)
        assert [finding.check for finding in found.findings if not finding.is_ok and not finding.mend] == []

    def test_pages_hold_canonical_records_not_after_the_bound(self) -> None:
        """Schema, connection, ids, times; every rejected record has its reason."""
        one = self.connect()
        assert len(set(one.kinds())) == len(one.kinds())
        for kind in one.kinds():
            pages = self._pulled(kind)
            for page in pages:
                assert page.kind is kind
                assert page.batch.schema == SCHEMAS[kind]
                assert all(rejected.id and rejected.reason for rejected in page.rejected)
            rows = _rows(pages)
            assert all(row["connection"] == one.name and row["id"] for row in rows)
            assert all(row["updated_at"] is None or row["updated_at"] <= self.until for row in rows)

    def test_two_pulls_deliver_the_same(self) -> None:
        """Nothing depends on when, or by which process, it is read."""
        for kind in self.connect().kinds():
            assert _by_id(self._pulled(kind)) == _by_id(self._pulled(kind))

    def test_a_pull_killed_after_any_page_goes_on_from_its_cursor(self) -> None:
        """What was delivered and what a new process reads from there is the whole."""
        for kind in self.connect().kinds():
            pages = self._pulled(kind)
            whole = _by_id(pages)
            for number, page in enumerate(pages, start=1):
                rest = list(self.connect().pull(kind, page.cursor, until=self.until))
                assert {**_by_id(pages[:number]), **_by_id(rest)} == whole

    def test_what_comes_along_and_what_is_left_is_the_whole(self) -> None:
        """For a connector that hands on what came along: with what its kind's pull delivers afterwards."""
        one = self.connect()
        if not isinstance(one, BringsAlong):
            return
        along: dict[RecordKind, list[Page]] = {kind: [] for kind in one.kinds()}
        cursors: dict[RecordKind, Cursor | None] = dict.fromkeys(one.kinds())
        while cursors:
            kind = next(iter(cursors))
            pages = list(one.pull_with_others(kind, cursors, until=self.until))
            assert _by_id([*along[kind], *pages]) == _by_id(self._pulled(kind))
            del cursors[kind]
            for other in (other for page in pages for other in page.along):
                assert other.kind in cursors
                assert other.batch.schema == SCHEMAS[other.kind]
                along[other.kind].append(other)

    def test_the_platforms_own_count_is_what_was_read_and_rejected(self) -> None:
        """Or the platform cannot say."""
        for kind in self.connect().kinds():
            pages = self._pulled(kind)
            counted = self.connect().count(kind, until=self.until)
            assert counted in (None, len(_by_id(pages)) + sum(len(page.rejected) for page in pages))

    # --- what is gone ------------------------------------------------------------------------------------------

    def test_the_keys_are_those_of_the_records_that_were_read(self) -> None:
        """All of them, each once, and no more than the platform counts; parts of tickets have none of their own."""
        one = self.connect()
        assert set(one.inside_tickets()) <= set(one.kinds()) - {RecordKind.TICKET}
        for kind in one.kinds():
            keys = one.keys(kind)
            if keys is None:
                continue
            assert kind not in one.inside_tickets()
            listed = keys.ids.to_pylist()
            assert len(set(listed)) == len(listed)
            assert set(listed) >= set(_by_id(self._pulled(kind)))
            assert keys.counted is None or keys.is_estimate or len(listed) >= keys.counted

    def test_only_what_is_not_there_is_gone(self) -> None:
        """Asked for by id, in a list of both."""
        for kind in self.connect().kinds():
            one = self.connect()
            if one.keys(kind) is None:
                continue
            there = sorted(_by_id(self._pulled(kind)))[:3]
            never = ["0" * len(id) for id in there[:1]]
            assert one.gone(kind, [*there, *never]) == never
            assert one.gone(kind, []) == []

    def test_records_read_by_their_ids_are_those_of_a_pull(self) -> None:
        """Optional (:class:`connectors.base.ReadsByIds`): with their parts, and nothing of what is not there."""
        one = self.connect()
        if not isinstance(one, ReadsByIds):
            return
        tickets = sorted(_by_id(self._pulled(RecordKind.TICKET)))[:3] if RecordKind.TICKET in one.kinds() else []
        for kind in one.kinds():
            pulled = _by_id(self._pulled(kind))
            if kind in one.inside_tickets():
                asked, wanted = tickets, {id: row for id, row in pulled.items() if row["ticket_id"] in tickets}
            else:
                asked = sorted(pulled)[:3]
                wanted = {id: pulled[id] for id in asked}
            never = ["0" * len(id) for id in asked[:1]]
            pages = list(one.read_by_ids(kind, [*asked, *never], until=self.until))
            assert all(page.kind is kind for page in pages)
            assert _by_id(pages) == wanted
            assert _by_id(one.read_by_ids(kind, asked, until=self.until - timedelta(days=36_500))) == {}
            assert list(one.read_by_ids(kind, [], until=self.until)) == []

    def test_a_log_of_deletions_names_ids_or_says_why_it_cannot(self) -> None:
        """Nothing that is there is named, unless it was restored; where we may not read it, how to mend it."""
        one = self.connect()
        for kind in one.kinds():
            log = one.deleted(kind, since=self.until - timedelta(days=7), until=self.until)
            if log is not None:
                assert not log.problem or (log.mend and not log.ids)
                assert all(log.ids)

    def test_breaches_are_counted_like_ours(self) -> None:
        """The platform's own count of breached clocks that began in a span is that of the records read."""
        one = self.connect()
        since = self.until - timedelta(weeks=4)
        counted = one.breaches(since=since, until=self.until)
        if counted is None:
            return
        begun = {
            row["id"]: row["created_at"]
            for row in _rows(self._pulled(RecordKind.TICKET))
            if row["created_at"] is not None
        }
        breached = [row for row in _rows(self._pulled(RecordKind.SLA)) if row["is_breached"]]
        if counted.of == "rows":
            ours = sum(since <= row["start_at"] <= self.until for row in breached if row["start_at"] is not None)
        else:
            ours = len({row["ticket_id"] for row in breached if since <= begun.get(row["ticket_id"], self.until)})
        assert counted.count == ours

    # --- writing ----------------------------------------------------------------------------------------------

    def test_a_dry_run_writes_nothing(self) -> None:
        """It shows at least one request, and the write it shows is still to be done."""
        if not self.may_write:
            return
        action = _action()
        create = _outbound(action, Verb.CREATE, "create", fields=_fields(action))
        assert self.connect().preview(create, None)
        assert not self.connect().write(create, None).was_found

    def test_every_write_takes_effect_once_however_often_it_is_sent(self) -> None:
        """A second attempt, by a new process, finds the trace of the first and shows nothing in a dry run."""
        if not self.may_write:
            return
        action = _action()
        created = self._twice(_outbound(action, Verb.CREATE, "create", fields=_fields(action)), None)
        assert created.ref.id
        assert created.ref.connection == self.connect().name
        assert created.differences == {}
        writes: list[tuple[Verb, str, dict[str, Any]]] = [
            (Verb.UPDATE, "update/1", {"fields": {**_fields(action), "description": "Far too many."}}),
            (Verb.NOTE, "note/final", {"text": "Improved: 24.3 % → 16.1 %.\nمرحبا 🚑 <b>a</b>"}),
            (Verb.ATTACH, "attach/final", {"file": FILE}),
        ]
        for verb, name, parts in writes:
            receipt = self._twice(_outbound(action, verb, name, **parts), created.ref)
            assert receipt.ref.id == created.ref.id
            assert receipt.differences == {}

    def test_two_notes_with_names_that_begin_alike_are_two(self) -> None:
        """``note/1`` is not found in the trace of ``note/10``."""
        if not self.may_write:
            return
        ref, action = self._record()
        for name in ("note/10", "note/1"):
            assert not self.connect().write(_outbound(action, Verb.NOTE, name, text=name), ref).was_found

    def test_another_installation_has_records_and_notes_of_its_own(self) -> None:
        """Its action has the same number: neither is taken for the other's, and each finds its own again."""
        if not self.may_write:
            return
        action = _action()
        create = _outbound(action, Verb.CREATE, "create", fields=_fields(action))
        ours, theirs = self._twice(create, None).ref, self._twice(_of_another(create), None).ref
        assert ours.id != theirs.id
        note = _outbound(action, Verb.NOTE, "note/final", text="Improved.")
        for write, ref in ((note, ours), (_of_another(note), theirs), (_of_another(note), ours)):
            self._twice(write, ref)
        assert self.connect().write(create, None).ref.id == ours.id

    def test_records_are_followed_in_the_order_asked_for_and_missing_ones_are_told(self) -> None:
        """Nobody has touched them yet: they are new, without tasks and without anybody's comments."""
        if not self.may_write:
            return
        first, second = self._record()[0], self._record()[0]
        gone = RecordRef(connection=first.connection, mode=first.mode, id="0" * len(first.id), number="?", url="")
        states = self.connect().states([second, gone, first])
        assert [state.ref.id for state in states] == [second.id, gone.id, first.id]
        assert [state.is_missing for state in states] == [False, True, False]
        assert {state.state for state in states if not state.is_missing} == {"new"}
        assert all(comment.at.tzinfo is not None for state in states for comment in state.comments)
        assert self.connect().states([]) == []

    # --- in common --------------------------------------------------------------------------------------------

    def _pulled(self, kind: RecordKind) -> list[Page]:
        return list(self.connect().pull(kind, None, until=self.until))

    def _record(self) -> tuple[RecordRef, str]:
        action = _action()
        create = _outbound(action, Verb.CREATE, "create", fields=_fields(action))
        return self.connect().write(create, None).ref, action

    def _twice(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        first = self.connect().write(outbound, ref)
        assert not first.was_found
        again = self.connect().write(outbound, ref)
        assert again.was_found
        assert again.ref.id == first.ref.id
        if ref is not None:
            assert self.connect().preview(outbound, ref) == []
        return first


def _action() -> str:
    return f"ACT-{secrets.token_hex(5)}"


def _outbound(action: str, verb: Verb, name: str, **parts: Any) -> Outbound:
    return Outbound(verb=verb, key=f"{action}/{name}", action_id=action, installation=OURS, **parts)


def _of_another(outbound: Outbound) -> Outbound:
    return msgspec.structs.replace(outbound, installation=ANOTHERS)


def _fields(action: str) -> dict[str, str | int | float | None]:
    return {
        "title": '=HYPERLINK("x") <b>مرحبا</b> 🚑',
        "description": "Too many.",
        "due": datetime(2030, 1, 31, tzinfo=UTC).date().isoformat(),
        "url": f"https://regelkreis.example/actions/{action}/",
    }


def _rows(pages: Iterable[Page]) -> list[dict[str, Any]]:
    return [row for page in pages for row in page.batch.to_pylist()]


def _by_id(pages: Iterable[Page]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in _rows(pages)}
