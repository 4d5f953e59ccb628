"""The spreadsheet door on good and on bad files: nothing lost, nothing guessed, the other plans go on."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from improvement.errors import InputError
from workflows.checks.spreadsheet_door import DoorReport, compute_files

FIRST = date(2024, 1, 1)
WEEKS, TRIGGER, LIVE = 80, (53, 57), 61
PLAN_HEADER = "action,scope,metric,trigger_from,trigger_to,implemented_on,as_of,goal"
CELL_HEADER = "action,scope,week,numerator,denominator"


def monday(week: int) -> str:
    return str(FIRST + timedelta(weeks=week))


def a_plan(action: str = "A-1", scope: str = "mail", **changes: str) -> str:
    facts = {
        "metric": "sla_breach_rate",
        "trigger_from": monday(TRIGGER[0]),
        "trigger_to": monday(TRIGGER[1]),
        "implemented_on": monday(LIVE),
        "as_of": monday(WEEKS - 1),
        "goal": "-30%",
    }
    return ",".join([action, scope, *{**facts, **changes}.values()])


def some_cells(action: str = "A-1", scopes: tuple[str, ...] = ("mail", "chat", "vpn", "print")) -> list[str]:
    """Weekly breaches; the first scope's rate falls to a third from the go-live on."""
    return [
        f"{action},{scope},{monday(week)},"
        f"{(20 + (week * 7 + place * 3) % 5) // (3 if place == 0 and week >= LIVE else 1)},100"
        for place, scope in enumerate(scopes)
        for week in range(WEEKS)
    ]


class Files:
    """Two files being written."""

    def __init__(self, folder: Path) -> None:
        self.plans, self.cells = folder / "plans.csv", folder / "cells.csv"

    def compute(
        self,
        plans: list[str] | None = None,
        cells: list[str] | None = None,
        *,
        header: str = PLAN_HEADER,
        cell_header: str = CELL_HEADER,
    ) -> DoorReport:
        """Write the rows and run the check on them."""
        self.plans.write_text("\n".join([header, *(plans or [a_plan()])]) + "\n", encoding="utf-8")
        self.cells.write_text("\n".join([cell_header, *(cells or some_cells())]) + "\n", encoding="utf-8")
        return compute_files(self.plans, self.cells)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def errors_of(report: DoorReport) -> list[str]:
    return [str(error) for error in report.errors]


# --- looks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weeks_since", "look", "provisional"), [(4, 4, True), (7, 4, True), (8, 8, True), (13, 13, False), (17, 13, False)]
)
def test_the_latest_due_look_decides(files: Files, weeks_since: int, look: int, provisional: bool) -> None:
    """A week counts when its Monday + 7 days is not after as_of."""
    (found,) = files.compute([a_plan(as_of=monday(LIVE + weeks_since))]).results
    assert (found.result.look, found.as_dict()["provisional"]) == (look, provisional)


def test_a_day_before_the_first_look_there_is_none(files: Files) -> None:
    day = str(date.fromisoformat(monday(LIVE + 4)) - timedelta(days=1))
    (found,) = files.compute([a_plan(as_of=day)]).results
    assert (found.result.verdict, found.result.reason) == ("not enough data", "before_first_look")


def test_an_as_of_before_the_go_live_is_before_the_first_look(files: Files) -> None:
    (found,) = files.compute([a_plan(as_of=monday(10))]).results
    assert found.result.reason == "before_first_look"
    assert monday(LIVE + 4) in found.result.sentence


def test_weeks_after_as_of_are_not_read(files: Files) -> None:
    early = files.compute([a_plan(as_of=monday(LIVE + 13))]).results[0].result
    later = [*some_cells(), f"A-1,mail,{monday(WEEKS)},100,100"]
    assert files.compute([a_plan(as_of=monday(LIVE + 13))], later).results[0].result.effect == early.effect


def test_a_go_live_in_the_middle_of_a_week_begins_with_the_next(files: Files) -> None:
    day = str(date.fromisoformat(monday(LIVE)) - timedelta(days=4))
    (found,) = files.compute([a_plan(implemented_on=day)]).results
    assert found.result.windows["after"].first_day == monday(LIVE)  # type: ignore[union-attr]
    assert found.result.windows["confirmation"].last_day == str(  # type: ignore[union-attr]
        date.fromisoformat(monday(LIVE - 1)) - timedelta(days=1)
    )


def test_a_metric_without_a_verdict_says_so(files: Files) -> None:
    (found,) = files.compute([a_plan(metric="backlog_open")]).results
    assert (found.result.verdict, found.result.reason) == ("not computed", "no_family")


# --- what is computed and said ---------------------------------------------------------------------------------------


def test_without_controls_it_is_computed_and_said(files: Files) -> None:
    (found,) = files.compute(cells=some_cells(scopes=("mail",))).results
    assert (found.result.verdict, found.result.reason) == ("improved, not attributable", "no_controls")
    assert "There are no controls" in found.result.sentence


def test_gaps_are_computed_and_said(files: Files) -> None:
    cells = [row for row in some_cells() if not (row.startswith("A-1,mail") and monday(20) in row)]
    (found,) = files.compute(cells=cells).results
    assert found.result.effect is not None
    assert "Weeks without volume were left out: 1 in reference" in found.result.sentence


def test_a_week_of_no_volume_is_a_gap(files: Files) -> None:
    cells = [
        row.rsplit(",", 2)[0] + ",0,0" if row.startswith(f"A-1,mail,{monday(64)}") else row for row in some_cells()
    ]
    (found,) = files.compute(cells=cells).results
    assert "1 in after" in found.result.sentence


def test_strata_are_summed_and_the_mix_is_examined(files: Files) -> None:
    halves = [
        f"{row.rsplit(',', 2)[0]},{int(row.split(',')[3]) / 2},50,{stratum}"
        for row in some_cells()
        for stratum in ("P1", "P2")
    ]
    (found,) = files.compute(cells=halves, cell_header=CELL_HEADER + ",stratum").results
    whole = files.compute().results[0].result
    assert found.result.effect == pytest.approx(whole.effect)
    assert {guard.number: guard.status for guard in found.result.guards}[6] == "passed"


def test_strata_of_one_action_do_not_touch_another(files: Files) -> None:
    cells = [f"{row}," for row in some_cells()] + [f"{row},P1" for row in some_cells("A-2")]
    report = files.compute([a_plan(), a_plan("A-2")], cells, cell_header=CELL_HEADER + ",stratum")
    assert [found.result.verdict for found in report.results] == ["improved", "improved"]
    assert "mix (no strata)" in report.results[0].result.sentence
    assert "mix (only one stratum)" in report.results[1].result.sentence


def test_many_final_verdicts_get_q_values(files: Files) -> None:
    plans = [a_plan("A-1"), a_plan("A-2"), a_plan("A-3", as_of=monday(LIVE + 4))]
    report = files.compute(plans, [*some_cells("A-1"), *some_cells("A-2", ("chat", "mail", "vpn")), *some_cells("A-3")])
    q = [found.q_value for found in report.results]
    assert q[2] is None
    for found in report.results[:2]:
        assert found.q_value is not None
        assert found.q_value >= (found.result.p_value or 0)


# --- plans that are refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"goal": "soon"}, "is no goal"),
        ({"goal": "30%"}, "is no goal"),
        ({"goal": "+30%"}, "would make sla_breach_rate worse"),
        ({"goal": "-0.25"}, "percentage"),
        ({"goal": "-100%"}, "leaves nothing"),
        ({"metric": "csat_mean", "goal": "+30%"}, "points"),
        ({"metric": "happiness"}, "There is no metric “happiness”"),
        ({"trigger_from": "2025-01-07"}, "is no Monday. Its week begins on 2025-01-06"),
        ({"trigger_from": "07.01.2025"}, "not a date"),
        ({"trigger_from": monday(58)}, "lies before trigger_from"),
        ({"implemented_on": monday(57)}, "in or before the trigger window"),
        ({"implemented_on": "2025-02-30"}, "not a date"),
        ({"as_of": "0001-01-01"}, "too far away"),
        ({"as_of": ""}, "as_of is empty"),
        ({"scope": "fax"}, "has no cells for its scope"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused_and_the_others_go_on(
    files: Files, changes: dict[str, str], said: str
) -> None:
    scope = changes.pop("scope", "mail")
    report = files.compute([a_plan("A-0", scope, **changes), a_plan()], [*some_cells("A-0"), *some_cells()])
    assert [found.plan.action for found in report.results] == ["A-1"]
    (error,) = errors_of(report)
    assert said in error
    assert error.startswith(f"{files.plans}:2: ")


@pytest.mark.parametrize(
    ("least", "said"), [("-40%", "beyond the goal"), ("+10%", "worse"), ("small", "is no goal"), ("-0.1", "percentage")]
)
def test_a_minimum_effect_must_fit_the_goal(files: Files, least: str, said: str) -> None:
    report = files.compute([f"{a_plan()},{least}"], header=PLAN_HEADER + ",min_effect")
    assert not report.results
    assert said in errors_of(report)[0]


def test_a_minimum_effect_is_used_and_shown(files: Files) -> None:
    (found,) = files.compute([f"{a_plan()},-5%"], header=PLAN_HEADER + ",min_effect").results
    assert found.result.min_effect == "-5%"


def test_a_goal_the_reference_cannot_reach_is_refused(files: Files) -> None:
    report = files.compute([a_plan(metric="reopen_rate", goal="-150%")])
    assert "leaves nothing" in errors_of(report)[0]


def test_an_action_that_stands_twice_is_refused_once(files: Files) -> None:
    report = files.compute([a_plan(), a_plan()])
    assert len(report.results) == 1
    assert "stands twice (first in line 2)" in errors_of(report)[0]


def test_a_plan_without_cells_is_refused(files: Files) -> None:
    report = files.compute([a_plan("A-9"), a_plan()])
    assert [found.plan.action for found in report.results] == ["A-1"]
    assert "There are no cells for the action “A-9”" in errors_of(report)[0]


# --- cells that are refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f"A-1,mail,{monday(3)},5,100", "stands twice (first in line 5)"),
        (f"A-1,fax,{monday(3)},101,100", "numerator 101 is above denominator 100"),
        (f"A-1,fax,{monday(3)},many,100", "numerator is “many”, not a number"),
        (f"A-1,fax,{monday(3)},5,", "denominator is empty"),
        (f"A-1,fax,{monday(3)},nan,100", "not a number"),
        (f"A-1,fax,{monday(3)},5,inf", "not a number"),
        (f"A-1,fax,{monday(3)},1_0,100", "not a number"),
        (f"A-1,fax,{monday(3)},5,1e300", "too large"),
        (f"A-1,fax,{monday(3)},5,1e999", "too large"),
        (f"A-1,fax,{monday(3)},-5,100", "is negative"),
        (f"A-1,fax,{monday(3)},5,-100", "is negative"),
        (f"A-1,fax,{monday(3)},1,000,100", "more fields than the first line"),
        ("A-1,fax,2024-01-02,5,100", "is no Monday. Its week begins on 2024-01-01"),
        ("A-1,fax,2024-W01,5", "empty"),
        ("A-1,fax,9999-12-27,5,100", "too far away"),
        (f",fax,{monday(3)},5,100", "action is empty"),
        (f"A-1,,{monday(3)},5,100", "scope is empty"),
    ],
)
def test_a_bad_cell_refuses_its_plan_with_file_and_line(files: Files, row: str, said: str) -> None:
    cells = [*some_cells(), row, *some_cells("A-2")]
    report = files.compute([a_plan(), a_plan("A-2")], cells)
    expected = ["A-1", "A-2"] if row.startswith(",") else ["A-2"]
    assert [found.plan.action for found in report.results] == expected
    (error,) = errors_of(report)
    assert said in error
    refused = "" if row.startswith(",") else ", A-1 is refused"
    assert error.startswith(f"{files.cells}:{len(some_cells()) + 2}{refused}: ")


def test_each_refusal_over_cells_names_whose_plan_it_is(files: Files) -> None:
    """Two plans of one file are refused for one row each: a week that stands twice, and no number."""
    twice, wrong = f"A-2,mail,{monday(3)},5,100", f"A-3,mail,{monday(3)},five,100"
    cells = [*some_cells(), *some_cells("A-2"), twice, *some_cells("A-3"), wrong]
    report = files.compute([a_plan(), a_plan("A-2"), a_plan("A-3")], cells)
    assert [found.plan.action for found in report.results] == ["A-1"]
    first, second = errors_of(report)
    assert first.startswith(f"{files.cells}:{cells.index(twice) + 2}, A-2 is refused: mail, {monday(3)} stands twice")
    assert second.startswith(f"{files.cells}:{cells.index(wrong) + 2}, A-3 is refused: numerator is “five”")


def test_an_event_without_volume_is_refused(files: Files) -> None:
    cells = [*some_cells(), f"A-1,fax,{monday(3)},5,0"]
    assert "stands on a denominator of 0" in errors_of(files.compute([a_plan(metric="incident_count")], cells))[0]


def test_scores_may_be_negative_and_above_their_volume(files: Files) -> None:
    cells = [
        f"A-1,{scope},{monday(week)},{30 - (week * week + 5 * place * week) % 97},20"
        for place, scope in enumerate(("mail", "chat"))
        for week in range(WEEKS)
    ]
    report = files.compute([a_plan(metric="csat_mean", goal="+0.25")], cells)
    assert not report.errors
    assert report.results[0].result.effect is not None


def test_totals_beside_their_strata_are_refused(files: Files) -> None:
    cells = [f"{row}," for row in some_cells()] + [f"A-1,mail,{monday(3)},5,10,P1"]
    report = files.compute(cells=cells, cell_header=CELL_HEADER + ",stratum")
    assert "Some rows of this scope have a stratum" in errors_of(report)[0]


def test_a_file_wrong_throughout_does_not_flood(files: Files) -> None:
    report = files.compute(cells=[row.replace(",100", ",hundred") for row in some_cells()])
    assert len(report.errors) == 6
    assert f"{len(some_cells()) - 5} more errors from here on" in errors_of(report)[-1]


def test_cells_without_a_plan_and_unknown_columns_are_remarked(files: Files) -> None:
    cells = [f"{row},x" for row in [*some_cells(), *some_cells("A-7")]]
    report = files.compute(cells=cells, cell_header=CELL_HEADER + ",colour")
    assert len(report.results) == 1
    assert any("columns that are not read: colour" in remark for remark in report.remarks)
    assert any("no plan for the cells of A-7" in remark for remark in report.remarks)


# --- files as programs write them -------------------------------------------------------------------------------------


def as_bytes(change: Callable[[str], bytes]) -> Callable[[str], bytes]:
    return change


@pytest.mark.parametrize(
    "written",
    [
        as_bytes(lambda text: b"\xef\xbb\xbf" + text.encode()),
        as_bytes(lambda text: text.replace("\n", "\r\n").encode()),
        as_bytes(lambda text: text.replace("\n", "\r").encode()),
        as_bytes(lambda text: text.replace(",", ";").encode()),
        as_bytes(lambda text: text.replace(",", "\t").encode()),
        as_bytes(lambda text: ("\n" + text.replace("\n", "\n\n")).encode()),
        as_bytes(lambda text: text.replace("A-1", '"A-1"').encode()),
        as_bytes(lambda text: text.replace(",", " , ").encode()),
        as_bytes(lambda text: text.rstrip("\n").encode()),
        as_bytes(lambda text: text.replace("action,scope", "Action,SCOPE", 1).encode()),
    ],
    ids=["mark", "crlf", "cr", "semicolons", "tabs", "blank lines", "quotes", "blanks", "no last newline", "capitals"],
)
def test_the_same_table_reads_the_same_however_it_was_saved(files: Files, written: Callable[[str], bytes]) -> None:
    plain = files.compute().results[0].result
    for path in (files.plans, files.cells):
        path.write_bytes(written(path.read_text(encoding="utf-8")))
    report = compute_files(files.plans, files.cells)
    assert not report.errors
    assert report.results[0].result == plain


def test_semicolons_come_with_decimal_commas(files: Files) -> None:
    files.compute()
    text = files.cells.read_text().replace(",", ";").replace(";100\n", ";100,0\n")
    files.cells.write_text(text)
    assert compute_files(files.plans, files.cells).results[0].result.verdict == "improved"


@pytest.mark.parametrize("name", ["Zürich 🚀", "شبكة", "a\u2028b", "x\x85y", '=HYPERLINK("http://x")', "<b>mail</b>"])
def test_scopes_may_have_any_name(files: Files, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    report = files.compute([a_plan(scope=quoted)], [row.replace("mail", quoted) for row in some_cells()])
    assert not report.errors
    assert report.results[0].as_dict()["scope"] == name


def test_a_name_is_the_same_in_both_spellings_of_its_letters(files: Files) -> None:
    one, other = (unicodedata.normalize(form, "Zürich") for form in ("NFC", "NFD"))
    report = files.compute([a_plan(scope=one)], [row.replace("mail", other) for row in some_cells()])
    assert not report.errors
    assert one != other


def test_a_line_break_within_quotes_keeps_the_line_numbers_right(files: Files) -> None:
    cells = [row.replace("mail", '"ma\nil"') for row in some_cells(scopes=("mail",))]
    report = files.compute([a_plan(scope='"ma\nil"')], [*cells, f"A-1,chat,{monday(0)},x,100"])
    assert errors_of(report)[0].startswith(f"{files.cells}:{2 * WEEKS + 2}, ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file is empty"),
        (b"\n\n", "The file is empty"),
        (b"\xef\xbb\xbf", "The file is empty"),
        (PLAN_HEADER.encode(), "There is no plan"),
        (b"action,scope\nA-1,mail\n", "Missing columns: metric"),
        (f"{PLAN_HEADER},goal\n".encode(), "stand twice: goal"),
        ("action;scöpe\n".encode("latin-1"), "not UTF-8"),
        (f"{PLAN_HEADER}\n{a_plan()}\n".encode("utf-16")[:-1], "not UTF-16"),
        (f'{PLAN_HEADER}\n"A-1,mail\n'.encode(), "no valid CSV"),
    ],
)
def test_a_file_that_is_no_table_is_an_error_of_the_caller(files: Files, content: bytes, said: str) -> None:
    files.compute()
    files.plans.write_bytes(content)
    with pytest.raises(InputError, match=said) as refused:
        compute_files(files.plans, files.cells)
    assert str(files.plans) in str(refused.value)


def test_bytes_of_another_encoding_are_told_with_their_line(files: Files) -> None:
    files.compute()
    files.cells.write_bytes(files.cells.read_bytes() + "A-1,Zürich,2024-01-01,1,2\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8") as refused:
        compute_files(files.plans, files.cells)
    assert f"{files.cells}:{len(some_cells()) + 2}: " in str(refused.value)


def test_a_cells_file_of_nothing_but_names_refuses_every_plan(files: Files) -> None:
    files.compute()
    files.cells.write_text(CELL_HEADER + "\n")
    report = compute_files(files.plans, files.cells)
    assert not report.results
    assert len(report.errors) == 1


def test_a_folder_is_no_file(files: Files, tmp_path: Path) -> None:
    files.compute()
    with pytest.raises(InputError, match="cannot be read"):
        compute_files(tmp_path, files.cells)
