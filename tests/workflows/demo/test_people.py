"""The demo's people: each does what is theirs to do, week by week, until the action is closed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from connectors.sandbox.scenario import Truth, scopes_of
from improvement.errors import WriteRefused
from improvement.pdca import ActionFacts, Actor, Event, Moved, Refused, State, transition
from tests.workflows.build import an_action as a_registered_action
from tests.workflows.build import an_owner
from workflows.actions.loop import detail
from workflows.demo.desks import Desk
from workflows.demo.people import Deed, Outcome, People
from workflows.demo.scripts import GENERIC_ACCEPTANCE, GENERIC_HYPOTHESIS, ActionView, script_for
from workflows.demo.year import shown

EVENTS = {
    "submit": Event.SUBMIT,
    "approve": Event.APPROVE,
    "start": Event.START,
    "golive": Event.GO_LIVE,
    "standardise": Event.STANDARDISE,
    "stop": Event.STOP,
}
OPENED = datetime(2025, 7, 14, 12, tzinfo=UTC)


@dataclass
class Product:
    """Regelkreis as its commands show it, with the real state machine and nothing else."""

    facts: ActionFacts
    today: date = date(2025, 7, 14)
    said: list[tuple[str, ...]] = field(default_factory=list)
    has_sustaining_look: bool = False

    def run(self, username: str, *arguments: str) -> Outcome:
        self.said.append((username, *arguments))
        command, options = arguments[1], list(arguments[3:])
        if command == "plan":
            given = dict(zip(options[::2], options[1::2], strict=True))
            self.facts = replace(
                self.facts,
                hypothesis=given.get("--hypothesis", self.facts.hypothesis),
                golive_planned=date.fromisoformat(given.get("--golive", str(self.facts.golive_planned))),
                detectable_accepted_reason=given.get("--accept-detectable", self.facts.detectable_accepted_reason),
            )
            return Outcome(True)
        if command == "acknowledge":
            return Outcome(self.has_sustaining_look, "" if self.has_sustaining_look else "no sustaining look waits")
        event = (
            {"standardise": Event.STANDARDISE, "stop": Event.STOP}[options[0]]
            if command == "decide"
            else EVENTS[command]
        )
        return self.event(event, username, options)

    def event(self, event: Event, actor: str, options: list[str] | None = None, verdict: str | None = None) -> Outcome:
        given = options or []
        outcome = transition(
            self.facts,
            event,
            actor=Actor(actor),
            today=self.today,
            reason=given[given.index("--reason") + 1] if "--reason" in given else "",
            implemented_on=date.fromisoformat(given[given.index("--on") + 1]) if "--on" in given else None,
            verdict=verdict,
        )
        if isinstance(outcome, Refused):
            return Outcome(False, "; ".join(outcome.reasons))
        assert isinstance(outcome, Moved)
        self.facts = outcome.facts
        return Outcome(True)

    def commands(self, who: str) -> list[str]:
        return [arguments[2] for arguments in self.said if arguments[0] == who]


@dataclass
class Paper:
    """A platform that writes down what people do; ``refuses`` names what it does not let them do."""

    has_approvals: bool
    asks_for_approval: bool = True
    refuses: set[str] = field(default_factory=set)
    deeds: list[tuple[str, str]] = field(default_factory=list)

    def _note(self, what: str, who: str) -> None:
        if what in self.refuses:
            raise WriteRefused(f"{what} refused")
        self.deeds.append((what, who))

    def take_over(self, record: str, owner: str, *, due: date) -> None:
        self._note("take over", owner)

    def add_tasks(self, record: str, owner: str, titles: tuple[str, ...]) -> None:
        self._note("add tasks", owner)

    def hand_in(self, record: str, owner: str, approver: str) -> None:
        self._note("hand in", owner)

    def approve(self, record: str, approver: str) -> bool:
        self._note("approve", approver)
        return self.asks_for_approval

    def begin(self, record: str, owner: str) -> None:
        self._note("begin", owner)

    def finish_tasks(self, record: str, owner: str) -> None:
        self._note("finish tasks", owner)

    def review(self, record: str, owner: str) -> None:
        self._note("review", owner)

    def comment(self, record: str, person: str, text: str) -> None:
        self._note("comment", person)

    def close(self, record: str, owner: str, *, is_success: bool, note: str) -> None:
        self._note("close as a success" if is_success else "close", owner)


def an_action(platform: str = "jira", truth: Truth = Truth.EFFECT, **changes: object) -> ActionView:
    scope = next(scope for scope in scopes_of(platform) if scope.truth is truth)
    view = ActionView(
        code="ACT-3",
        platform=platform,
        state="proposed",
        scope=(("country", scope.country), ("customer", scope.customer), ("service", scope.service)),
        metric=scope.metric or "sla_breach_rate",
        owner=scope.owner,
        golive_planned=None,
        implemented_on=None,
        verdict=None,
        record="CIP-1",
    )
    return replace(view, **changes)  # type: ignore[arg-type]


def a_product(owner: str, *, detectable: float = 0.3) -> Product:
    return Product(
        ActionFacts(
            state=State.PROPOSED,
            owner=owner,
            metric="sla_breach_rate",
            goal=0.7,
            min_effect=0.35,
            detectable_effect=detectable,
            has_windows=True,
            has_controls=True,
            trigger_last=date(2025, 7, 6),
        )
    )


def as_shown(product: Product, action: ActionView) -> ActionView:
    return replace(
        action,
        state=product.facts.state.value,
        golive_planned=product.facts.golive_planned,
        implemented_on=product.facts.implemented_on,
        verdict=product.facts.verdict,
    )


def live_through(product: Product, desk: Desk, action: ActionView, *, mondays: int, follow: bool = False) -> list[Deed]:
    """Play week after week; with ``follow``, what people did on the platform reaches the product after each."""
    people = People(product, {action.platform: desk})
    deeds = []
    for week in range(mondays):
        now = OPENED + timedelta(weeks=week)
        product.today = now.date()
        done = people.play(now, [as_shown(product, action)])
        deeds += done
        if follow:
            for deed in done:
                if deed.is_done and deed.what == "approve on the platform":
                    product.event(Event.APPROVE, deed.who)
                if deed.is_done and deed.what == "begin":
                    product.event(Event.START, "platform")
    return deeds


def test_on_jira_an_action_goes_live_on_its_day_by_commands_of_different_people() -> None:
    action = an_action("jira")
    product, desk = a_product("luca.meier"), Paper(has_approvals=False)
    live_through(product, desk, action, mondays=9)
    assert product.facts.state is State.CHECKING
    assert product.facts.implemented_on == date(2025, 9, 1)
    assert product.facts.approved_by == "petra.huber"
    assert not product.facts.is_late
    assert product.commands("petra.huber") == ["approve"]
    assert product.commands("luca.meier") == ["plan", "submit", "start", "golive"]
    assert (product.said[-1][2], product.said[-1][6]) == ("golive", "--ref")
    assert [what for what, _ in desk.deeds] == [
        "take over", "add tasks", "hand in", "begin", "finish tasks", "comment", "review",
    ]  # fmt: skip


def test_on_servicenow_the_approval_and_the_start_happen_on_the_platform() -> None:
    action = an_action("servicenow")
    product, desk = a_product("anna.frei"), Paper(has_approvals=True)
    live_through(product, desk, action, mondays=9, follow=True)
    assert product.facts.state is State.CHECKING
    assert product.facts.implemented_on == date(2025, 8, 25)
    assert product.commands("martin.keller") == []
    assert product.commands("anna.frei") == ["plan", "submit", "golive"]
    assert ("approve", "martin.keller") in desk.deeds


def test_where_the_platform_asked_for_no_approval_the_approver_uses_ours() -> None:
    action = an_action("servicenow")
    product, desk = a_product("anna.frei"), Paper(has_approvals=True, asks_for_approval=False)
    live_through(product, desk, action, mondays=3, follow=True)
    assert product.commands("martin.keller") == ["approve"]
    assert product.facts.state is State.DOING


def test_a_platform_that_refuses_is_reported_and_tried_again() -> None:
    action = an_action("servicenow")
    product, desk = a_product("anna.frei"), Paper(has_approvals=True, refuses={"take over"})
    people = People(product, {"servicenow": desk})
    first = people.play(OPENED, [as_shown(product, action)])
    assert next((deed.what, deed.is_done) for deed in first) == ("take over", False)
    assert product.facts.state is State.PLANNED
    product.facts = replace(product.facts, state=State.PROPOSED)  # rejected: the owner has to try again
    desk.refuses.clear()
    second = people.play(OPENED + timedelta(weeks=1), [as_shown(product, action)])
    assert [deed.what for deed in second if deed.is_done][:2] == ["take over", "add tasks"]


def test_a_goal_below_the_detectable_effect_is_accepted_with_a_reason() -> None:
    few, usual = an_action("jira", Truth.FEW), an_action("jira", Truth.REGRESSION)
    for action, reason in ((few, "So few tickets"), (usual, GENERIC_ACCEPTANCE)):
        product = a_product(action.owner or "", detectable=1.5)
        live_through(product, Paper(has_approvals=False), action, mondays=1)
        assert product.facts.state is State.PLANNED
        assert product.facts.detectable_accepted_reason.startswith(reason[:14])


@pytest.mark.parametrize(
    ("verdict", "state", "closing"),
    [
        ("improved", State.SUSTAINING, None),
        ("improved, not attributable", State.SUSTAINING, None),
        ("recovered", State.CLOSED, "close"),
        ("worse", State.CLOSED, "close"),
        ("not enough data", State.CLOSED, "close"),
    ],
)
def test_owners_decide_by_the_verdict_alone(verdict: str, state: State, closing: str | None) -> None:
    action = an_action("jira")
    product, desk = a_product("luca.meier"), Paper(has_approvals=False)
    product.facts = replace(product.facts, state=State.ACTING, verdict=verdict)
    live_through(product, desk, action, mondays=3)
    assert product.facts.state is state
    assert [what for what, _ in desk.deeds] == ([closing] if closing else [])


def test_a_sustaining_look_is_acknowledged_when_there_is_one() -> None:
    action = an_action("jira")
    product = a_product("luca.meier")
    product.facts = replace(product.facts, state=State.SUSTAINING, verdict="improved")
    assert live_through(product, Paper(has_approvals=False), action, mondays=2) == []
    product.has_sustaining_look = True
    deeds = live_through(product, Paper(has_approvals=False), action, mondays=1)
    assert [deed.what for deed in deeds] == ["acknowledge"]


def test_an_approval_that_does_not_count_is_given_again() -> None:
    action = an_action("jira")
    product, desk = a_product("luca.meier"), Paper(has_approvals=False)
    people = People(product, {"jira": desk})
    for week in range(2):
        people.play(OPENED + timedelta(weeks=week), [as_shown(product, action)])
    assert product.facts.is_approved
    product.facts = replace(product.facts, approved_by=None)  # a new version of the plan
    for week in range(2, 5):
        product.today = (OPENED + timedelta(weeks=week)).date()
        people.play(OPENED + timedelta(weeks=week), [as_shown(product, action)])
    assert product.commands("petra.huber") == ["approve", "approve"]
    assert product.facts.state is State.DOING


def test_an_action_outside_the_script_is_planned_in_general_words_four_weeks_after_approval() -> None:
    action = an_action("servicenow", Truth.QUIET, metric="reopen_rate", owner=None)
    script = script_for(action, OPENED.date())
    assert script is not None
    assert script.hypothesis == GENERIC_HYPOTHESIS
    assert script.golive == date(2025, 8, 18)
    assert script.owner == "anna.frei"
    assert script.owner != script.approver


def test_a_scripted_go_live_that_cannot_be_met_moves_to_a_later_monday() -> None:
    script = script_for(an_action("servicenow"), date(2025, 8, 18))
    assert script is not None
    assert script.golive == date(2025, 9, 22)


def test_an_action_of_a_whole_customer_belongs_to_the_customers_owner_and_a_strangers_to_nobody() -> None:
    customer = an_action("jira", scope=(("customer", "Lakeside Retail"),), metric="contact_gap", owner=None)
    script = script_for(customer, OPENED.date())
    assert script is not None
    assert script.owner == "grace.miller"
    stranger = an_action("jira", scope=(("customer", "Nobody"),), owner=None)
    assert script_for(stranger, OPENED.date()) is None
    assert People(a_product("x"), {}).play(OPENED, [stranger]) == []


@pytest.mark.django_db
def test_people_go_by_what_the_register_prints() -> None:
    action = a_registered_action(an_owner(), golive_planned=date(2025, 8, 25), platform_number="CIM0001002")
    printed = detail(action)
    view = shown(action, "servicenow")
    assert view.scope_key == "country=CH,customer=Acme"
    assert (view.code, view.state, view.owner) == (printed["id"], printed["state"], printed["owner"])
    assert (view.record, view.verdict, view.goal) == (printed["record"], printed["verdict"], printed["goal"])
    assert view.golive_planned is not None
    assert view.golive_planned.isoformat() == printed["golive_planned"]
