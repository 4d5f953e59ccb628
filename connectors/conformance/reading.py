"""Conformance of reading: what is there, page by page, and what is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from connectors.along import BringsAlong
from connectors.base import Connector, Cursor, Page, ReadsByIds
from connectors.conformance.hooks import Hooks
from improvement.records import OUTBOUND_FIELDS, SCHEMAS, WORDS, RecordKind


class Reading(Hooks):
    """What a connector promises of records."""

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

    def test_columns_that_hold_words_of_ours_hold_no_others(self) -> None:
        """What a platform calls otherwise is translated, or rejected: no rule would ever count it."""
        for kind in self.connect().kinds():
            rows = _rows(self._pulled(kind))
            for column, words in WORDS[kind].items():
                assert {row[column] for row in rows} - {None} <= words, f"{kind.value}.{column}"

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

    def test_a_pull_from_the_last_cursor_brings_no_more_than_the_overlap(self) -> None:
        """Of what was read before, only what was updated shortly before the cursor comes again."""
        old = 0
        for kind in self.connect().kinds():
            pages = self._pulled(kind)
            if not pages:
                continue
            whole, last = _by_id(pages), pages[-1].cursor
            again = _by_id(self.connect().pull(kind, last, until=self.until))
            begin = last.updated_at - self.overlap
            stale = {id for id, row in whole.items() if row["updated_at"] is not None and row["updated_at"] < begin}
            assert len(stale & again.keys()) <= self.again
            assert all(whole.get(id) == row for id, row in again.items())
            old += len(stale)
        if not old:
            self._unproven(f"Whatever there is was updated within the overlap ({self.overlap}): let there be older.")

    def test_what_is_there_is_what_was_read(self) -> None:
        """Every record of the platform, once, and in the columns that are told what stands there."""
        expected = self.expected()
        assert set(expected) >= set(self.connect().kinds()), "a kind of which there is nothing has an empty list"
        for kind in self.connect().kinds():
            columns = list(expected[kind][0]) if expected[kind] else ["id"]
            there = Counter(tuple(row[name] for name in columns) for row in expected[kind])
            read = Counter(tuple(row[name] for name in columns) for row in _by_id(self._pulled(kind)).values())
            assert there - read == Counter(), f"{kind.value}: not read, or otherwise ({', '.join(columns)})"
            assert read - there == Counter(), f"{kind.value}: read, and not there ({', '.join(columns)})"

    def test_a_record_that_cannot_be_read_is_handed_on_and_stops_no_other(self) -> None:
        """With the reason why it cannot; it is counted with the others."""
        readable = {kind: set(_by_id(self._pulled(kind))) for kind in self.connect().kinds()}
        kind, id = self.put_bad_record()
        pages = self._pulled(kind)
        rejected = [rejected for page in pages for rejected in page.rejected if rejected.id == id]
        assert rejected
        assert all(one.kind is kind and one.reason for one in rejected)
        assert set(_by_id(pages)) == readable[kind] - {id}
        counted = self.connect().count(kind, until=self.until)
        assert counted in (None, len(_by_id(pages)) + _rejected(pages))

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
            assert counted in (None, len(_by_id(pages)) + _rejected(pages))

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

    def test_a_record_that_was_deleted_is_gone(self) -> None:
        """It is read no more, has no key any more, and is gone when it is asked for."""
        before = {kind: set(_by_id(self._pulled(kind))) for kind in self.connect().kinds()}
        kind, id = self.delete_record()
        assert id in before[kind], "it must be one that was read"
        assert set(_by_id(self._pulled(kind))) == before[kind] - {id}
        keys = self.connect().keys(kind)
        if keys is not None:
            there = sorted(before[kind] - {id})[:1]
            assert id not in keys.ids.to_pylist()
            assert self.connect().gone(kind, [*there, id]) == [id]

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


def _rows(pages: Iterable[Page]) -> list[dict[str, Any]]:
    return [row for page in pages for row in page.batch.to_pylist()]


def _by_id(pages: Iterable[Page]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in _rows(pages)}


def _rejected(pages: Iterable[Page]) -> int:
    return len(frozenset[str]().union(*(page.rejected_ids for page in pages)))
