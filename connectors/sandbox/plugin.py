"""The seam between the sandbox server and a platform it speaks: configuration in, routes out.

The server (:mod:`connectors.sandbox.server`) owns the port, the clock, the control API and the faults. A platform
owns its API. It is built in its own process by a function ``build(world, config, flavour) -> PlatformApp`` in
``connectors.sandbox.servicenow.app`` or ``connectors.sandbox.jira.app`` (imported by name when needed).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from aiohttp import web

from connectors.sandbox.scenario import FIRST_CYCLE_WEEK
from connectors.sandbox.world import World

WEEK_S = 7 * 24 * 3600

Flavour = Literal["servicenow", "jira_cloud", "jira_dc"]
Size = Literal["small", "demo", "large"]

FLAVOURS: tuple[Flavour, ...] = ("servicenow", "jira_cloud", "jira_dc")


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """What a sandbox serves and how.

    Parameters
    ----------
    host
        The address to listen on.
    servicenow_port, jira_cloud_port, jira_dc_port
        One port each; None: not served; 0: any free port (the ready signal tells which).
    seed, size
        The generator's arguments (:func:`connectors.sandbox.generator.generate`).
    now
        Where the clock stands at first (aware); None: :func:`first_clock`.
    replay
        A CSV event log to serve on ServiceNow instead of the generated world.
    world_file
        A pickled ``dict[platform, World]`` to serve instead (tests with worlds of their own).
    load_records
        Load mode: serve this many pre-rendered incidents (issues on Jira) and no world.
    cim
        Whether the plugin com.sn_cim is there.
    need_approval
        The property ``sn_cim.need_approval``.
    custom_table
        Whether the instance has the custom table ``u_improvement_action``.
    invalid_query_returns_no_rows
        The property ``glide.invalid_query.returns_no_rows``; off, a bad condition is silently ignored.
    hidden_rows
        ServiceNow row ACLs: user → table → encoded query of the rows this user must not see.
    denied
        ServiceNow rights taken away: user → ``table``, ``table:read``, ``table:write`` or, for reading one field,
        ``table.field``: records come without it.
    rules
        ServiceNow business rules on writes of everybody but administrators, in order (see ``servicenow.rules``).
    read_only_fields
        ServiceNow columns whose values are dropped from a write without a word: table → columns.
    retired_choices
        ServiceNow choice values that are no choices any more: ``table.column`` → stored values.
    renamed_choices
        ServiceNow labels that an administrator changed: ``table.column`` → stored value → label; a value that was
        none becomes a choice.
    metric_fields
        Fields of ServiceNow's incidents whose time in each value is measured (``metric_instance``): ``incident_state``,
        ``hold_reason``.
    stale_clocks
        Running ServiceNow clocks are not refreshed: neither their breach nor the time on them shows before they stop.
    sla_schedules
        When the clocks of ServiceNow's SLA definitions run: pattern of their name → ``business`` (working days from 8
        to 17 o'clock in Zurich), ``none`` (no schedule, business fields empty) or ``always``. The first pattern counts,
        without one it is always. They are the instance's own from the beginning.
    max_rows
        So many rows a list request of ServiceNow's Table API answers at most, whatever it asks for; 0: no limit.
    unaudited
        ServiceNow tables of which no change is kept in ``sys_audit``; their entries in the dictionary say so.
    """

    host: str = "127.0.0.1"
    servicenow_port: int | None = 8601
    jira_cloud_port: int | None = 8602
    jira_dc_port: int | None = 8603
    seed: int = 7
    size: Size = "small"
    now: datetime | None = None
    replay: Path | None = None
    world_file: Path | None = None
    load_records: int = 0
    cim: bool = True
    need_approval: bool = True
    custom_table: bool = False
    invalid_query_returns_no_rows: bool = False
    hidden_rows: Mapping[str, Mapping[str, str]] = field(
        default_factory=lambda: {"reader": {"incident": "priority=1", "task_sla": "task.priority=1"}}
    )
    denied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rules: Sequence[Mapping[str, Any]] = ()
    read_only_fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    retired_choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    renamed_choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    metric_fields: Sequence[str] = ()
    stale_clocks: bool = False
    sla_schedules: Mapping[str, str] = field(default_factory=dict)
    max_rows: int = 0
    unaudited: Sequence[str] = ()

    def ports(self) -> dict[Flavour, int]:
        """The flavours to serve and their ports."""
        asked: dict[Flavour, int | None] = {
            "servicenow": self.servicenow_port,
            "jira_cloud": self.jira_cloud_port,
            "jira_dc": self.jira_dc_port,
        }
        return {flavour: port for flavour, port in asked.items() if port is not None}


class PlatformApp(Protocol):
    """One platform's API on one port. All methods run in the server's event loop thread: no locks needed."""

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The API's routes, at the root of the port. Paths below ``/sandbox/`` belong to the server."""
        ...

    def advance(self, now: datetime) -> None:
        """The clock has moved forward to ``now`` (UTC): show what the world has done until then.

        Called once before the first request and then at each move; ``now`` never goes back. A write through the API
        uses the last ``now`` as its time.
        """
        ...

    def stats(self) -> Mapping[str, Any]:
        """What ``GET /sandbox/stats`` shows about the platform (JSON-able): records by table or type."""
        ...

    def error(self, status: int, message: str) -> web.Response:
        """An error answer in the platform's own format (for 404 of unknown paths, 500 and injected faults)."""
        ...

    def disturb(self, table: str, records: int) -> None:
        """Somebody changes the records that come first in the order of their update time."""
        ...

    def happen(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Something happens to many records (``POST /sandbox/events``); raise ValueError for an unknown kind."""
        ...

    def configure(self, options: Mapping[str, Any]) -> None:
        """Change options while serving (``POST /sandbox/options``); raise ValueError for an unknown one."""
        ...


def first_clock(world: World, config: SandboxConfig) -> datetime:
    """Where the clock stands at first: as configured, else the demo's first cycle, else the world's end."""
    if config.now is not None:
        return config.now.astimezone(UTC)
    first_cycle = world.start + FIRST_CYCLE_WEEK * WEEK_S + 12 * 3600
    return datetime.fromtimestamp(min(first_cycle, world.start + world.weeks * WEEK_S), UTC)


def is_like(value: object, default: object) -> bool:
    """Whether an option sent as JSON is of its default's type; a number is not negative."""
    if isinstance(default, tuple):
        return isinstance(value, list | tuple)
    return type(value) is type(default) and not (isinstance(value, int) and value < 0)
