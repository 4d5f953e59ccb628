"""Conformance in doubt: a connection is reset while a write is on its way, and nobody knows whether it arrived."""

from __future__ import annotations

import msgspec

from connectors.conformance.intents import Intents, a_creation, an_action, effect_of, has_no_place, once
from improvement.errors import ConnectionFailed, OutcomeUnknown, StillUnknown
from improvement.records import Outbound, Receipt, RecordRef, Verb

A_MOMENT_S, AN_HOUR_S = 1.0, 3600.0


class Doubts(Intents):
    """What a connector promises of writes whose answer is lost."""

    def test_a_write_whose_answer_was_lost_is_found(self) -> None:
        """It is told as unknown after one request, and the next attempt, a moment later, finds what it left."""
        self._writes()
        for write, ref in self._each():
            receipt = self._broken(write, ref, is_after_effect=True)
            if receipt is not None:
                continue
            left = self._left(write)
            assert left in range(min(1, once(write)), once(write) + 1), write.verb  # of several links the first
            again = self.connect().write(_later(write, A_MOMENT_S), ref)
            assert again.was_found == (left == once(write)) or write.verb is Verb.UPDATE, write.verb
            assert self._left(write) == once(write), write.verb
            assert self.connect().preview(write, ref) == [], write.verb

    def test_a_write_that_was_lost_is_sent_again_once_it_is_settled(self) -> None:
        """A moment later it may still arrive: nothing is sent. An hour later it is, or a person must look."""
        self._writes()
        for write, ref in self._each():
            if write.verb in (Verb.UPDATE, Verb.LINK):  # only what is missing is sent, however often
                continue
            receipt = self._broken(write, ref, is_after_effect=False)
            if receipt is not None:
                continue
            assert self._left(write) == 0, write.verb
            assert self._waits(_later(write, A_MOMENT_S), ref), write.verb
            assert self._left(write) == 0, write.verb
            is_for_people = self._waits(_later(write, AN_HOUR_S), ref)
            assert self._left(write) == (0 if is_for_people else 1), write.verb

    def test_nobody_reads_a_secret(self) -> None:
        """Neither in what it says of itself, nor in what a dry run shows, nor in a receipt, nor in an error."""
        self._writes()
        secrets, said = self.secrets(), [repr(self.connect().describe())]
        assert all(secrets), "an empty one is none"
        for write, ref in self._each():
            said += map(repr, self.connect().preview(write, ref))
            with self.break_next(is_after_effect=True):
                try:
                    said.append(repr(self.connect().write(write, ref)))
                except ConnectionFailed as error:
                    said.append(f"{error} {error!r}")
        assert not [one for one in said for secret in secrets if secret in one]

    # --- in common --------------------------------------------------------------------------------------------

    def _each(self) -> list[tuple[Outbound, RecordRef | None]]:
        ref, action = self._record()
        return [(a_creation(an_action()), None), *((write, ref) for write in self._writings(action))]

    def _broken(self, write: Outbound, ref: RecordRef | None, *, is_after_effect: bool) -> Receipt | None:
        """The receipt of a write that has no place, else None: its connection was reset at its first request."""
        with self.break_next(is_after_effect=is_after_effect), self.sent() as sent:
            try:
                receipt = self.connect().write(write, ref)
            except OutcomeUnknown:
                pass
            except ConnectionFailed:
                assert not is_after_effect, f"{write.verb} took effect, and is told as if it had not"
            else:
                assert has_no_place(write, receipt), f"{write.verb}: no answer came, and it is told as delivered"
                return receipt
        assert len(sent) == 1, f"{write.verb}: {len(sent)} requests after one reset"
        return None

    def _left(self, write: Outbound) -> int:
        return effect_of(write, self.effects(write.action_id))

    def _waits(self, write: Outbound, ref: RecordRef | None) -> bool:
        try:
            self.connect().write(write, ref)
        except StillUnknown:
            return True
        return False


def _later(outbound: Outbound, seconds: float) -> Outbound:
    return msgspec.structs.replace(outbound, unanswered_s=seconds)
