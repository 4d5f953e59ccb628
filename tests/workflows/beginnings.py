"""How several stories begin, made by the first of them and put back for the others: rows of the state, and the home.

A beginning such as six weekly cycles takes seconds, its rows and files a tenth of one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection

T = TypeVar("T")
Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Made:
    """What a story had when it began."""

    rows: Rows
    home: Path | None
    value: Any


class Beginnings:
    """The beginnings that were made, by name; ``folder`` keeps their homes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: dict[str, Made] = {}

    def begin(self, name: str, home: Path | None, make: Callable[[], T]) -> T:
        """What ``make`` gives, in the state and the home (where it has one) that it leaves behind.

        It must be the same for every story: what else it depends on belongs into the name. The value is copied.
        """
        if name not in self.made:
            value = make()
            kept = shutil.copytree(home, self.folder / str(len(self.made))) if home else None
            self.made[name] = Made(_rows(), kept, deepcopy(value))
            return value
        made = self.made[name]
        if home and made.home:
            shutil.rmtree(home)
            shutil.copytree(made.home, home)
        _put_back(made.rows)
        value_again: T = deepcopy(made.value)
        return value_again


def _rows() -> Rows:
    with connection.cursor() as cursor:
        found: Rows = {}
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found[table] = cursor.fetchall()
    return found


def _put_back(rows: Rows) -> None:
    """Add what is missing: the story has begun in an empty state, and links are held against it when it ends."""
    there = _rows()
    with connection.cursor() as cursor:
        for table, wanted in rows.items():
            missing = [row for row in wanted if row not in there[table]]
            if missing:
                marks = ", ".join(["%s"] * len(missing[0]))
                cursor.executemany(f"INSERT INTO {connection.ops.quote_name(table)} VALUES ({marks})", missing)
        for statement in connection.ops.sequence_reset_sql(no_style(), apps.get_models()):
            cursor.execute(statement)
