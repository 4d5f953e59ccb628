"""`rules check` against the records that were pulled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import Error as StateError

from improvement.errors import RegelkreisError
from improvement.rules import CheckReport
from improvement.rules.known_values import NAMED, alike_values, named, unknown_values

if TYPE_CHECKING:
    from workflows.warehouse import Warehouse

WAIT_S = 2.0


def against_records(report: CheckReport, *, whose: Callable[[], str]) -> tuple[CheckReport, str]:
    """The report with what the warehouse does not know, and a sentence where it could not be asked.

    ``whose`` asks the state which installation this is: only where there is something to compare.
    """
    path = settings.REGELKREIS.warehouse
    if not _names_values(report) or not path.is_file():
        return report, ""
    from workflows.warehouse import Warehouse  # it takes a second to load

    try:
        with Warehouse.open(path, wait_s=WAIT_S, installation=whose()) as warehouse:
            known = {name: set(_values(warehouse, name)) for name in NAMED}
    except (RegelkreisError, StateError) as error:
        why = error.what if isinstance(error, RegelkreisError) else "The state's database does not answer."
        return report, f"Customers, countries … were not compared with the records: {why}"
    told = [*unknown_values(report.rules, known), *alike_values(report.rules, known)]
    return replace(report, warnings=(*report.warnings, *told)), ""


def _names_values(report: CheckReport) -> bool:
    names = ((*rule.by, *(name for name, _, _ in named(rule))) for rule in report.rules)
    return any(name in NAMED for of_rule in names for name in of_rule)


def _values(warehouse: Warehouse, name: str) -> Iterable[str]:
    sql = f"SELECT DISTINCT {name} AS value FROM live_tickets WHERE {name} IS NOT NULL"  # noqa: S608 (a name of ours)
    if name in ("customer", "country", "service"):
        sql += f" UNION SELECT DISTINCT {name} FROM live_contacts WHERE {name} IS NOT NULL"  # noqa: S608 (as above)
    values: list[str] = warehouse.arrow(sql)["value"].to_pylist()
    return values
