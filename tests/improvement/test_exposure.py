"""What counts are told per: which lines make up a scope's number."""

from __future__ import annotations

from datetime import date

import pytest

from improvement.errors import InputError, Place
from improvement.exposure import Exposures, Line
from improvement.rules import Scope

NEW_YEAR, SUMMER = date(2025, 1, 1), date(2025, 7, 1)


def a_line(key: str, number: float, since: date = NEW_YEAR, *, unit: str = "users", connection: str = "") -> Line:
    return Line(Scope.parse(key), since, number, unit, connection, Place(file="exposure.csv", line=7))


def number(lines: list[Line], scope: str, day: date = date(2025, 3, 1), *, connection: str = "snow") -> float | None:
    steps = Exposures.of(lines).steps_of(connection, Scope.parse(scope))
    return None if steps is None else steps.on(day)


ACME = [a_line("country=CH,customer=Acme", 400), a_line("country=DE,customer=Acme", 100)]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("country=CH,customer=Acme", 400),
        ("country=CH,customer=Acme,service=Mail", 400),  # whoever uses the mail is one of the users
        ("customer=Acme", 500),  # its countries together
        ("country=CH", 400),
        ("customer=Acme,service=Mail", 500),
        ("customer=Globex", None),
        ("country=CH,customer=Globex", None),
    ],
)
def test_customers_and_countries_share_users_out_and_services_do_not(scope: str, expected: float | None) -> None:
    assert number(ACME, scope) == expected


def test_a_customers_users_are_not_those_of_one_of_its_countries() -> None:
    assert number([a_line("customer=Acme", 500)], "country=CH,customer=Acme") is None


def test_a_line_for_the_service_itself_comes_first() -> None:
    lines = [*ACME, a_line("country=CH,customer=Acme,service=Mail", 80, unit="mailboxes")]
    assert number(lines, "country=CH,customer=Acme,service=Mail") == 80
    assert number(lines, "country=CH,customer=Acme,service=Net") == 400
    assert number(lines, "country=CH,customer=Acme") == 400


def test_the_whole_customer_is_rather_taken_from_its_own_line_than_summed_up() -> None:
    assert number([*ACME, a_line("customer=Acme", 700)], "customer=Acme") == 700


def test_a_connections_own_line_comes_before_one_for_all() -> None:
    lines = [a_line("customer=Acme", 500), a_line("customer=Acme", 90, connection="jira")]
    assert number(lines, "customer=Acme", connection="jira") == 90
    assert number(lines, "customer=Acme", connection="snow") == 500


def test_a_number_holds_from_its_day_on_and_a_sum_from_when_all_are_known() -> None:
    lines = [*ACME, a_line("country=CH,customer=Acme", 600, SUMMER), a_line("country=AT,customer=Acme", 50, SUMMER)]
    assert number(lines, "country=CH,customer=Acme", date(2025, 6, 30)) == 400
    assert number(lines, "country=CH,customer=Acme", SUMMER) == 600
    assert number(lines, "country=CH,customer=Acme", date(2024, 12, 31)) is None
    assert number(lines, "customer=Acme", date(2025, 6, 30)) is None
    assert number(lines, "customer=Acme", SUMMER) == 750


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (a_line("customer=Acme", 501), "has a number from 2025-01-01 on already (line 7)"),
        (a_line("customer=Acme", 40, SUMMER, unit="assets"), "is counted in users already (line 7), here in assets"),
    ],
)
def test_a_scope_that_is_said_twice_is_refused_with_both_lines(second: Line, said: str) -> None:
    with pytest.raises(InputError) as refused:
        Exposures.of([a_line("customer=Acme", 500), second])
    assert said in str(refused.value)
    assert str(refused.value).startswith("exposure.csv:7: ")
