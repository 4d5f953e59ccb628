"""How time moves what a pass counts, read from its SQL.

A record moves by the passing of time alone where an instant that is compared with the moment (or with a time τ before
it) lies between two moments, or its day is one of the days that were added. So a metric that compares another instant
tomorrow is brought up to date by it, with nothing to remember here; one that does something else with the moment is not
kept at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from improvement.metrics.signed import AT, PREFIX, TO
from improvement.records import RecordKind
from workflows.warehouse.noting import NOTED
from workflows.warehouse.schema import TABLE_OF

_BY_AT = re.compile(rf'"(\w+)" <= (?:"t\d+"\."{AT}"|\("t\d+"\."{AT}" - INTERVAL \'(\d+)\' SECOND\))')
_BY_TO = re.compile(rf'"(\w+)" <= "t\d+"\."{TO}"')
KIND_OF = {TABLE_OF[kind]: kind for kind in NOTED}


@dataclass(frozen=True, slots=True)
class Timed:
    """How a pass reads time: of which table, which instants with which τ (seconds, 0: none), and which days."""

    kind: RecordKind
    instants: frozenset[tuple[str, int]]
    days: frozenset[str]

    @classmethod
    @lru_cache(maxsize=1024)
    def of(cls, sql: str) -> Timed | None:
        """Read from a statement over signed rows; None where it does more than compare with the moment."""
        found, days = _BY_AT.findall(sql), _BY_TO.findall(sql)
        if len(found) != sql.count(f'"{AT}"') or len(days) != sql.count(f'"{TO}"'):
            return None
        table = next(name for name in KIND_OF if f'"{PREFIX}{name}"' in sql)
        instants = frozenset((name, int(seconds or 0)) for name, seconds in found)
        return cls(KIND_OF[table], instants, frozenset(days))

    @property
    def ages(self) -> set[tuple[str, int]]:
        """The instants that must be so long ago."""
        return {(name, seconds) for name, seconds in self.instants if seconds}
