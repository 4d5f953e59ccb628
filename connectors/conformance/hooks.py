"""What the author of a connector tells the conformance tests of the platform, without the connector's help."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, ClassVar, NoReturn
from unittest import SkipTest

import msgspec

from connectors.base import Connector, Page
from improvement.records import PreviewRequest, RecordKind, RecordRef

Expected = Mapping[RecordKind, Sequence[Mapping[str, Any]]]


class Effects(msgspec.Struct, frozen=True, kw_only=True):
    """What stands on the platform on account of one action.

    ``records`` counts the improvement records whose title contains the action's id; all else is what hangs on them:
    texts of notes as they are kept, files by name and content, titles of tasks, ids of linked tickets.
    """

    records: int
    notes: tuple[str, ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()
    tasks: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


class Hooks(ABC):
    """A connector to a test platform, and hooks over that platform. All but :meth:`connect` are optional.

    ``until`` bounds every pull (aware). ``overlap`` is how far before its cursor a pull may begin; ``again``: so many
    older records of a kind may come once more, where it begins that long before the last record of each table.
    ``may_write``: whether improvement records may be made. ``must_be_whole``: a hook that is not given fails its tests
    instead of skipping them.
    """

    until: ClassVar[datetime]
    overlap: ClassVar[timedelta] = timedelta(hours=1)
    again: ClassVar[int] = 0
    may_write: ClassVar[bool] = True
    must_be_whole: ClassVar[bool] = False

    @abstractmethod
    def connect(self) -> Connector:
        """A new connector to the same platform, as after a restart."""

    def expected(self) -> Expected:
        """What the platform holds of every kind that is delivered, until ``until``: rows with some canonical columns.

        All rows of a kind have the same columns. Those are compared, and that no row is missing or too many.
        """
        self._lacks("expected", "what is there is not compared with what was read")

    def put_bad_record(self) -> tuple[RecordKind, str]:
        """Have a record there that cannot be read as a canonical one; its kind and id."""
        self._lacks("put_bad_record", "no record is there that cannot be read")

    def delete_record(self) -> tuple[RecordKind, str]:
        """Delete a record that was read, as people do; its kind and id."""
        self._lacks("delete_record", "nothing that was there is gone")

    def effects(self, action: str) -> Effects:
        """What stands there on account of an action, by the id that the title of its record contains."""
        self._lacks("effects", "nobody looks what a write left")

    def sent(self) -> AbstractContextManager[list[PreviewRequest]]:
        """A list that grows by every writing request that any connector sends meanwhile, with its body as text."""
        self._lacks("sent", "nobody sees what is sent")

    def break_next(self, *, is_after_effect: bool) -> AbstractContextManager[object]:
        """Reset the connection of the first writing request meanwhile, before or after it takes effect."""
        self._lacks("break_next", "no answer is ever lost")

    def drop_description(self) -> AbstractContextManager[object]:
        """Have the platform take updates meanwhile, and leave out their description without a word."""
        self._lacks("drop_description", "whatever is written is kept")

    def delete_improvement(self, ref: RecordRef) -> None:
        """Delete an improvement record, as people do."""
        self._lacks("delete_improvement", "no improvement record is ever deleted")

    def comment(self, ref: RecordRef, text: str) -> str:
        """Comment on an improvement record as a person; the person's account."""
        self._lacks("comment", "no person ever comments")

    def begin_improvement(self, title: str, target: str) -> str:
        """Begin an improvement record as people do, with a target value; the address at which they open it."""
        self._lacks("begin_improvement", "no record of people's own is ever adopted")

    def secrets(self) -> Sequence[str]:
        """Every secret of the connection, in each form in which it travels: nobody may ever read one."""
        self._lacks("secrets", "nobody looks whether one is told")

    def shows(self, shown: PreviewRequest, sent: PreviewRequest) -> bool:
        """Whether a request of a dry run is the one that was sent: by default it is the same in every part."""
        return shown == sent

    # --- in common --------------------------------------------------------------------------------------------

    def _lacks(self, hook: str, consequence: str) -> NoReturn:
        self._unproven(f"The hook {hook}() is not given: {consequence}.")

    def _unproven(self, reason: str) -> NoReturn:
        if self.must_be_whole:
            raise AssertionError(reason)
        raise SkipTest(reason)

    def _writes(self) -> None:
        if not self.may_write:
            raise SkipTest("may_write is False: nothing is written.")

    def _pulled(self, kind: RecordKind) -> list[Page]:
        return list(self.connect().pull(kind, None, until=self.until))
