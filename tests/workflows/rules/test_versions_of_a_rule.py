"""A rule is edited, removed and brought back: what was published and what fired belongs to the version of then."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from improvement import weeks
from improvement.dispositions import Disposition
from improvement.evidence.canonical import digest
from improvement.periods import period
from tests.workflows.build import a_person
from tests.workflows.conftest import RULE
from tests.workflows.platform import MemoryPlatform
from workflows import cycle
from workflows.cli.main import build
from workflows.clocks import dispositions
from workflows.evidence import ledger, verifying
from workflows.models import Action, Connection, Finding, LedgerEntry, Point, Role
from workflows.rules import ending, live
from workflows.steps import open as opening
from workflows.web.rooms.moods import moods

pytestmark = pytest.mark.django_db
MAIL = "country=CH,customer=Acme,service=Mail"
HOURS = RULE.replace("sla_breach_rate", "time_to_resolve").replace("max: 15%", "max: 40h")
HOURS = HOURS.replace(", sla.target: resolution, sla.agreement: sla", "")
COARSE = RULE.replace("by: [customer, country, service]", "by: [customer]").replace("max: 15%", "max: 90%")
COARSE = COARSE.replace("for {service}", "for {customer}")
PAST = RULE.replace(
    "  trigger:", "  overrides:\n    - {when: {country: CH}, target: {max: 3%}, from: 2025-01-01}\n  trigger:"
)
Lived = Callable[..., datetime]


@pytest.fixture
def lived(home: Path, monday: datetime) -> Lived:
    """So many weekly cycles more of a rule; the moment of the last. Mail goes bad in weeks 70 and 88."""
    platform = MemoryPlatform(scopes={"Mail": {0: 0.05, 70: 0.3, 82: 0.05, 88: 0.3}, "Quiet": {0: 0.05}})
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    done = 0

    def live(rule: str, number: int, *, late: timedelta = timedelta()) -> datetime:
        nonlocal done
        (home / "rules" / "sla.yaml").write_text(rule, encoding="utf-8")
        for _ in range(number):
            at = monday + timedelta(weeks=done) + late
            assert cycle.run_with([platform], as_of=at).errors == []
            done += 1
        return at

    return live


def told(command: str, *arguments: object) -> dict[str, Any]:
    result = CliRunner().invoke(build(), [*command.split(), *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def entries(kind: str) -> list[dict[str, Any]]:
    rows = LedgerEntry.objects.filter(type=kind).order_by("index")
    return [json.loads(bytes(row.data)) for row in rows]


def test_a_removed_rule_is_explained_by_its_last_version_and_said_to_be(lived: Lived, home: Path) -> None:
    at = lived(RULE, 3)
    (home / "rules" / "other.yaml").write_text(RULE.replace("id: sla", "id: other"), encoding="utf-8")
    at = lived(RULE.replace("max: 15%", "max: 14%"), 1)
    live = told("rules explain sla --scope", MAIL, "--as-of", at.isoformat())
    assert live["removed_at"] is None
    (home / "rules" / "sla.yaml").unlink()
    assert cycle.run_with([], as_of=at + timedelta(days=1)).rules == 1
    assert Action.objects.exists()
    gone = told("rules explain sla --scope", MAIL, "--as-of", at.isoformat())
    assert gone["removed_at"] == (at + timedelta(days=1)).isoformat()
    told_of = ("rule_sha256", "value", "target", "state", "course", "published", "rows_sha256")
    assert [gone[name] for name in told_of] == [live[name] for name in told_of]
    asked = ["rules", "explain", "sla", "--scope", MAIL, "--as-of", at.isoformat()]
    text = CliRunner().invoke(build(), asked).stdout
    assert f"Removed on {at + timedelta(days=1):%Y-%m-%d}: explained by its last version." in text
    refused = CliRunner().invoke(build(), ["rules", "explain", "sle", "--scope", MAIL])
    assert "there is no rule “sle”" in str(refused.exception)


def test_a_rule_whose_file_is_broken_is_asked_by_its_last_version(lived: Lived, home: Path) -> None:
    (home / "rules" / "other.yaml").write_text(COARSE.replace("id: sla", "id: other"), encoding="utf-8")
    at = lived(RULE, 3)
    asked = [
        ("rules explain sla --scope", MAIL, "--as-of", at.isoformat()),
        ("targets --scope", MAIL, "--as-of", at.isoformat()),
    ]
    counted = dispositions.report(period("2025Q2"), as_of=at, ask=None).as_dict()
    before = [told(*one) for one in asked]
    assert "sla" in [one["rule"] for one in before[1]["targets"]]
    (home / "rules" / "sla.yaml").write_text("kind: [", encoding="utf-8")
    assert [told(*one) for one in asked] == before
    assert dispositions.report(period("2025Q2"), as_of=at, ask=None).as_dict() == counted
    (home / "rules" / "other.yaml").unlink()
    assert told(*asked[0]) == before[0]


def test_a_target_is_dated_back_also_after_the_rule_counted_something_else(lived: Lived) -> None:
    lived(RULE, 3)
    lived(HOURS, 2)
    lived(PAST, 1)
    (entry,) = entries("targets.restated")
    assert entry["payload"]["before_sha256"] == entries("rule.applied")[0]["payload"]["sha256"]
    assert entry["payload"]["turned"] > 0


def test_targets_of_a_moment_that_is_over_are_those_of_then(lived: Lived, home: Path) -> None:
    then = lived(RULE, 3)
    at = lived(RULE.replace("max: 15%", "max: 25%"), 1)

    def held(moment: datetime, *more: str) -> list[str]:
        found = told("targets --scope", MAIL, "--as-of", moment.isoformat(), *more)
        return [one["target"] for one in found["targets"]]

    assert (held(then), held(at)) == (["max 15%"], ["max 25%"])
    assert held(at, "--on", f"{then:%Y-%m-%d}") == ["max 15%"]
    (home / "rules" / "sla.yaml").write_text(RULE.replace("max: 15%", "max: 30%"), encoding="utf-8")
    assert (held(then), held(at)) == (["max 15%"], ["max 30%"])  # live at the next cycle


def test_a_rule_that_was_applied_later_had_no_target_yet(lived: Lived) -> None:
    then = lived(HOURS.replace("id: sla", "id: hours"), 2)
    at = lived(RULE, 1)

    def rules(moment: datetime, *more: str) -> set[str]:
        found = told("targets --scope", MAIL, "--as-of", moment.isoformat(), *more)
        return {one["rule"] for one in found["targets"]}

    assert (rules(then), rules(at)) == ({"hours"}, {"sla"})
    assert rules(at, "--on", f"{then:%Y-%m-%d}") == {"hours", "sla"}  # before it was applied, by its first version
    assert rules(then, "--rule", "hours") == {"hours"}
    refused = CliRunner().invoke(build(), ["targets", "--rule", "sla", "--as-of", then.isoformat()])
    assert f"sla had no target on {then:%Y-%m-%d}" in str(refused.exception)


def test_a_version_that_a_wrong_clock_made_live_is_in_force_although_its_moment_is_still_to_come(
    lived: Lived, home: Path
) -> None:
    then, now = lived(RULE, 2), datetime.now(UTC)
    (home / "rules" / "sla.yaml").write_text(RULE.replace("max: 15%", "max: 25%"), encoding="utf-8")
    live.live_rules(as_of=now + timedelta(days=200), errors=[])
    for moment, target in ((now, "max 25%"), (then, "max 15%")):
        found = told("targets --scope", MAIL, "--as-of", moment.isoformat())
        assert [one["target"] for one in found["targets"]] == [target]


@pytest.mark.parametrize("edit", [COARSE, RULE.replace("window: 4w", "window: 2w"), ""])
def test_a_breach_that_a_rule_looked_at_stays_so_when_it_is_edited_or_removed(
    lived: Lived, home: Path, edit: str
) -> None:
    (home / "rules" / "other.yaml").write_text(HOURS.replace("id: sla", "id: other"), encoding="utf-8")
    at, weeks_of = lived(RULE, 3), period("2025-06-01..2025-07-06")
    before = dispositions.report(weeks_of, as_of=at, ask=None).parts[0]
    later = lived(edit, 1)
    assert before.counts[Disposition.BELOW_THRESHOLD] > 0
    for moment in (at, later):
        assert dispositions.report(weeks_of, as_of=moment, ask=None).parts[0].counts == before.counts


def test_what_became_of_breaches_by_a_moment_stays_so_whatever_is_looked_back_on_later(lived: Lived) -> None:
    def told(at: datetime) -> dict[Disposition, dict[str, int]]:
        (part,) = dispositions.report(period("2025-03-01..2025-09-10"), as_of=at, ask=None).parts
        return {kind: part.details(kind) for kind in Disposition if kind is not Disposition.EXCLUDED}  # it grows

    hours = HOURS.replace("id: sla", "id: hours")
    by_then = {}
    for rule in (hours, RULE, hours, RULE, COARSE):  # none, a new one, none, it is back, edited
        at = lived(rule, 4)
        by_then[at] = told(at)
    assert [bool(one[Disposition.NO_RULE]) for one in by_then.values()] == [True, False, True, False, False]
    assert {at: told(at) for at in by_then} == by_then


def test_an_action_that_was_opened_later_is_not_named_of_a_moment_before(lived: Lived) -> None:
    def covered(at: datetime) -> list[str]:
        return list(dispositions.report(period("2025Q2"), as_of=at, ask=None).parts[0].details(Disposition.COVERED))

    fired = lived(RULE, 1)
    opened = lived(RULE, 1)
    assert covered(opened) == [f"sla [{MAIL}] ACT-1"]
    assert covered(fired) == [f"sla [{MAIL}]"]


def test_a_finding_covers_only_what_the_version_counts_that_it_fired_by(lived: Lived) -> None:
    lived(RULE.replace("max: 15%", "max: 90%"), 1)
    at = lived(RULE.replace("kind: incident,", "kind: incident, priority: [2],"), 3)
    assert Finding.objects.get(scope_key=MAIL).state == "firing"
    (part,) = dispositions.report(period("2025-06-01..2025-07-13"), as_of=at, ask=None).parts
    mail = [one for one in part.disposed if one.clock.dimensions["service"] == "Mail"]
    covered = {one.clock.dimensions["priority"] for one in mail if one.disposition is Disposition.COVERED}
    others = {one.disposition for one in mail if one.clock.dimensions["priority"] != 2}
    assert (covered, others) == ({2}, {Disposition.BELOW_THRESHOLD, Disposition.NO_RULE})
    assert set(part.details(Disposition.NO_RULE)) == {"no rule counts it (sla, resolution)"}


def test_a_removed_rule_is_explained_no_further_than_it_was_judged(lived: Lived, home: Path) -> None:
    at = lived(RULE, 3)
    (home / "rules" / "other.yaml").write_text(RULE.replace("id: sla", "id: other"), encoding="utf-8")
    live = told("rules explain sla --scope", MAIL, "--as-of", at.isoformat())
    later = lived("", 8)
    asked = ["rules explain sla --scope", MAIL, "--as-of", later.isoformat()]
    gone = told(*asked)
    told_of = ("rule_sha256", "window", "value", "target", "state", "course", "rows_sha256")
    assert [gone[name] for name in told_of] == [live[name] for name in told_of]
    text = CliRunner().invoke(build(), [*asked[0].split(), *asked[1:]]).stdout
    assert "Its findings ended with it; told is the last week that it judged." in text


def test_values_known_weeks_later_are_explained_by_the_target_they_were_held_against(lived: Lived) -> None:
    lived(HOURS.replace("max: 40h", "max: 1h"), 3)
    at = lived(HOURS, 2)
    for when, target, is_breaching in ((at - timedelta(weeks=2), 1.0, True), (at - timedelta(weeks=1), 40.0, False)):
        found = told("rules explain sla --scope", MAIL, "--as-of", when.isoformat())
        assert (found["target"]["value"], found["is_breaching"]) == (target, is_breaching)
        assert (found["published"]["target"], found["published"]["differs"]) == (target, False)


@pytest.mark.parametrize("is_told", [True, False])
def test_a_rule_that_came_back_and_was_removed_again_is_explained_by_its_last_life(
    lived: Lived, home: Path, monkeypatch: pytest.MonkeyPatch, is_told: bool
) -> None:
    """Also where the removal does not tell since when it was evaluated, as that of an earlier release."""
    lived(RULE, 3)
    (home / "rules" / "other.yaml").write_text(COARSE.replace("id: sla", "id: other"), encoding="utf-8")
    lived("", 5)
    lived(RULE.replace("max: 15%", "max: 40%"), 3)
    at = lived(RULE.replace("max: 15%", "max: 50%"), 2)
    live = told("rules explain sla --scope", MAIL, "--as-of", at.isoformat())
    assert live["course"][0]["target"] == "40%"
    if not is_told:
        append = ledger.append
        monkeypatch.setattr(
            ledger,
            "append",
            lambda kind, *, payload, **entry: append(
                kind, payload={name: of for name, of in payload.items() if name != "first_weeks"}, **entry
            ),
        )
    (home / "rules" / "sla.yaml").unlink()
    assert cycle.run_with([], as_of=at + timedelta(days=1)).rules == 1
    gone = told("rules explain sla --scope", MAIL, "--as-of", at.isoformat())
    assert gone["removed_at"] == (at + timedelta(days=1)).isoformat()
    told_of = ("rule_sha256", "value", "target", "state", "course", "published", "rows_sha256")
    assert [gone[name] for name in told_of] == [live[name] for name in told_of]
    (told_first, removed) = entries("rule.removed")
    assert ("first_weeks" in removed["payload"]) is is_told
    assert told_first["payload"]["first_weeks"] == {"snow": "2025-W01"}
    assert removed["payload"].get("first_weeks", {"snow": "2025-W09"}) == {"snow": "2025-W09"}  # 8 weeks later
    assert verifying.verify().is_ok


def test_values_of_another_series_are_compared_with_nothing(lived: Lived) -> None:
    lived(RULE, 3)
    at = lived(HOURS, 2)
    found = told("rules backtest", "--as-of", at.isoformat())
    assert (found["published_values_compared"], found["differs_from_live"]) == (0, [])
    assert told("rules explain sla --scope", MAIL, "--as-of", at.isoformat())["published"] is None
    at = lived(HOURS, 4)
    found = told("rules backtest", "--as-of", at.isoformat())
    assert (found["published_values_compared"], found["differs_from_live"]) == (2 * 4, [])


def test_the_barometer_draws_no_line_through_values_of_two_series(lived: Lived) -> None:
    lived(RULE, 3)
    lived(HOURS, 4)
    (customer,) = moods(a_person("anna", Role.AUDITOR))[0]
    assert [len(series.values) for series in customer.hard] == [2, 2]  # 26 with the shares from before
    assert {series.earlier for series in customer.hard} == {None}


def test_a_week_is_explained_by_the_version_that_judged_it(lived: Lived) -> None:
    before = lived(RULE, 3)
    at = lived(RULE.replace("max: 15%", "max: 40%"), 1)
    live = Finding.objects.get(scope_key=MAIL)
    assert live.state == "firing"  # a looser target alone resolves nothing: it has to be clear for four values
    now, then = (told("rules explain sla --scope", MAIL, "--as-of", one.isoformat()) for one in (at, before))
    assert (now["state"], now["target"]["value"], now["is_breaching"]) == ("firing", 0.4, False)
    assert (then["state"], then["target"]["value"], then["is_breaching"]) == ("firing", 0.15, True)
    assert [one["published"]["differs"] for one in (now, then)] == [False, False]
    assert now["rule_sha256"] != then["rule_sha256"]


def test_a_rule_that_comes_back_is_explained_by_the_version_that_looked_back(lived: Lived, home: Path) -> None:
    lived(RULE, 3)
    (home / "rules" / "other.yaml").write_text(COARSE.replace("id: sla", "id: other"), encoding="utf-8")
    lived("", 1)
    lived(RULE.replace("max: 15%", "max: 40%"), 2)
    at = lived(RULE.replace("max: 15%", "max: 50%"), 1)
    live = Finding.objects.get(rule_id="sla", scope_key=MAIL)
    said = told("rules explain sla --scope", MAIL, "--as-of", at.isoformat())
    assert said["state"] == live.state == "ok"
    assert said["course"][-2]["target"] == "40%"
    assert verifying.verify().is_ok


def test_what_is_said_of_now_and_the_live_finding_are_told_apart(lived: Lived) -> None:
    at = lived(RULE, 3)
    Finding.objects.filter(scope_key=MAIL).update(state="resolved")
    result = CliRunner().invoke(build(), ["rules", "explain", "sla", "--scope", MAIL, "--as-of", at.isoformat()])
    assert "Live it is resolved: a live finding rests on values as they were published." in result.stdout
    Point.objects.filter(finding__scope_key=MAIL).update(target_value=0.01)
    result = CliRunner().invoke(build(), ["rules", "explain", "sla", "--scope", MAIL, "--as-of", at.isoformat()])
    assert "held against 1%: what was recorded since changed it." in result.stdout


def test_a_target_dated_back_is_held_against_values_of_its_own_series_that_were_published_by_then(lived: Lived) -> None:
    lived(HOURS, 6)
    lived(RULE, 5)
    of_series = Point.objects.filter(version__document__spec__metric="sla_breach_rate").count()
    at = lived(PAST, 1)
    (entry,) = entries("targets.restated")
    assert entry["payload"]["points"] == of_series == 2 * 5
    at = lived(PAST, 2)
    (listed,) = told("targets --as-of", at.isoformat())["restatements"]
    assert digest(listed["points"]) == entry["payload"]["points_sha256"]
    assert {one["old_target"] for one in listed["points"]} == {"max 15%"}


def test_what_a_rule_looks_back_on_later_was_not_restated_by_a_target_of_before(lived: Lived) -> None:
    lived(COARSE, 1)
    lived(RULE, 4)
    lived(PAST, 1)
    lived(HOURS.replace("id: sla", "id: hours"), 1)
    at = lived(PAST, 1)
    entry = entries("targets.restated")[0]
    listed = told("targets --as-of", at.isoformat())["restatements"][0]
    assert len(listed["points"]) == entry["payload"]["points"] == 2 * 4
    assert digest(listed["points"]) == entry["payload"]["points_sha256"]


def test_a_rule_that_was_away_is_held_against_the_version_before(lived: Lived, home: Path) -> None:
    lived(RULE, 2)
    published = Point.objects.count()
    (home / "rules" / "other.yaml").write_text(RULE.replace("id: sla", "id: other"), encoding="utf-8")
    lived("", 1)
    lived(PAST, 1)
    (entry,) = entries("targets.restated")
    assert entry["payload"]["points"] == published


def test_a_finding_ends_with_its_rule_and_holds_no_later_breach(lived: Lived, home: Path) -> None:
    lived(RULE, 2)
    (home / "rules" / "other.yaml").write_text(COARSE.replace("id: sla", "id: other"), encoding="utf-8")
    at = lived("", 8)
    (ended,) = entries("finding.ended")
    assert (ended["subject"], ended["payload"]) == (
        f"sla/snow/{MAIL}",
        {"week": "2025-W27", "because": "its rule was removed"},
    )
    assert Finding.objects.get(rule_id="sla", scope_key=MAIL).state == "no_data"
    held = dispositions.report(period("2025-06-01..2025-07-06"), as_of=at).parts[0]
    later = dispositions.report(period("2025-07-07..2025-08-10"), as_of=at).parts[0]
    assert held.counts[Disposition.COVERED] > 10
    assert (later.counts[Disposition.COVERED], later.counts[Disposition.BELOW_THRESHOLD]) == (
        0,
        sum(later.counts.values()),
    )
    assert Action.objects.get().state == "proposed"
    assert verifying.verify().is_ok


@pytest.mark.parametrize("then", ["", HOURS])
def test_what_an_earlier_release_left_firing_holds_no_later_breach(
    lived: Lived, home: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    monkeypatch.setattr(ending, "end", lambda *_, **__: None)  # as then
    lived(RULE, 2)
    (home / "rules" / "other.yaml").write_text(COARSE.replace("id: sla", "id: other"), encoding="utf-8")
    at = lived(then, 8)
    assert entries("finding.ended") == []
    held = dispositions.report(period("2025-06-01..2025-07-06"), as_of=at).parts[0]
    later = dispositions.report(period("2025-07-14..2025-08-10"), as_of=at)
    assert held.counts[Disposition.COVERED] > 10
    assert (later.parts[0].counts[Disposition.COVERED], later.adds_up) == (0, True)


def test_an_edit_that_is_taken_back_within_the_week_ends_nothing(lived: Lived) -> None:
    lived(RULE, 2)
    lived(HOURS, 1, late=-timedelta(days=5))
    lived(RULE, 1, late=-timedelta(days=11))
    at = lived(RULE, 4, late=-timedelta(days=14))
    assert Finding.objects.get(scope_key=MAIL).state == "firing"
    assert (entries("finding.ended"), len(entries("finding.fired"))) == ([], 1)
    later = dispositions.report(period("2025-07-07..2025-07-20"), as_of=at)
    assert later.parts[0].counts[Disposition.COVERED] > 10
    assert verifying.verify().is_ok


def test_what_an_earlier_release_left_firing_ends_with_the_next_cycle(
    lived: Lived, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived(RULE, 2)
    (home / "rules" / "other.yaml").write_text(COARSE.replace("id: sla", "id: other"), encoding="utf-8")
    with monkeypatch.context() as then:
        then.setattr(ending, "end", lambda *_, **__: None)
        lived("", 1)
    assert Finding.objects.get(rule_id="sla", scope_key=MAIL).state == "firing"
    lived("", 2)
    assert Finding.objects.get(rule_id="sla", scope_key=MAIL).state == "no_data"
    assert [entry["payload"]["week"] for entry in entries("finding.ended")] == ["2025-W27"]
    assert verifying.verify().is_ok


def test_scopes_that_a_rule_does_not_have_any_more_get_no_values(lived: Lived) -> None:
    lived(RULE, 2)
    at = lived(COARSE, 8)
    assert [entry["payload"]["because"] for entry in entries("finding.ended")] == ["its rule counts something else"]
    newest = Point.objects.filter(finding__scope_key=MAIL).latest("week").week
    assert weeks.label(newest) == "2025-W27"
    later = dispositions.report(period("2025-07-14..2025-08-10"), as_of=at)
    assert (later.parts[0].counts[Disposition.COVERED], later.adds_up) == (0, True)
    assert verifying.verify().is_ok


def test_the_order_of_lists_makes_no_other_series(lived: Lived) -> None:
    lived(RULE, 2)
    lived(RULE.replace("by: [customer, country, service]", "by: [service, country, customer]"), 1)
    assert Finding.objects.get(scope_key=MAIL).state == "firing"
    assert (entries("finding.ended"), len(entries("finding.fired"))) == ([], 1)


def test_evidence_of_a_cycle_that_was_broken_off_before_it_opened_anything_is_kept(
    lived: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed_when_it_fires_again(*arguments: Any, **named: Any) -> opening.OpenResult:
        if Finding.objects.filter(scope_key=MAIL, times_fired=2).exists():
            raise Killed
        return open_actions(*arguments, **named)

    open_actions = opening.open_actions
    hasty = RULE.replace("trigger:", "clear: {for: 1w}\n  trigger:")
    with monkeypatch.context() as patched:
        patched.setattr(opening, "open_actions", killed_when_it_fires_again)
        with pytest.raises(Killed):
            lived(hasty, 20)
    action = Action.objects.get()
    assert not action.transitions.filter(event="evidence").exists()
    for _ in range(2):
        lived(hasty, 1, late=timedelta(hours=1))
        assert action.transitions.filter(event="evidence").count() == 1


def test_evidence_that_is_told_is_looked_for_in_one_query(lived: Lived, django_assert_max_num_queries: Any) -> None:
    hasty = RULE.replace("trigger:", "clear: {for: 1w}\n  trigger:")
    lived(hasty, 21)
    assert Action.objects.get().transitions.filter(event="evidence").count() == 1
    with django_assert_max_num_queries(1):
        assert opening._with_new_evidence("snow") == []
    Action.objects.get().transitions.filter(event="evidence").update(note="fired again [country=CH,customer=Acme]")
    assert opening._with_new_evidence("snow") == [("sla", MAIL)]


def test_what_fires_by_another_metric_is_told_in_its_own_unit(lived: Lived) -> None:
    lived(RULE, 2)
    lived(HOURS.replace("max: 40h", "max: 0.5h"), 3)
    note = Action.objects.get(scope_key=MAIL).transitions.get(event="evidence").note
    assert note.startswith("fired again: Time to resolve")
    assert " h on " in note


def test_nothing_opens_by_a_rule_on_what_fired_by_another_series(lived: Lived) -> None:
    lived(RULE.replace("mode: open", "mode: observe"), 2)
    assert Finding.objects.get(scope_key=MAIL).state == "firing"
    lived(HOURS, 1, late=-timedelta(days=5))  # edited, and run, within the week
    assert not Action.objects.exists()
    lived(HOURS.replace("max: 40h", "max: 0.5h"), 3)
    assert "h" in Action.objects.get(scope_key=MAIL).trigger["value_text"]
    assert verifying.verify().is_ok


def test_a_version_that_is_replaced_while_a_cycle_runs_opens_nothing_any_more(
    lived: Lived, home: Path, monday: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposing = RULE.replace("mode: open", "mode: propose")
    countable = cycle._countable

    def replaced(*arguments: Any) -> Any:
        (home / "rules" / "sla.yaml").write_text(proposing, encoding="utf-8")
        live.live_rules(as_of=monday + timedelta(weeks=1), errors=[])
        return countable(*arguments)

    lived(RULE, 1)
    with monkeypatch.context() as patched:
        patched.setattr(cycle, "_countable", replaced)
        lived(RULE, 1)
    assert Finding.objects.get(scope_key=MAIL).state == "firing"
    assert not Action.objects.exists()
    lived(proposing, 1)
    assert [action.is_accepted for action in Action.objects.all()] == [False]
