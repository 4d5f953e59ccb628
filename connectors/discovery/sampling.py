"""What a connector brings home when it is asked which fields there are: a bounded sample, field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from connectors.mapping import PlatformMapping
from improvement.records import RecordKind


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A field of the platform that a canonical field may come from.

    ``path`` is what a mapping would say (a column, a dot-walk, a field's name or id), ``names`` are the words by
    which people know its last part: element and label. ``texts`` are the sample's values in the order of its rows,
    exactly as a pull would read them; None where it is empty.
    """

    path: str
    label: str
    type: str
    names: tuple[str, ...]
    hops: int = 0
    texts: tuple[str | None, ...] = ()
    shown_as: str = ""  # how to call it where the path alone says little: “Country” (select)

    @property
    def filled(self) -> int:
        """In how many rows of the sample it has a value."""
        return sum(text is not None for text in self.texts)

    def examples(self, limit: int = 3) -> tuple[str, ...]:
        """Its most frequent values, most frequent first."""
        counts: dict[str, int] = {}
        for text in self.texts:
            if text is not None:
                counts[text] = counts.get(text, 0) + 1
        return tuple(sorted(counts, key=lambda text: (-counts[text], text))[:limit])


class SourceSample(msgspec.Struct, frozen=True, kw_only=True):
    """One source of the mapping as the platform shows it.

    ``name`` is the source's name in the mapping, ``source`` what the platform calls it (table, issue type, field).
    ``problem`` says why nothing could be read, with ``is_absent`` where it does not exist at all. ``wrong`` holds what
    stands against a path that is mapped now. ``choices`` are the platform's own stored values → labels of a field
    that a table of values translates. ``is_new``: the platform has it and the default mapping does not.
    """

    name: str
    kind: RecordKind
    source: str
    rows: int = 0
    total: int | None = None
    candidates: tuple[Candidate, ...] = ()
    wrong: Mapping[str, str] = {}
    choices: Mapping[str, Mapping[str, str]] = {}
    problem: str = ""
    mend: str = ""
    is_absent: bool = False
    is_new: bool = False
    constants: Mapping[str, str] = {}  # of a new source
    at_most: int | None = None  # where the connector reads fewer than it was asked for, however many there are

    def candidate(self, path: str) -> Candidate | None:
        """The candidate of a path, told in any case."""
        folded = path.casefold()
        return next((one for one in self.candidates if one.path.casefold() == folded), None)


@runtime_checkable
class Discovers(Protocol):
    """A connector that can be asked for its platform's fields. Not part of what every connector must keep.

    ``mapping`` is the one in force: the platform's default with the connection's own laid over it.
    """

    mapping: PlatformMapping

    def discover(self, *, sample: int) -> Sequence[SourceSample]:
        """Ask for the fields of every source, with at most ``sample`` of its newest records. Reads only."""
        ...
