"""Kill a process that delivers, by SIGKILL and at a moment of each kind of request; the next one delivers again."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from bench.faults.desks import Desk, Desks, Step, Story
from bench.faults.kinds import KINDS, TABLES, Kind
from bench.faults.places import PAGE, ROOT
from bench.faults.traps import Rule
from bench.faults.writing import shown
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from improvement.records import RecordRef, Verb

FOR_EVER = 1_000_000  # searches that do not see what is new
FOR_EVER_S, LATE_S, PATIENCE_S = 3600, 0.8, 20.0
SETTLED, A_DAY = 11, 25 * 60  # minutes after which what was sent is sent again, or given up (decisions/011)
SENT, WAITING, DEAD = "sent", "waiting", "dead"
#: The reading of what is there, before anything is sent.
LOOKING: dict[str, Rule] = {
    "servicenow": {"method": "GET", "path": "/table/(sys_journal_field|sys_attachment|sn_cim|problem$|task$|u_)"},
    "jira": {"path": r"/search(/jql)?$|/issue/\d+$"},
}


class Wrong(Exception):
    """What makes a cell red."""


def kill_cells(
    moment: str, desks: Desks, killers: Killers, flavour: Flavour, mode: str = "", kinds: Sequence[str] = ()
) -> dict[str, str]:
    """For each kind of request (or ``kinds`` only) "" where it took effect once although a process was killed at this
    moment; else what is wrong.
    """
    cells: dict[str, str] = {}
    act, options = MOMENTS[moment], {"index_lag": FOR_EVER} if moment in INDEXED else {}
    with desks.at(flavour, mode) as desk, desk.trapped(**options):
        delivery = killers.delivering(desk)
        story = delivery.story()
        for kind in desk.kinds:
            if kind.no_place or (kind.is_inside and moment != IN_EFFECT):
                continue
            if kind.is_apart and act is _answer_lost:  # the record is there: it follows with the next update
                continue
            is_meant = kind.name in kinds if kinds else moment not in INDEXED or kind.name in SEARCHED
            if not is_meant and kind.verb is not Verb.CREATE:
                continue
            one = delivery.story() if kind.is_apart else story
            try:
                if is_meant:
                    cells[kind.name] = _cell(act, kind, one, delivery)
                elif not kind.is_apart:
                    delivery.delivered(one, one.step(kind))
            except Exception as error:  # whatever happens makes its cell red
                cells[kind.name] = str(error)[:200] if isinstance(error, Wrong) else shown(error)
    return cells


def _cell(moment: Moment, kind: Kind, story: Story, delivery: Delivering) -> str:
    step = story.step(kind)
    delivery.queue(story, step)
    moment(kind, story, step, delivery)
    delivery.settled(story, step)
    return story.wrong()


# --- the moments ------------------------------------------------------------------------------------------------


def _while_looking(kind: Kind, story: Story, step: Step, delivery: Delivering) -> None:
    """It has noted that it begins, and looks for what is there: nothing was sent."""
    looking = LOOKING["servicenow" if story.desk.is_servicenow else "jira"]
    delivery.kill({"kind": "slow", "seconds": FOR_EVER_S, **looking})
    _stands_as_before(kind, story)


def _on_its_way(kind: Kind, story: Story, step: Step, delivery: Delivering) -> None:
    """It has sent the request, which never takes effect."""
    delivery.kill(kind.met_by({"kind": "slow", "seconds": FOR_EVER_S}))
    if not kind.after and not kind.is_apart:  # else other requests before it took effect
        _stands_as_before(kind, story)


def _effect_comes_late(kind: Kind, story: Story, step: Step, delivery: Delivering) -> None:
    """The next process looks before the request takes effect, and must not take it for lost."""
    delivery.kill(kind.met_by({"kind": "slow", "seconds": LATE_S}))
    killed = time.monotonic()
    delivery.deliver()
    time.sleep(max(0.0, killed + LATE_S + 0.1 - time.monotonic()))


def _took_effect(kind: Kind, story: Story, step: Step, delivery: Delivering) -> None:
    """The request took effect, and the process is killed before it commits that."""
    delivery.kill(kind.met_by({"kind": "stall", "seconds": FOR_EVER_S}), once=took_effect(kind, story))


def _answer_lost(kind: Kind, story: Story, step: Step, delivery: Delivering) -> None:
    """The request took effect and was answered by a reset; the process that looks for it is killed."""
    running, flavour = delivery.desk.running, delivery.desk.flavour
    running.set_faults(flavour, kind.met_by({"kind": "reset_after"}))
    delivery.deliver()
    hits = [rule["hits"] for rule in running.control(flavour, "GET", "faults")]
    running.set_faults(flavour)
    if hits != [1]:
        raise Wrong("the trap was met by no request")
    if kind.verb is Verb.UPDATE:  # a change of fields is not looked for before its doubt is over
        delivery.killers.minutes += SETTLED
    looking = LOOKING["servicenow" if story.desk.is_servicenow else "jira"]
    delivery.kill({"kind": "slow", "seconds": FOR_EVER_S, **looking})


def took_effect(kind: Kind, story: Story) -> Callable[[], bool]:
    """Whether the next request of a kind has taken effect."""
    before = story.found()

    def is_there() -> bool:
        found = story.found()
        if kind.triggers and not kind.path.endswith("batch$"):
            return len(found["links"]) - len(before["links"]) == kind.after + 1
        if kind.is_apart:
            return any(_filled(found.get(name)) for name in kind.seen_in)
        return _part(kind, found) != _part(kind, before)

    return is_there


def _stands_as_before(kind: Kind, story: Story) -> None:
    wanted = _part(kind, story.expected)
    if (found := _part(kind, story.found())) != wanted:
        raise Wrong(f"before it was delivered again there was {found!r} instead of {wanted!r}")


def _filled(value: Any) -> bool:
    return any(value.values()) if isinstance(value, dict) else bool(value)


def _part(kind: Kind, found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if not kind.seen_in or name in kind.seen_in}


Moment = Callable[[Kind, Story, Step, "Delivering"], None]
IN_EFFECT = "took effect, not committed"
LAGGING = f"{IN_EFFECT}, index lags"
LOST_AND_LAGGING = "answer lost, killed while looking, index lags"
INDEXED = (LAGGING, LOST_AND_LAGGING)  # moments that Jira's index makes harder
SEARCHED = ("record", "task")  # what Jira's index has to show
MOMENTS: Mapping[str, Moment] = {
    "looking, nothing sent": _while_looking,
    "sent, lost on its way": _on_its_way,
    "sent, takes effect later": _effect_comes_late,
    IN_EFFECT: _took_effect,
    "answer lost, killed while looking": _answer_lost,
    LAGGING: _took_effect,
    LOST_AND_LAGGING: _answer_lost,
}


# --- the processes ----------------------------------------------------------------------------------------------


class Killers:
    """The home from which processes deliver and pull; it is made when it is first needed.

    Its state is in a file, or in ``database``.
    """

    def __init__(self, desks: Desks, database: str = "") -> None:
        self.desks = desks
        self._database = database
        self._stack = ExitStack()
        self._process: subprocess.Popen[str] | None = None
        self.folder = Path()
        self.minutes = 0  # how much later than the wall clock the next process delivers

    def __enter__(self) -> Killers:
        return self

    def __exit__(self, *error: object) -> None:
        if self._process is not None:
            self._process.communicate(timeout=30)
        self._stack.close()

    def delivering(self, desk: Desk) -> Delivering:
        """Deliveries to one desk."""
        return Delivering(self, desk)

    def kill(
        self,
        start: Callable[[], int],
        running: RunningSandbox,
        flavour: Flavour,
        rule: Rule,
        *,
        once: Callable[[], bool] = lambda: True,
    ) -> None:
        """Start a process and kill it where the rule holds it, as soon as ``once`` is true."""
        running.set_faults(flavour, rule)
        pid = start()
        try:
            until_held(running, flavour, pid)
            if not comes(once):
                raise Wrong("nothing took effect before it was to be killed")
        finally:
            os.kill(pid, signal.SIGKILL)
            ended = self.ask("wait", pid=pid)["ended"]
            running.set_faults(flavour)
        if ended != -signal.SIGKILL:
            raise Wrong(f"it was not killed, but ended with {ended}")

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """One command to the process of the home."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        process.stdin.flush()
        answer: dict[str, Any] = json.loads(process.stdout.readline())
        return answer

    def _start(self) -> subprocess.Popen[str]:
        self.folder = folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="outbox-")))
        (folder / "regelkreis.toml").write_text(self._connections(), encoding="utf-8")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("REGELKREIS_")}
        here = {"REGELKREIS_HOME": str(folder), "DJANGO_SETTINGS_MODULE": "config.django_settings"}
        here |= {"REGELKREIS_DATABASE": self._database} if self._database else {}
        environment = {**clean, **here, "PYTHONPATH": str(ROOT)}
        begin = "import sys; sys.argv[0] = 'regelkreis'; from config.entry import main; main()"
        command = [sys.executable, "-c", begin, "init"]
        subprocess.run(command, env=environment, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.faults.outbox_process"],
            env=environment,
            cwd=folder,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return self._process

    def _connections(self) -> str:
        urls = {flavour: self.desks.running(flavour).urls[flavour] for flavour in CONNECTIONS.values()}
        return "".join(_connection(name, flavour, urls[flavour]) for name, flavour in CONNECTIONS.items())


#: Of each mode of ServiceNow and each flavour of Jira a connection.
CONNECTIONS: dict[str, Flavour] = dict.fromkeys(TABLES, "servicenow")
CONNECTIONS |= {"jira_cloud": "jira_cloud", "jira_dc": "jira_dc"}


def _connection(name: str, flavour: Flavour, url: str) -> str:
    user = "regelkreis@example.com" if flavour == "jira_cloud" else "regelkreis"
    lines = [f"[connections.{name}]", f'platform = "{platform_of(flavour)}"', f'url = "{url}"', f'user = "{user}"']
    lines += ['password = "sandbox"', "link_triggers = true", f"page_size = {PAGE}"]
    if name in KINDS and name != "cim":
        lines += [f'fallback_modes = ["{name}"]']
        lines += [f'custom_table = "{TABLES[name]}"'] if name == "custom" else []
    return "\n".join(lines) + "\n\n"


def platform_of(flavour: Flavour) -> str:
    """What a connection calls it."""
    return "servicenow" if flavour == "servicenow" else "jira"


class Delivering:
    """Deliveries to one desk, by processes one after the other."""

    def __init__(self, killers: Killers, desk: Desk) -> None:
        self.killers = killers
        self.desk = desk
        self.connection = desk.mode if desk.is_servicenow else desk.flavour

    def story(self) -> Story:
        """A new action, known to the state of the home."""
        platform = platform_of(self.desk.flavour)
        opened = self.killers.ask("open_action", connection=self.connection, platform=platform, title="Fewer breaches")
        return self.desk.story(**opened)

    def queue(self, story: Story, step: Step) -> None:
        """Put a delivery into the outbox."""
        content = base64.b64encode(msgspec.json.encode(step.outbound)).decode()
        self.killers.ask("queue", action=story.action, outbound=content)

    def kill(self, rule: Rule, *, once: Callable[[], bool] = lambda: True, is_leased: bool = False) -> None:
        """Let a process deliver and kill it where the rule holds it, as soon as ``once`` is true."""
        start = partial(self.started, is_leased=is_leased)
        self.killers.kill(start, self.desk.running, self.desk.flavour, rule, once=once)

    def deliver(self) -> None:
        """Let a process deliver undisturbed."""
        self.ended(self.started())

    def started(self, *, is_leased: bool = False) -> int:
        """A process that delivers; ``is_leased``: while it holds the warehouse, as a cycle does."""
        asking = {"connection": self.connection, "minutes": self.killers.minutes, "is_leased": is_leased}
        return int(self.killers.ask("start", **asking)["pid"])

    def ended(self, pid: int) -> None:
        """Wait until it has delivered."""
        if status := self.killers.ask("wait", pid=pid)["ended"]:
            raise Wrong(f"a process that delivers ended with {status}")

    def settled(self, story: Story, step: Step) -> None:
        """Deliver again when nothing can come any more. What stays in doubt is given up after a day; then a person
        looks whether it is there, and has it sent again.
        """
        told = self.after(SETTLED, step)
        if told["state"] == WAITING and step.outbound.verb is Verb.CREATE and self.desk.flavour == "jira_dc":
            told = self.after(A_DAY, step)
            if told["state"] != DEAD or story.found()["record"]:
                raise Wrong(f"after a day it is {told['state']}, records: {story.found()['record']}")
            self.killers.ask("replay", key=step.outbound.key)
            told = self.after(0, step)
        if told["state"] != SENT or told["is_in_doubt"]:
            raise Wrong(f"it is {told['state']}: {told['error']}")
        ref = RecordRef(connection=self.connection, url="", **told["ref"])
        story.took(step, ref)

    def delivered(self, story: Story, step: Step) -> None:
        """Deliver it on an ordinary day."""
        self.queue(story, step)
        self.settled(story, step)

    def after(self, minutes: int, step: Step) -> dict[str, Any]:
        """Deliver so much later; what the state knows then."""
        self.killers.minutes += minutes
        self.deliver()
        return self.killers.ask("told", key=step.outbound.key)


def until_held(running: RunningSandbox, flavour: Flavour, pid: int) -> None:
    """Wait until a process comes to the request at which the rule holds it."""
    if not comes(lambda: _is_held(running, flavour) or _has_ended(pid)) or not _is_held(running, flavour):
        raise Wrong("it was never held at that request")


def comes(is_true: Callable[[], bool]) -> bool:
    """Whether it becomes true in time."""
    until = time.monotonic() + PATIENCE_S
    while not is_true():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def _is_held(running: RunningSandbox, flavour: Flavour) -> bool:
    return any(rule["hits"] for rule in running.control(flavour, "GET", "faults"))


def _has_ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}/exe").exists()
