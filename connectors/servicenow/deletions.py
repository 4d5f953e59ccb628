"""What is no longer on an instance: its own log of deletions, the keys of all that is there, and single questions.

``sys_audit_delete`` notes deletions, except in tables that opted out (``no_audit_delete``), by the table cleaner and by
archiving; it keeps the entry of a record that was restored. So the log names candidates, the list of keys finds the
rest, and whatever either says, each record is asked for by its id before anybody takes it for gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from connectors.base import DeleteLog, Gone, Keys
from connectors.servicenow.filters import repeated
from connectors.servicenow.paging import LAST_ID, Pager, number
from connectors.servicenow.plan import Plan
from connectors.servicenow.rows import Position, Rows, Shape
from connectors.servicenow.tables import IDS_PER_QUERY, Instance, stored
from improvement.errors import PermissionMissing

LOG = "sys_audit_delete"
LOG_FIELDS = ("sys_id", "sys_updated_on", "tablename", "documentkey")
KEYS_PER_PAGE = 10_000  # 48 bytes each: what an instance gives at most at once
OVERLAP = timedelta(hours=1)  # entries of long transactions become visible late
MEND_LOG = f"Let the integration user read {LOG}; until then deletions are found by listing keys, see the how-to."


class Deletions:
    """Deleted records of one instance. The log is read once for all kinds of a pull."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._span: tuple[datetime, datetime] | None = None
        self._logged: dict[str, list[str]] = {}
        self._problem = ""
        self._classes: dict[str, list[str]] = {}

    def logged(self, plans: Sequence[Plan], every: Sequence[Plan], *, since: datetime, until: datetime) -> DeleteLog:
        """What the log says about the tables of some plans; ``every`` are those that one reading is to serve."""
        if self._span != (since, until):
            self._read_log(self._tables(every), since, until)
            self._span = (since, until)
        if self._problem:
            return DeleteLog(problem=self._problem, mend=MEND_LOG)
        return DeleteLog(ids=tuple(id for table in self._tables(plans) for id in self._logged.get(table, ())))

    def keys(self, plans: Sequence[Plan]) -> Keys:
        """The sys_ids of all rows of these plans. Rows that come or go meanwhile excuse a difference to the count."""
        before = self.count(plans, "")
        ids = [page for plan in plans for page in keys_of(self._instance, plan)]
        counted = min(before, self.count(plans, ""))
        return Keys(ids=pc.unique(pa.chunked_array(ids, pa.string())), counted=counted)

    def gone(self, plans: Sequence[Plan], ids: Sequence[str]) -> Gone:
        """Those that the platform itself counts no more; its counts include what is hidden from us.

        Those are ``outside`` that match no filter any more, or are of a table whose source is switched off.
        """
        found = self._uncounted(plans, ids)
        deleted = set(self._deleted(plans, found)) if found else set()
        return Gone(found, outside=[id for id in found if id not in deleted])

    def count(self, plans: Iterable[Plan], condition: str) -> int:
        """How many rows of these plans meet a condition; the mapping's ``^NQ`` groups are repeated with it."""
        total = 0
        for plan in plans:
            total += self._instance.count(plan.source.source, repeated([condition], plan.source.filter))
        return total

    def _deleted(self, plans: Sequence[Plan], ids: Sequence[str]) -> list[str]:
        """Those that no filter hides either: counted in the tables that theirs extend, else in their own."""
        unfiltered = [replace(plan, source=plan.source.model_copy(update={"filter": ""})) for plan in plans]
        roots = {self._instance.lineage(plan.source.source)[-1]: plan for plan in unfiltered}
        widest = [replace(plan, source=plan.source.model_copy(update={"source": name})) for name, plan in roots.items()]
        try:
            return self._uncounted(widest, ids)
        except PermissionMissing:
            return self._uncounted(unfiltered, ids)

    def _uncounted(self, plans: Sequence[Plan], ids: Sequence[str]) -> list[str]:
        found: list[str] = []
        for start in range(0, len(ids), IDS_PER_QUERY):
            found += self._gone(plans, list(ids[start : start + IDS_PER_QUERY]))
        return found

    def _gone(self, plans: Sequence[Plan], ids: list[str]) -> list[str]:
        left = self.count(plans, f"sys_idIN{','.join(ids)}")
        if left == 0:
            return ids
        if left >= len(ids):
            return []
        middle = len(ids) // 2
        return [*self._gone(plans, ids[:middle]), *self._gone(plans, ids[middle:])]

    def _read_log(self, tables: list[str], since: datetime, until: datetime) -> None:
        self._logged, self._problem = {}, ""
        first, last = stored(since - OVERLAP), stored(until)
        narrowing = f"tablenameIN{','.join(tables)}"
        pages = Pager(self._instance, LOG, Shape.of(LOG_FIELDS), after=Position(first), until=last, narrowing=narrowing)
        count = 0
        try:
            for page in pages:
                count += len(page)
                for table, key in zip(*(column.to_pylist() for column in page.columns[2:]), strict=True):
                    self._logged.setdefault(table, []).append(key)
            if not count:  # an access control may hide the entries without a word
                span = f"sys_updated_on>={first}^sys_updated_on<={last}^{narrowing}"
                hidden = self._instance.count(LOG, span)
                self._problem = f"the {hidden} newest entries of {LOG} are hidden from us" if hidden else ""
        except PermissionMissing as error:
            self._problem = error.what

    def _tables(self, plans: Sequence[Plan]) -> list[str]:
        """The tables of these plans and those that extend them: an entry names the class of the record."""
        tables = dict.fromkeys(plan.source.source for plan in plans)
        missing = [table for table in tables if table not in self._classes]
        for table in missing:
            self._classes[table] = self._family(table)
        return list(dict.fromkeys(member for table in tables for member in self._classes[table]))

    def _family(self, table: str) -> list[str]:
        family, level = [table], [table]
        while level:
            query = f"super_class.nameIN{','.join(level)}"
            found = [row["name"] for row in self._instance.rows("sys_db_object", query, ("name",))]
            level = [name for name in found if name not in family]
            family += level
        return family


class KeyPager(Pager):
    """The sys_ids of one table in their own order: one column by its primary key, the cheapest list there is."""

    def __init__(self, instance: Instance, plan: Plan) -> None:
        shape = Shape.of(())
        super().__init__(
            instance,
            plan.source.source,
            Shape(("sys_id",), shape.options),
            after=Position("", ""),
            until="",
            narrowing=plan.source.filter,
        )
        self.limit = self.largest = KEYS_PER_PAGE

    def _query(self, bound: Position | None) -> str:
        beyond = f"sys_id>{self.position.sys_id}" if self.position.sys_id else "sys_idISNOTEMPTY"
        span = f"{beyond}^sys_id<={bound.sys_id}" if bound is not None else beyond
        return repeated([span], self.narrowing) + "^ORDERBYsys_id"

    def _length(self, begin: Position, bound: Position | None) -> int:
        return number("", bound.sys_id if bound is not None else LAST_ID) - number("", begin.sys_id)

    def _bound(self, length: int) -> Position | None:
        at = number("", self.position.sys_id) + length
        return Position("-", f"{at:032x}") if at < number("", LAST_ID) else None

    def _behind(self, bound: Position) -> Position:
        return bound

    def _place(self, rows: Rows) -> Position:
        return Position("-", rows.columns[0][len(rows) - 1].as_py())

    def _beyond(self, rows: Rows) -> Rows:
        ids = rows.columns[0]
        return Rows((ids.filter(pc.greater(ids, self.position.sys_id)),)) if len(rows) else rows


def keys_of(instance: Instance, plan: Plan) -> Iterator[pa.Array]:
    """The sys_ids of one plan's rows, page by page."""
    for rows in KeyPager(instance, plan):
        yield rows.columns[0]
