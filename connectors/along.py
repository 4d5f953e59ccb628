"""Some platforms answer a question for one kind with records of others: an issue carries its clocks and its rating."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Protocol, runtime_checkable

from connectors.base import Cursor, Page
from improvement.records import RecordKind


@runtime_checkable
class BringsAlong(Protocol):
    """A connector that can hand on what came along at once, so that it need not be kept until its kind is pulled."""

    def pull_with_others(
        self, kind: RecordKind, cursors: Mapping[RecordKind, Cursor | None], *, until: datetime
    ) -> Iterator[Page]:
        """As :meth:`~connectors.base.Connector.pull` from the kind's own cursor, with what came along beside it.

        ``cursors`` are those of the kind itself and of the others that are wanted along. What is handed on in
        :attr:`~connectors.base.Page.along` must be part of what the other kind's pull from its cursor would deliver,
        and a later pull of that kind up to the same ``until`` delivers what is left, up to its end. The cursor of such
        a page tells from where a killed pull of its own kind goes on; where that is not certain, it is the given one.
        """
        ...
