"""The precedence table: every outcome has exactly one verdict, and each row is reached."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from improvement.check.model import Status
from improvement.check.verdict import TABLE, Outcome, decide
from improvement.vocabulary import Verdict

effects = st.floats(-3, 3, allow_nan=False)
guards = st.tuples(*(st.tuples(st.just(number), st.sampled_from(Status)) for number in range(1, 9)))


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    """Anything a look can find, as the look would find it: the side fits the estimate, the interval holds it."""
    effect = draw(effects)
    side = draw(st.sampled_from([0, 1 if effect > 0 else -1])) if effect else 0
    goal = draw(st.floats(0.05, 2))
    return Outcome(
        is_computed=draw(st.booleans() | st.just(True)),
        has_data=draw(st.booleans() | st.just(True)),
        side=side,
        effect=effect,
        high=max(effect, 0.0 if side == 0 else effect) + draw(st.floats(0, 2)),
        is_last_look=draw(st.booleans()),
        guards=draw(guards),
        has_controls=draw(st.booleans()),
        season_agrees=draw(st.booleans()),
        min_effect=goal * draw(st.floats(0.1, 1)),
        goal=goal,
        is_recovered=draw(st.booleans()) and side == 0,
        has_faded=draw(st.booleans()) and side >= 0,
    )


def in_words(o: Outcome) -> tuple[Verdict, str]:
    """The table once more, written as prose would be: what the rows mean without their order."""
    fails = {number for number, status in o.guards if status is Status.FAILED}
    if not o.is_computed:
        return Verdict.NOT_COMPUTED, "1"
    if not o.has_data:
        return Verdict.NOT_ENOUGH_DATA, "2"
    if o.side < 0:
        is_sure = o.has_controls and o.season_agrees and not fails & {4, 5}
        return (Verdict.WORSE, "3") if is_sure else (Verdict.NOT_ENOUGH_DATA, "3b")
    if o.has_faded or (o.side > 0 and o.is_last_look and 2 in fails):
        return Verdict.FADED, "4"
    if o.side > 0:
        if fails & {3, 4, 5, 6, 7, 8}:
            return Verdict.NOT_ATTRIBUTABLE, "5"
        return (Verdict.NO_CHANGE, "6") if o.effect < o.min_effect else (Verdict.IMPROVED, "7")
    if o.is_recovered:
        return Verdict.RECOVERED, "8"
    return (Verdict.NO_CHANGE, "9") if o.high < o.goal else (Verdict.NOT_ENOUGH_DATA, "10")


@given(outcomes())
@settings(max_examples=1500, deadline=None)
def test_every_outcome_has_exactly_one_verdict_and_a_reason(outcome: Outcome) -> None:
    row, reason = decide(outcome)
    assert (row.verdict, row.number) == in_words(outcome)
    assert reason


@given(outcomes())
@settings(max_examples=500, deadline=None)
def test_nothing_is_improved_while_a_guard_fails(outcome: Outcome) -> None:
    row, _ = decide(outcome)
    if row.verdict is Verdict.IMPROVED:
        assert outcome.side > 0
        assert outcome.effect >= outcome.min_effect
        assert not outcome.failed(3, 4, 5, 6, 7, 8)
        assert not (outcome.is_last_look and outcome.failed(2))


def test_the_table_has_its_rows_in_their_order_and_all_eight_verdicts() -> None:
    assert [row.number for row in TABLE] == ["1", "2", "3", "3b", "4", "5", "6", "7", "8", "9", "10"]
    assert {row.verdict for row in TABLE} == set(Verdict)


def test_what_cannot_be_computed_is_never_no_change() -> None:
    row, reason = decide(Outcome(is_computed=False, why_not_computed="no_family", goal=0.3))
    assert (row.verdict, reason) == (Verdict.NOT_COMPUTED, "no_family")


def test_a_guard_that_was_not_computed_neither_passes_nor_fails() -> None:
    mix = ((6, Status.NOT_COMPUTED),)
    assert decide(Outcome(side=1, effect=0.5, high=1, min_effect=0.1, goal=0.3, guards=mix))[0].verdict == "improved"


def test_the_reason_names_the_first_guard_that_failed() -> None:
    failing = ((3, Status.PASSED), (6, Status.FAILED), (8, Status.FAILED))
    assert decide(Outcome(side=1, effect=0.5, high=1, guards=failing, goal=0.3))[1] == "mix"
