"""A promise to customers that suppliers are not held to, or exactly, is warned of where it stands."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from improvement.rules import check_paths
from tests.improvement.rules.build import a_file
from tests.improvement.rules.test_futile import HEAD

OVERRIDDEN = """\
metric: sla_breach_rate
by: [customer, country]
target: {max: 15%}
overrides:
  - {when: {country: CH}, target: {max: 1%}}
  - {when: {country: JP}, target: {max: 17%}}
  - {when: {country: DE, customer: "Auto*"}, target: {max: 2%}}
  - {when: {country: AT}, target: {max: 3%}, to: 2025-12-31}
  - {when: {country: GB}, target: {max: 13%}}
"""


def warned(folder: Path, spec: str, *, today: date | None = None) -> list[str]:
    """The warnings about suppliers, without the file's name."""
    path = a_file(folder, HEAD + "".join(f"  {line}\n" for line in spec.splitlines()))
    report = check_paths([path], today=today)
    assert report.errors == ()
    texts = [str(warning).removeprefix(f"{path}:") for warning in report.warnings]
    return [text for text in texts if "suppliers" in text]


def test_an_override_that_does_not_reach_suppliers_is_told_where_it_stands(tmp_path: Path) -> None:
    first, second, third = warned(tmp_path, OVERRIDDEN + "flow_down: {by: supplier}")
    assert first == (
        "9:7, overrides[0]: sla@supplier: override {country: CH} promises customers max 1%, but holds their suppliers "
        "to max 12% only. Give flow_down by: [supplier, country] or target: {max: 0.8%}."
    )
    assert second.startswith("11:7, overrides[2]: ")
    assert "by: [supplier, country, customer] or target: {max: 1.6%}" in second
    assert "{country: AT} to 2025-12-31" in third
    assert len(warned(tmp_path, OVERRIDDEN + "flow_down: {by: supplier}", today=date(2026, 1, 1))) == 2
    assert len(warned(tmp_path, OVERRIDDEN + "flow_down: {by: supplier}", today=date(2025, 12, 31))) == 3


@pytest.mark.parametrize(
    ("flow_down", "still"),
    [
        ("", []),
        ("flow_down: {by: [supplier, country]}", ["overrides[2]"]),  # in Germany suppliers are held to 12 %
        ("flow_down: {by: [supplier, country, customer]}", []),
        ("flow_down: {by: supplier, target: {max: 2%}}", ["overrides[0]", "overrides[2]"]),  # the latter to the same
        ("flow_down: {by: supplier, target: {max: 0.8%}}", []),
        ("flow_down: {by: supplier, target: {worse_than_own: {by: 30%}}}", []),  # cannot be compared
    ],
)
def test_what_reaches_suppliers_gives_no_warning(tmp_path: Path, flow_down: str, still: list[str]) -> None:
    warnings = warned(tmp_path, OVERRIDDEN + flow_down, today=date(2026, 1, 1))
    assert [text.split(", ")[1].split(":")[0] for text in warnings] == still


def test_an_override_that_another_covers_gives_no_warning(tmp_path: Path) -> None:
    spec = """\
metric: sla_breach_rate
by: [customer, country]
target: {max: 15%}
overrides:
  - {when: {country: CH}, target: {max: 5%}, from: 2026-01-01}
  - {when: {country: CH, customer: Acme}, target: {max: 6%}, from: 2026-03-01}
  - {when: {country: CH, customer: Bolt}, target: {max: 6%}}
flow_down: {by: [supplier, country]}
"""
    (warning,) = warned(tmp_path, spec)
    assert "customer: Bolt" in warning  # before 2026 its suppliers are held to 12 %


def test_a_while_that_suppliers_are_not_held_to_is_told(tmp_path: Path) -> None:
    melon = "metric: csat_mean\nby: [customer]\ntarget: {min: 3.8}\nwhile: [{metric: sla_breach_rate, max: 5%}]\n"
    (warning,) = warned(tmp_path, melon + "flow_down: {target: {min: 4}}")
    assert "sla@supplier fires whether the while of sla holds or not" in warning
    assert warned(tmp_path, melon) == []


def test_a_mean_that_no_factor_tightens_needs_a_stricter_target(tmp_path: Path) -> None:
    spec = "metric: csat_mean\nby: [customer, country]\ntarget: {min: 3.8}\n"
    spec += "overrides: [{when: {country: CH}, target: {min: 4.5}}]\n"
    spec += "flow_down: {by: [supplier, country], target: {min: 4}}\n"
    (warning,) = warned(tmp_path, spec)
    assert warning.endswith("Give flow_down a target with a min above 4.5.")


EXACT = """\
metric: sla_breach_rate
by: [customer, country]
target: {max: 15%}
overrides:
  - {when: {country: GB}, target: {max: 12%}}
  - {when: {country: CH}, target: {max: 10%}, to: 2025-12-31}
"""


@pytest.mark.parametrize(
    ("flow_down", "said"),
    [
        (
            "{by: supplier}",
            [
                "9:7, overrides[0]: sla@supplier: override {country: GB} promises customers max 12%, and holds their "
                "suppliers to exactly that. Give flow_down by: [supplier, country] or target: {max: 9.6%}."
            ],
        ),
        ("{by: [supplier, country]}", []),
        ("{by: supplier, target: {max: 9%}}", []),
        (
            "{by: [supplier, country], target: {max: 15%}}",
            [
                "11:3, flow_down: sla@supplier: It holds suppliers to exactly what customers are promised, max 15%. "
                "Give flow_down target: {max: 12%}."
            ],
        ),
        (
            "{by: [supplier, country], tighten: 1}",
            [
                "11:3, flow_down: sla@supplier: The factor 1 holds suppliers to exactly what customers are promised. "
                "Give flow_down tighten: 0.8."
            ],
        ),
        (
            "{by: [supplier, country], tighten: 1, target: {max: 12%}}",  # the factor is for overrides
            [
                "11:3, flow_down: sla@supplier: The factor 1 holds suppliers to exactly what customers are promised. "
                "Give flow_down tighten: 0.8."
            ],
        ),
        ("{by: supplier, tighten: 1, target: {max: 9%}}", []),  # no override reaches suppliers
    ],
)
def test_suppliers_that_are_held_to_exactly_the_promise_are_told(
    tmp_path: Path, flow_down: str, said: list[str]
) -> None:
    spec = f"{EXACT}flow_down: {flow_down}\n"
    assert warned(tmp_path, spec, today=date(2026, 1, 1)) == said


@pytest.mark.parametrize(
    "spec",
    [
        "metric: sla_breach_rate\ntarget: {max: 0%}\nflow_down: {tighten: 1}",
        "metric: first_contact_resolution_rate\ntarget: {min: 100%}\nflow_down: {tighten: 1}",
        "metric: csat_mean\ntarget: {worse_than_own: {by: 0.3}}\nflow_down: {target: {worse_than_own: {by: 0.3}}}",
    ],
)
def test_nothing_is_told_where_nothing_stricter_is_possible_or_comparable(tmp_path: Path, spec: str) -> None:
    assert warned(tmp_path, "by: [customer]\n" + spec) == []


def test_exactly_the_same_mean_is_told_with_what_is_stricter(tmp_path: Path) -> None:
    (warning,) = warned(tmp_path, "metric: csat_mean\nby: [customer]\ntarget: {min: 4}\nflow_down: {target: {min: 4}}")
    assert warning.endswith("promised, min 4. Give flow_down a target with a min above 4.")
