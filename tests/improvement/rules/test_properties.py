"""Whatever is in a file, the loader answers with rules or with errors that have a place; it never crashes."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from improvement.errors import InputError
from improvement.rules import Scope, check_paths
from improvement.rules.rule import Override, Target, TargetKind, compiled_pattern
from improvement.rules.targets import rank
from improvement.rules.ties import meet, patterns_meet, ties
from improvement.rules.units import UnitError, parse_amount, parse_duration, parse_effect

PACK = Path(__file__).parents[3] / "config" / "rules"
TEXTS = [path.read_text(encoding="utf-8") for path in sorted(PACK.glob("*.yaml"))]
SMALL = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=12),
    st.sampled_from(["5%", "4w", "-50%", "{customer}", "sla_breach_rate", "2026-W01..2026-W09", "supplier", "1d"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)


def answered(path: Path, text: str) -> None:
    """The loader answers, and each error has a place and says something."""
    path.write_text(text, encoding="utf-8", newline="")
    for error in check_paths([path]).errors:
        assert error.where is not None
        assert error.where.file == str(path)
        assert error.where.line is not None
        assert error.where.line >= 1
        assert error.where.column is not None
        assert error.where.column >= 1
        assert error.what


@SMALL
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_text_is_answered(tmp_path: Path, text: str) -> None:
    answered(tmp_path / "any.yaml", text)


@SMALL
@given(data=st.data())
def test_a_damaged_rule_file_is_answered(tmp_path: Path, data: Any) -> None:
    text = data.draw(st.sampled_from(TEXTS))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(st.text(alphabet="{}[]:,-*&!%|>'\"\n\t #abc019é\0", max_size=6)) + text[end:]
    answered(tmp_path / "damaged.yaml", text)


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(spot for key, item in items for spot in spots(item, (*path, key)))]


DOCUMENTS = [document for text in TEXTS for document in YAML(typ="safe", pure=True).load_all(text)]


@SMALL
@given(data=st.data())
def test_a_document_with_a_wrong_value_is_answered(tmp_path: Path, data: Any) -> None:
    documents = [dict(data.draw(st.sampled_from(DOCUMENTS)))]
    path = data.draw(st.sampled_from([spot for spot in spots(documents[0]) if spot]))
    yaml = YAML(typ="safe", pure=True)
    target = tmp_path / "wrong.yaml"
    with target.open("w", encoding="utf-8") as file:
        yaml.dump(documents[0], file)
    fresh = yaml.load(target.read_text(encoding="utf-8"))
    parent = fresh
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = data.draw(VALUES)
    with target.open("w", encoding="utf-8") as file:
        yaml.dump(fresh, file)
    answered(target, target.read_text(encoding="utf-8"))


@given(st.one_of(st.text(max_size=50), SCALARS, st.lists(st.text(), max_size=2)))
def test_units_answer_anything(raw: object) -> None:
    for parse in (parse_amount, parse_duration, parse_effect):
        with suppress(UnitError):
            parse(raw)


@given(st.dictionaries(st.text(min_size=1, max_size=8).map(str.strip).filter(bool), st.text(max_size=8), max_size=4))
def test_a_scope_key_can_be_read_back(values: dict[str, str]) -> None:
    scope = Scope.of(values)
    assert Scope.parse(scope.key) == scope


ALL_TEXTS = ["".join(letters) for size in range(9) for letters in product("ab", repeat=size)]
PATTERNS = st.text(alphabet="ab*?", max_size=4)


def is_match(pattern: str, text: str) -> bool:
    compiled = compiled_pattern(pattern)
    return pattern == text if compiled is None else compiled.fullmatch(text) is not None


@given(PATTERNS, PATTERNS)
def test_patterns_meet_where_a_text_matches_both(one: str, other: str) -> None:
    is_found = any(is_match(one, text) and is_match(other, text) for text in ALL_TEXTS)
    assert patterns_meet(one, other) == is_found


@given(st.text(alphabet="ab*?.[", max_size=8), st.text(alphabet="ab.[\n", max_size=8))
def test_a_pattern_matches_what_a_plain_regular_expression_does(pattern: str, text: str) -> None:
    parts = {"*": ".*", "?": "."}
    plain = "".join(parts.get(letter, re.escape(letter)) for letter in pattern)
    assert is_match(pattern, text) == (re.fullmatch(plain, text, re.DOTALL) is not None)


CONDITION = st.sampled_from(["A", "B", "A*", "*B", "?"])
DAY = st.none() | st.sampled_from([date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)])
OVERRIDES = st.builds(
    lambda when, first, last: Override(
        tuple(sorted(when.items())), Target(TargetKind.MAX, 0.1), first, last and first and max(first, last), "override"
    ),
    st.dictionaries(st.sampled_from(["country", "customer", "service"]), CONDITION, min_size=1),
    DAY,
    DAY,
)


@given(st.lists(OVERRIDES, max_size=12))
def test_ties_are_those_of_all_pairs(overrides: list[Override]) -> None:
    pairs = [
        (later, earlier)
        for later, override in enumerate(overrides)
        for earlier, other in enumerate(overrides[:later])
        if rank(other) == rank(override) and meet(other, override)
    ]
    assert dict(ties(overrides)) == dict(reversed(pairs))  # the first of each


@pytest.mark.parametrize(("one", "other"), [("Auto*", "Bau*"), ("a?", "a"), ("*x", "*y"), ("Acme", "Zeta"), ("", "?*")])
def test_patterns_without_a_common_text_do_not_meet(one: str, other: str) -> None:
    assert not patterns_meet(one, other)


def test_a_comma_in_a_name_is_none_between_names_and_blanks_after_those_are_none_of_a_value() -> None:
    scope = Scope.of({"country": "DE", "customer": "Müller, Söhne & Co"})
    assert Scope.parse("country=DE, customer=Müller\\, Söhne & Co") == scope
    with pytest.raises(InputError, match="is not a scope") as refused:
        Scope.parse("customer=Acme, Inc.")
    assert "a comma in a name as \\," in refused.value.mend
