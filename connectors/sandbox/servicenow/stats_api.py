"""The Aggregate API: ``/api/now/stats/{table}`` with count, sums, averages, extremes, grouping and its condition."""

from __future__ import annotations

import operator as op
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from aiohttp import web

from connectors.sandbox.servicenow.errors import json_response
from connectors.sandbox.servicenow.instance import Get
from connectors.sandbox.servicenow.pairs import query_of
from connectors.sandbox.servicenow.selecting import matching, select
from connectors.sandbox.servicenow.table_api import TableApi
from connectors.sandbox.store import Row, Table
from connectors.sandbox.users import Account

Reduce = Callable[[Sequence[float]], float]
NUMERIC: dict[str, Reduce] = {"avg": lambda values: sum(values) / len(values), "sum": sum}
_REDUCED: dict[str, Reduce] = {**NUMERIC, "min": min, "max": max}
_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "=": op.eq, "!=": op.ne, ">": op.gt, ">=": op.ge, "<": op.lt, "<=": op.le
}  # fmt: skip
#: ``aggregate^field^operator^value``; what is none is ignored, as other conditions are.
_HAVING = re.compile(
    r"(?P<aggregate>count|avg|sum|min|max)\^(?P<field>[a-z0-9_.]+)\^(?P<operator>!=|[<>]=?|=)\^(?P<value>-?\d+(\.\d+)?)",
    re.IGNORECASE,
)
TEXTUAL: dict[str, Callable[[Iterable[str]], str]] = {"min": min, "max": max}


class StatsApi:
    """Handler of the Aggregate API. Counts include rows hidden from the user, as the platform's do."""

    def __init__(self, tables: TableApi) -> None:
        self.tables = tables
        self.instance = tables.instance

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """One route, in both versions."""
        for root in ("/api/now/stats", "/api/now/v1/stats"):
            yield web.get(f"{root}/{{table}}", self.tables.guarded(self.aggregate))

    async def aggregate(self, request: web.Request, account: Account) -> web.Response:
        """``GET /stats/{table}``."""
        name = self.tables.readable_table(request, account)
        query = query_of(self.instance, name, request)
        asker = self.tables.asker(account)
        groups = _names(request, "sysparm_group_by")
        if not groups and not any(_names(request, f"sysparm_{kind}_fields") for kind in (*NUMERIC, *TEXTUAL)):
            loaded = self.tables.loaded
            if loaded is not None and name == "incident":
                return json_response({"result": {"stats": {"count": str(loaded.count)}}})
            total = select(self.instance, name, query, asker, limit=0).total
            return json_response({"result": {"stats": {"count": str(total)}}})
        pairs = list(matching(self.instance, name, query, asker))
        if not groups:
            return json_response({"result": {"stats": self._stats(request, name, pairs)}})
        return json_response({"result": self._grouped(request, name, groups, pairs)})

    def _grouped(
        self, request: web.Request, name: str, groups: list[str], pairs: list[tuple[Table, Row]]
    ) -> list[dict[str, Any]]:
        by_key: dict[tuple[str, ...], list[tuple[Table, Row]]] = defaultdict(list)
        for table, row in pairs:
            by_key[tuple(self._read(table, field)(row) for field in groups)].append((table, row))
        wanted = [match for part in _names(request, "sysparm_having") if (match := _HAVING.fullmatch(part))]
        return [
            {
                "stats": self._stats(request, name, members),
                "groupby_fields": [{"field": field, "value": value} for field, value in zip(groups, key, strict=True)],
            }
            for key, members in sorted(by_key.items())
            if all(self._has(members, one) for one in wanted)
        ]

    def _has(self, members: list[tuple[Table, Row]], wanted: re.Match[str]) -> bool:
        """Whether a group is shown; ``count`` counts the rows that hold something in the field."""
        texts = self._texts(wanted["field"], members)
        if (aggregate := wanted["aggregate"].lower()) == "count":
            found: float | None = len(texts)
        else:
            numbers = [number for text in texts if (number := _float(text)) is not None]
            found = _REDUCED[aggregate](numbers) if numbers else None
        return found is not None and _COMPARED[wanted["operator"]](found, float(wanted["value"]))

    def _stats(self, request: web.Request, name: str, pairs: list[tuple[Table, Row]]) -> dict[str, Any]:
        stats: dict[str, Any] = {}
        if request.query.get("sysparm_count", "false").lower() == "true":
            stats["count"] = str(len(pairs))
        for kind, reduce_numbers in NUMERIC.items():
            for field in _names(request, f"sysparm_{kind}_fields"):
                numbers = [number for text in self._texts(field, pairs) if (number := _float(text)) is not None]
                stats.setdefault(kind, {})[field] = f"{reduce_numbers(numbers):.4f}" if numbers else ""
        for kind, reduce_texts in TEXTUAL.items():
            for field in _names(request, f"sysparm_{kind}_fields"):
                stats.setdefault(kind, {})[field] = reduce_texts(texts) if (texts := self._texts(field, pairs)) else ""
        return stats

    def _texts(self, field: str, pairs: list[tuple[Table, Row]]) -> list[str]:
        return [text for table, row in pairs if (text := self._read(table, field)(row))]

    def _read(self, table: Table, field: str) -> Get:
        found = self.instance.get(table.name, field)
        return found[0] if found is not None else lambda row: ""


def _names(request: web.Request, parameter: str) -> list[str]:
    return [name for name in request.query.get(parameter, "").split(",") if name]


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
