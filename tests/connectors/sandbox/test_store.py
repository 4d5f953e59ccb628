"""Rows in the order that keyset paging needs, however they came and went."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.store import Table

changes = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 9), st.booleans()), max_size=60)


@given(changes, st.integers(1, 7))
def test_order_and_content_follow_every_insert_update_and_delete(
    steps: list[tuple[str, int, bool]], look_every: int
) -> None:
    table = Table("t", ("sys_id", "sys_updated_on"))
    expected: dict[str, str] = {}
    for number, (sys_id, second, is_kept) in enumerate(steps):
        if is_kept:
            table.put([sys_id, f"2025-01-01 00:00:0{second}"])
            expected[sys_id] = f"2025-01-01 00:00:0{second}"
        else:
            table.remove(sys_id)
            expected.pop(sys_id, None)
        if number % look_every == 0:
            table.ordered()

    assert table.ordered() == sorted(([i, at] for i, at in expected.items()), key=lambda row: (row[1], row[0]))
    assert len(table) == len(expected)


def test_a_range_is_found_by_its_bounds() -> None:
    table = Table("t", ("sys_id", "sys_updated_on"))
    for number in range(10):
        table.put([f"{number}", f"2025-01-01 00:00:0{number // 3}"])

    begin, end = table.range(("2025-01-01 00:00:01", "4"), ("2025-01-01 00:00:02", ""))

    assert [row[0] for row in table.ordered()[begin:end]] == ["4", "5"]
