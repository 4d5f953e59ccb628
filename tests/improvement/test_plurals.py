"""One has one form, all others the other: nought too."""

from __future__ import annotations

from improvement.plurals import how_many, plural


def test_a_number_stands_beside_its_word() -> None:
    assert [how_many(number, "action") for number in (0, 1, 2, 1000)] == [
        "0 actions",
        "1 action",
        "2 actions",
        "1,000 actions",
    ]
    assert [how_many(number, "entry", "entries") for number in (1, 2)] == ["1 entry", "2 entries"]
    assert [plural(number, "is", "are") for number in (0, 1, 2)] == ["are", "is", "are"]
