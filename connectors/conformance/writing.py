"""Conformance of writing: each effect once, told as it is, and shown before as it is sent."""

from __future__ import annotations

from connectors.conformance.intents import (
    CHANGED,
    NOTE,
    OURS,
    Intents,
    a_creation,
    an_action,
    an_outbound,
    effect_of,
    fields_of,
    has_no_place,
    of_another,
    once,
)
from connectors.existing import Existing, ReadsExisting
from improvement.errors import WriteRefused
from improvement.records import Outbound, Receipt, RecordRef, Verb


def _told(receipt: Receipt) -> set[str]:
    return {*receipt.differences, *receipt.unwritten}


class Writing(Intents):
    """What a connector promises of writes."""

    def test_a_dry_run_writes_nothing(self) -> None:
        """It shows at least one request, and the write it shows is still to be done."""
        self._writes()
        action = an_action()
        create = a_creation(action)
        assert self.connect().preview(create, None)
        assert not self.connect().write(create, None).was_found

    def test_every_write_takes_effect_once_however_often_it_is_sent(self) -> None:
        """A second attempt, by a new process, finds the trace of the first and shows nothing in a dry run."""
        self._writes()
        action = an_action()
        created = self._twice(a_creation(action), None)
        assert created.ref.id
        assert created.ref.connection == self.connect().name
        assert created.differences == {}
        note = an_outbound(action, Verb.NOTE, "note/odd", text="Improved: 24.3 % → 16.1 %.\nمرحبا 🚑 <b>a</b>")
        for write in [*self._writings(action), note]:
            receipt = self._twice(write, created.ref)
            assert receipt.ref.id == created.ref.id
            assert receipt.differences == {}

    def test_two_notes_with_names_that_begin_alike_are_two(self) -> None:
        """``note/1`` is not found in the trace of ``note/10``."""
        self._writes()
        ref, action = self._record()
        for name in ("note/10", "note/1"):
            assert not self.connect().write(an_outbound(action, Verb.NOTE, name, text=name), ref).was_found

    def test_another_installation_has_records_and_notes_of_its_own(self) -> None:
        """Its action has the same number: neither is taken for the other's, and each finds its own again."""
        self._writes()
        action = an_action()
        create = a_creation(action)
        ours, theirs = self._twice(create, None).ref, self._twice(of_another(create), None).ref
        assert ours.id != theirs.id
        note = an_outbound(action, Verb.NOTE, "note/final", text="Improved.")
        for write, ref in ((note, ours), (of_another(note), theirs), (of_another(note), ours)):
            self._twice(write, ref)
        assert self.connect().write(create, None).ref.id == ours.id

    def test_records_are_followed_in_the_order_asked_for_and_missing_ones_are_told(self) -> None:
        """Nobody has touched them yet: they are new, without tasks and without anybody's comments."""
        self._writes()
        first, second = self._record()[0], self._record()[0]
        gone = RecordRef(connection=first.connection, mode=first.mode, id="0" * len(first.id), number="?", url="")
        states = self.connect().states([second, gone, first])
        assert [state.ref.id for state in states] == [second.id, gone.id, first.id]
        assert [state.is_missing for state in states] == [False, True, False]
        assert {state.state for state in states if not state.is_missing} == {"new"}
        assert all(comment.at.tzinfo is not None for state in states for comment in state.comments)
        assert self.connect().states([]) == []

    def test_what_is_written_stands_there_once(self) -> None:
        """Every note, file, step and link, whole; what has no place is told, and is not there."""
        self._writes()
        ref, action = self._record()
        assert self.effects(action).records == 1
        for write in self._writings(action):
            receipt = self._twice(write, ref)
            wanted = 0 if has_no_place(write, receipt) else once(write)
            assert effect_of(write, self.effects(action)) == wanted, write.verb
        assert self.effects(action).records == 1

    def test_a_step_of_ours_is_among_the_tasks(self) -> None:
        """Open, under its title; or the receipt says that there is no place for steps."""
        self._writes()
        ref, action = self._record()
        step = next(write for write in self._writings(action) if write.verb is Verb.TASK)
        receipt = self.connect().write(step, ref)
        if not has_no_place(step, receipt):
            (state,) = self.connect().states([ref])
            assert [(task.title, task.is_done) for task in state.tasks] == [(step.fields["title"], False)]

    def test_a_dry_run_shows_what_is_sent(self) -> None:
        """Every request of every write. Of a creation the first: what follows it has no address yet."""
        self._writes()
        action = an_action()
        create = a_creation(action)
        shown = self.connect().preview(create, None)
        with self.sent() as sent:
            ref = self.connect().write(create, None).ref
        assert [one.method for one in sent] == [one.method for one in shown]
        assert self.shows(shown[0], sent[0])
        for write in self._writings(action):
            shown = self.connect().preview(write, ref)
            with self.sent() as sent:
                self.connect().write(write, ref)
            assert len(sent) == len(shown), write.verb
            assert all(self.shows(*pair) for pair in zip(shown, sent, strict=True)), write.verb

    def test_what_the_platform_does_not_keep_is_told(self) -> None:
        """The receipt says it, because it was read back: as a difference, or as what has no place. What it always says
        of such a write does not count, and what was dropped is not told as written.
        """
        self._writes()
        kept = self._updated()
        with self.drop_description():
            dropped = self._updated()
        assert _told(dropped) - _told(kept)
        assert not [name for name, value in dropped.written.items() if CHANGED in value]

    def test_what_people_wrote_on_a_record_of_theirs_is_left_alone(self) -> None:
        """Optional (:class:`connectors.existing.ReadsExisting`): it is found by its address, is nobody's before it is
        adopted and ours afterwards, and an update says of its target that it was not written.
        """
        if not isinstance(self.connect(), ReadsExisting):
            return
        self._writes()
        action = an_action()
        url = self.begin_improvement(f"Begun by people {action}", "7")
        found = self._existing(url)
        assert (found.title, found.mark, found.standing.get("target")) == (f"Begun by people {action}", "", "7")
        fields = {"target": "5 %", "url": f"https://regelkreis.example/actions/{action}/"}
        update = an_outbound(action, Verb.UPDATE, "update/1", fields=fields, is_adopted=True)
        receipt = self.connect().write(update, found.ref)
        self.connect().write(an_outbound(action, Verb.NOTE, "note/adopted", text=NOTE), found.ref)
        again = self._existing(url)
        assert (again.ref.id, again.title, again.standing.get("target")) == (found.ref.id, found.title, "7")
        assert (again.mark, again.installation) == (action, OURS)
        assert "target" in receipt.unwritten

    def test_what_has_no_place_is_told(self) -> None:
        """Each field that was to be written and that, as the connector says of itself, no column takes; and none that
        one takes.
        """
        self._writes()
        action = an_action()
        fields = {**fields_of(action), "baseline": "24.3 %", "target": "17 %"}
        receipt = self.connect().write(an_outbound(action, Verb.CREATE, "create", fields=fields), None)
        said = self.connect().describe()
        assert fields.keys() & said.unresolved.keys() <= receipt.unwritten.keys()
        assert not fields.keys() & said.columns.keys() & receipt.unwritten.keys()

    def test_a_due_date_comes_home_as_it_was_written(self) -> None:
        """On the same day; or the receipt says that there is no place for it."""
        self._writes()
        action = an_action()
        receipt = self.connect().write(a_creation(action), None)
        if "due" not in receipt.unwritten:
            (state,) = self.connect().states([receipt.ref])
            assert state.due is not None
            assert state.due.isoformat() == fields_of(action)["due"]

    def test_a_write_to_a_record_that_never_was_is_refused_for_good(self) -> None:
        """Nobody may take it for delivered."""
        self._writes()
        ref, _action = self._record()
        self._all_refused(RecordRef(connection=ref.connection, mode=ref.mode, id="0" * len(ref.id), number="?", url=""))

    def test_a_record_that_was_deleted_is_missing_and_takes_nothing(self) -> None:
        """Nobody may take a write to it for delivered, and it is not made anew."""
        self._writes()
        ref, _ = self._record()
        self.delete_improvement(ref)
        (state,) = self.connect().states([ref])
        assert state.is_missing
        self._all_refused(ref)

    def test_a_note_of_ours_is_nobodys_comment(self) -> None:
        """It comes home through its receipt: among the comments it is left out, or the integration account's."""
        self._writes()
        ref, action = self._record()
        for write in self._writings(action):
            self.connect().write(write, ref)
        (state,) = self.connect().states([ref])
        assert {comment.author for comment in state.comments} <= {self.connect().describe().user}

    def test_a_comment_of_a_person_comes_home(self) -> None:
        """With its author, once, and the same each time it is read."""
        self._writes()
        ref, _ = self._record()
        account = self.comment(ref, "It is the printers.")
        (state,), (again,) = self.connect().states([ref]), self.connect().states([ref])
        us = self.connect().describe().user
        assert account != us
        assert [(one.author, one.text) for one in state.comments if one.author != us] == [
            (account, "It is the printers.")
        ]
        assert again.comments == state.comments

    # --- in common --------------------------------------------------------------------------------------------

    def _existing(self, url: str) -> Existing:
        one = self.connect()
        assert isinstance(one, ReadsExisting)
        assert one.existing("https://elsewhere.example/browse/X-1") is None
        found = one.existing(url)
        assert found is not None, f"{url} is of this site"
        return found

    def _updated(self) -> Receipt:
        """What is told of an update of a new record's description."""
        ref, action = self._record()
        fields = {**fields_of(action), "description": CHANGED}
        return self.connect().write(an_outbound(action, Verb.UPDATE, "update/1", fields=fields), ref)

    def _all_refused(self, ref: RecordRef) -> None:
        for write in self._writings(an_action()):
            try:
                receipt = self.connect().write(write, ref)
            except WriteRefused:
                continue
            assert has_no_place(write, receipt), f"{write.verb} to a record that is not there"

    def _twice(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        first = self.connect().write(outbound, ref)
        again = self.connect().write(outbound, ref)
        assert first.was_found is False or has_no_place(outbound, first)
        assert again.was_found or has_no_place(outbound, again)
        assert again.ref.id == first.ref.id
        assert self.connect().preview(outbound, ref) == []
        return first
