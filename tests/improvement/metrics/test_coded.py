"""Cells in numbers: scopes that are looked up once, shared, and not kept for nothing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from improvement.metrics.coded import Coded, Scopes, coded, in_use
from improvement.rules import Cells, Scope

KEYS = ("customer", "country")


def test_a_missing_value_is_a_scope_of_its_own() -> None:
    table = pa.table({"customer": ["Bolt", None, "Acme", None], "country": pa.nulls(4, pa.string())})
    scopes, scope = coded(table, KEYS)
    assert [scopes.values[place] for place in scope] == [
        ("Bolt", "(none)"),
        ("(none)", "(none)"),
        ("Acme", "(none)"),
        ("(none)", "(none)"),
    ]
    assert len(scopes) == 3


def test_scopes_of_no_row_are_left_out_and_the_order_stays() -> None:
    scopes = Scopes.of_values(("customer",), (("Acme",), ("Bolt",), ("Cask",), ("Dune",)))
    found, scope = in_use(scopes, np.array([3, 1, 3]))
    assert found.values == (("Bolt",), ("Dune",))
    assert scope.tolist() == [1, 0, 1]
    assert in_use(scopes, np.arange(4))[0] is scopes
    assert len(in_use(scopes, np.zeros(0, dtype=np.int64))[0]) == 0


def test_a_scope_that_only_other_queries_count_in_has_no_row() -> None:
    """Queries that are counted together share their scopes."""
    scopes = Scopes.of_values(("customer",), (("Acme",), ("Bolt",)))
    one = np.ones(1)
    cells = Cells.of(
        Coded(("customer",), scopes, np.array([1]), np.array([2900]), one, one, np.ones(1, dtype=np.int64)),
        ("customer",),
    )
    assert cells.row_of(Scope.of({"customer": "Bolt"})) == 1
    assert cells.row_of(Scope.of({"customer": "Acme"})) is None
