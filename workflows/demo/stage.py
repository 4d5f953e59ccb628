"""The demo: two sandbox platforms, a year of weekly cycles, and at the end the truth beside the verdicts."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from improvement.errors import InputError, Place
from workflows.demo.setting import FIRST_CYCLE, PASSWORD, week_after

MARKER = ".regelkreis-demo"
# Files of the starter pack the year is told with. The others count what this world does not hold (complaints,
# escalations, recommendations), or would open actions that nobody in the story plays a part in.
STORY = frozenset(
    ["defaults", "incident-volume", "quality", "resolution-time", "response-time", "satisfaction", "sla-resolution"]
)
#: What cycles read sooner or later, seconds in all: it is read while another process makes the state.
NEEDED = ("ibis.backends.duckdb", "jira", "pysnow", "scipy.stats", "statsmodels.api")


@dataclass(slots=True)
class Show:
    """What was asked of the demo. ``application``: the command line that its people use."""

    application: Callable[..., Any]
    home: Path
    is_served: bool
    as_json: bool
    json_file: Path | None
    replay: Path | None
    seed: int
    port: int
    weeks: int

    @property
    def is_quiet(self) -> bool:
        """Nothing but JSON on standard output."""
        return self.as_json


def play(**asked: Any) -> None:
    """Prepare a home, start the sandbox, run the loop, print the summary, serve the site."""
    show = Show(**asked)
    started = time.monotonic()
    begin, until = span(show)
    _work_in_long_turns()
    _prepare_home(show)
    _say(show, "Starting the sandbox: a ServiceNow-like and a Jira-like platform …")
    from connectors.sandbox.testing import running_sandbox

    platforms: tuple[Any, ...] = ("servicenow",) if show.replay else ("servicenow", "jira_cloud")
    with running_sandbox(
        platforms=platforms,
        seed=show.seed,
        size="demo",
        now=begin,
        replay=show.replay,
    ) as sandbox:
        _configure(show, sandbox)
        _start(show)
        if show.replay:
            from workflows.demo import replayed

            summary = replayed.run(sandbox, until=until, started=started)
        else:
            from workflows.demo import year

            summary = year.run(sandbox, show.application, weeks=show.weeks, is_shown=not show.is_quiet, started=started)
        _finish(show, summary, until)  # while the sandbox still runs: the links to its records work


def _work_in_long_turns() -> None:
    """Ask Linux for longer turns on the processors: short steps in many threads lose a tenth to switching."""
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):  # a container may forbid it, and then it only takes longer
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def span(show: Show) -> tuple[datetime, datetime]:
    """When the sandbox's clock begins, and when the last cycle is; of a log: its first and its last week."""
    if show.replay is None:
        return FIRST_CYCLE, week_after(FIRST_CYCLE, show.weeks)
    from connectors.sandbox.replay import replay

    world = replay(show.replay)
    if not world.tickets:
        raise InputError("The log holds no incidents.", where=Place(file=str(show.replay)), mend="It wants some lines.")
    begin = datetime.fromtimestamp(world.start, UTC)
    return begin, week_after(begin, world.weeks)


def _finish(show: Show, summary: dict[str, Any], until: datetime) -> None:
    if show.json_file is not None:
        show.json_file.parent.mkdir(parents=True, exist_ok=True)
        show.json_file.write_text(
            json.dumps(summary, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8"
        )
    if show.as_json:
        print(json.dumps(summary, indent=2, ensure_ascii=False, default=str))
    else:
        from workflows.demo.closing import print_summary

        print_summary(summary)
    if show.is_served:
        from workflows import cycle

        _say(show, "\nCounting targets, breaches and minutes for the site …")
        cycle.keep_figures(as_of=until)
        _serve(show)
    else:
        _say(show, "Nothing is served, so the sandbox ends here; `make demo` keeps it, and then these links open.")


def _serve(show: Show) -> None:
    from workflows.web.server import serve

    print(f"\nThe site is at http://127.0.0.1:{show.port}/ – sign in as anna.frei (service owner), martin.keller")
    print(f"(approver), auditor or admin; everybody's password is “{PASSWORD}”. Ctrl+C ends it.")
    serve(host="127.0.0.1", port=show.port, workers=2)


def _say(show: Show, text: str) -> None:
    if not show.is_quiet:
        print(text, flush=True)


def _prepare_home(show: Show) -> None:
    """A fresh home; only a folder that a demo made is ever removed."""
    home = show.home.resolve()
    if home.exists():
        if any(home.iterdir()) and not (home / MARKER).exists():
            raise InputError(
                "The folder exists and was not made by a demo; it is left alone.",
                where=Place(file=str(home)),
                mend="Choose another one with --home.",
            )
        shutil.rmtree(home)
    home.mkdir(parents=True)
    (home / MARKER).write_text("made by `regelkreis demo`; it may be deleted at any time\n", encoding="utf-8")
    show.home = home
    os.environ["REGELKREIS_HOME"] = str(home)
    os.environ.pop("REGELKREIS_TOKEN", None)


def _configure(show: Show, sandbox: Any) -> None:
    connections = [_connection("servicenow", "servicenow", sandbox.servicenow_url, "regelkreis")]
    if sandbox.jira_cloud_url:
        connections.append(_connection("jira", "jira", sandbox.jira_cloud_url, "regelkreis@example.com"))
    if show.replay:
        connections = [connections[0] + REPLAY_MAPPING]
    installation = (
        f'public_url = "http://127.0.0.1:{show.port}"\nledger_origin = "demo.example/regelkreis"\n'
        'warehouse_memory = "512MB"  # the whole file: a year of cycles reads it some thousand times\n'
        "warehouse_threads = 1  # a week is too little to share\n\n"
    )
    text = installation + "\n".join(connections)
    file = show.home / "regelkreis.toml"
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
    secrets = show.home / "secrets"
    secrets.mkdir(mode=0o700)
    (secrets / "connections__servicenow__password").write_text(PASSWORD, encoding="utf-8")
    if sandbox.jira_cloud_url:
        (secrets / "connections__jira__token").write_text("sandbox-regelkreis", encoding="utf-8")


def _connection(name: str, platform: str, url: str, user: str) -> str:
    return (
        f'[connections.{name}]\nplatform = "{platform}"\nurl = "{url}"\nuser = "{user}"\n'
        "# The demo's cycles are weekly and its year is short: records are counted once a quarter,\n"
        "# and listed only where counts differ.\n"
        "# Where a cycle runs daily, leave both out.\n"
        "reconcile_days = 91\n"
        "list_days = 371\n"
    )


REPLAY_MAPPING = """
[connections.servicenow.mapping.incident.fields]
service = "assignment_group.name"
"""


def _start(show: Show) -> None:
    """What a person does first: `regelkreis init`, and rules that may open actions by themselves."""
    command = [sys.executable, "-c", "from config.entry import main; main()", "init"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as init:  # noqa: S603 - our own program
        for name in NEEDED:
            importlib.import_module(name)
        _, said = init.communicate()
    if init.returncode != 0:
        raise InputError(f"`regelkreis init` failed: {said.strip()}")
    for file in sorted((show.home / "rules").glob("*.yaml")):
        if file.stem not in STORY:
            file.unlink()
            continue
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(r"^(\s*mode:\s*)propose\b", r"\1open", text, flags=re.MULTILINE), encoding="utf-8")
    from workflows.cli.session import start

    start()


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add the seconds a block took to a table."""
    started = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started
