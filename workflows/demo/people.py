"""The people of the demo: owners and approvers who read the register every Monday and do what is theirs to do.

On the platform they change what it carries (owner, due date, tasks, approvals, state, comments), each signed in as
themselves. What only Regelkreis knows (hypothesis, goal, go-live, decisions; on plain Jira the approval) they enter
with the same commands as everybody. They never see the scenario's truth: a verdict is all they decide by.

Call :meth:`People.play` with the sandbox clock at that moment and before the cycle, so that *follow* finds what they
did. A refusal is reported, never raised: people try again next week.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

from improvement.errors import RegelkreisError
from improvement.pdca import SUSTAINED_VERDICTS, State
from workflows.demo.desks import Desk
from workflows.demo.scripts import GENERIC_ACCEPTANCE, ActionView, Script, script_for

DUE_AFTER_GOLIVE = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command answered; ``text`` is what it printed."""

    is_ok: bool
    text: str = ""


class Commands(Protocol):
    """Runs ``regelkreis …`` as somebody, at the demo's moment."""

    def run(self, username: str, *arguments: str) -> Outcome:
        """Run one command with this person's token; never raises for a refusal."""
        ...


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing a person did or tried."""

    who: str
    action: str
    what: str
    is_done: bool
    detail: str = ""


@dataclass(slots=True)
class People:
    """Everybody, and what they remember having done.

    ``desks`` by platform (``servicenow``, ``jira``); a platform without one is only acted on through commands.
    """

    commands: Commands
    desks: Mapping[str, Desk]
    _scripts: dict[tuple[str, int], Script] = field(default_factory=dict)
    _done: set[tuple[str, int, str]] = field(default_factory=set)

    def play(self, now: datetime, register: Iterable[ActionView]) -> list[Deed]:
        """One Monday: everybody does the next thing for each action in the register; ``now`` is aware."""
        deeds: list[Deed] = []
        for action in register:
            script = self._script(action, now.date())
            if script is not None:
                _Turn(self, action, script, now.date(), deeds).take()
        return deeds

    def has_done(self, action: ActionView, what: str) -> bool:
        """Whether this was done in the action's present cycle."""
        return (action.code, action.cycle_no, what) in self._done

    def remember(self, action: ActionView, what: str) -> None:
        """It need not be done again in this cycle of the action."""
        self._done.add((action.code, action.cycle_no, what))

    def forget(self, action: ActionView, what: str) -> None:
        """It has to be done once more."""
        self._done.discard((action.code, action.cycle_no, what))

    def _script(self, action: ActionView, today: date) -> Script | None:
        key = (action.code, action.cycle_no)
        if key not in self._scripts:
            script = script_for(action, today)
            if script is None:
                return None
            self._scripts[key] = script
        return self._scripts[key]


@dataclass(slots=True)
class _Turn:
    """What the people of one action do on one Monday."""

    people: People
    action: ActionView
    script: Script
    today: date
    deeds: list[Deed]

    def take(self) -> None:
        """The one thing that the action's state asks for."""
        move = MOVES.get(State(self.action.state))
        if move is not None:
            move(self)

    def propose(self) -> None:
        """The owner takes the action over, plans it and hands it in."""
        script = self.script
        if self._desk_does("take over", lambda desk, record: desk.take_over(record, script.owner, due=self._due())):
            self._desk_does("add tasks", lambda desk, record: desk.add_tasks(record, script.owner, script.tasks))
        plan = ["--hypothesis", script.hypothesis, "--golive", script.golive.isoformat()]
        plan += ["--goal", script.goal] if script.goal else []
        plan += ["--accept-detectable", script.accepts_undetectable] if script.accepts_undetectable else []
        if not self._command(script.owner, "plan", *plan).is_ok:
            return
        handed_in = self._command(script.owner, "submit")
        if not handed_in.is_ok and "detectable" in handed_in.text:
            self._command(script.owner, "plan", "--accept-detectable", GENERIC_ACCEPTANCE)
            handed_in = self._command(script.owner, "submit")
        if handed_in.is_ok:
            self._desk_does("hand in", lambda desk, record: desk.hand_in(record, script.owner, script.approver))

    def approve_or_begin(self) -> None:
        """A week after it was handed in the approver approves; a week later the owner begins."""
        script = self.script
        if not self.people.has_done(self.action, "approve"):
            self._approve()
            return
        self._desk_does("begin", lambda desk, record: desk.begin(record, script.owner))
        desk = self._desk()
        if desk is not None and desk.has_approvals and not self.people.has_done(self.action, "wait for follow"):
            self.people.remember(self.action, "wait for follow")  # the record's state says it; the cycle reads it
            return
        started = self._command(script.owner, "start")
        if started.is_ok:
            self.go_live()
        elif "not approved" in started.text:
            self.people.forget(self.action, "approve")  # a new version of the plan, or an approval that lapsed

    def go_live(self) -> None:
        """On the planned day, or the first Monday after it, the owner reports the go-live and closes the tasks."""
        golive = self.action.golive_planned or self.script.golive
        if self.today < golive or self.action.implemented_on is not None:
            return
        reference = ["--ref", self.script.change_ref] if self.script.change_ref else []
        if self._command(self.script.owner, "golive", "--on", golive.isoformat(), *reference).is_ok:
            self._desk_does("finish tasks", lambda desk, record: desk.finish_tasks(record, self.script.owner))
            text = f"Live since {golive}." + (f" Change: {self.script.change_ref}." if self.script.change_ref else "")
            self._desk_does("report", lambda desk, record: desk.comment(record, self.script.owner, text))

    def watch(self) -> None:
        """While the check runs the record is in review."""
        self._desk_does("review", lambda desk, record: desk.review(record, self.script.owner))

    def decide(self) -> None:
        """The owner decides by the verdict alone: what improved becomes the standard, all else stops."""
        verdict = self.action.verdict or "no verdict"
        if verdict in SUSTAINED_VERDICTS:
            self._command(
                self.script.owner, "decide", "standardise", "--reason", f"The verdict is {verdict}: we keep it."
            )
        else:
            self._command(
                self.script.owner,
                "decide",
                "stop",
                "--reason",
                f"The verdict is {verdict}: this measure does not show what we hoped for.",
            )

    def acknowledge(self) -> None:
        """The owner reads the sustaining looks; most weeks there is nothing to read."""
        answer = self.people.commands.run(self.script.owner, "actions", "acknowledge", self.action.code)
        if answer.is_ok:
            self.deeds.append(Deed(self.script.owner, self.action.code, "acknowledge", True))

    def close(self) -> None:
        """What is closed with us is closed on the platform."""
        is_success = self.action.verdict == "improved"
        note = f"Closed after review. Verdict: {self.action.verdict or 'none'}."
        self._desk_does(
            "close", lambda desk, record: desk.close(record, self.script.owner, is_success=is_success, note=note)
        )

    def _approve(self) -> None:
        approver = self.script.approver
        desk = self._desk()
        was_asked = False
        if desk is not None and desk.has_approvals and self.action.record is not None:
            record = self.action.record
            try:
                was_asked = desk.approve(record, approver)
            except RegelkreisError as error:
                self.deeds.append(Deed(approver, self.action.code, "approve on the platform", False, str(error)))
        if was_asked:
            self.deeds.append(Deed(approver, self.action.code, "approve on the platform", True))
            self.people.remember(self.action, "approve")
        elif self._command(approver, "approve").is_ok:
            self.people.remember(self.action, "approve")

    def _desk(self) -> Desk | None:
        return self.people.desks.get(self.action.platform)

    def _desk_does(self, what: str, act: Callable[[Desk, str], None]) -> bool:
        """Do it once per cycle of the action; nothing where there is no record on the platform (yet)."""
        desk, record = self._desk(), self.action.record
        if desk is None or record is None or self.people.has_done(self.action, what):
            return False
        try:
            act(desk, record)
        except RegelkreisError as error:
            self.deeds.append(Deed(self.script.owner, self.action.code, what, False, str(error)))
            return False
        self.people.remember(self.action, what)
        self.deeds.append(Deed(self.script.owner, self.action.code, what, True))
        return True

    def _command(self, who: str, command: str, *options: str) -> Outcome:
        arguments = list(options)
        decision = [arguments.pop(0)] if command == "decide" else []
        answer = self.people.commands.run(who, "actions", command, self.action.code, *decision, *arguments)
        self.deeds.append(Deed(who, self.action.code, f"actions {command}", answer.is_ok, answer.text))
        return answer

    def _due(self) -> date:
        return self.script.golive + DUE_AFTER_GOLIVE


MOVES: dict[State, Callable[[_Turn], None]] = {
    State.PROPOSED: _Turn.propose,
    State.PLANNED: _Turn.approve_or_begin,
    State.DOING: _Turn.go_live,
    State.CHECKING: _Turn.watch,
    State.ACTING: _Turn.decide,
    State.SUSTAINING: _Turn.acknowledge,
    State.CLOSED: _Turn.close,
}
