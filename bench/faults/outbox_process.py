"""A process with a home of its own: it queues deliveries, and forks one process after the other to deliver them.

Run as ``python -m bench.faults.outbox_process``: each line of standard input is a command, answered by a line. Whoever
delivers is a process of its own, which can be killed at any moment.
"""

from __future__ import annotations

import base64
import importlib
import json
import logging
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import django
import structlog

Answer = dict[str, Any]


def main() -> None:
    """Answer commands until standard input closes."""
    django.setup()
    from django.db import connections

    _load()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        answer = COMMANDS[command.pop("do")](**command)
        connections.close_all()  # none is shared with the processes that are forked
        print(json.dumps(answer), flush=True)


def _load() -> None:
    """All that a delivery needs, once for every process."""
    for name in ("connectors.jira.connector", "connectors.servicenow.connector", "workflows.cycle"):
        importlib.import_module(name)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def ready() -> Answer:
    """It answers."""
    return {}


def open_action(*, connection: str, platform: str, title: str) -> Answer:
    """An action that a person began, without any delivery yet."""
    from workflows.actions import opening
    from workflows.models import Action, Connection, our_installation

    here = {"platform": platform, "may_write": True, "integration_account": "regelkreis"}
    Connection.objects.get_or_create(name=connection, defaults=here)
    now = datetime.now(UTC)
    of = {"origin": "person", "connection": connection, "state": "proposed", "metric": "sla_breach_rate"}
    about = {"scope_key": "service=Mail", "scope": {"service": "Mail"}, "title": title}
    action = Action.objects.create(**of, **about, opened_at=now, last_moved_at=now)
    opening.log_opening(action, actor="admin", at=now)
    return {"action": action.code, "installation": our_installation()}


def queue(*, action: str, outbound: str) -> Answer:
    """One more delivery of an action; ``outbound`` is its content in base64."""
    import msgspec

    from improvement.records import Outbound
    from workflows.deliveries import outbox

    content = msgspec.json.decode(base64.b64decode(outbound), type=Outbound)
    outbox.queue(_action(action), content, at=datetime.now(UTC))
    return {}


def start(*, connection: str, minutes: int, is_leased: bool = False) -> Answer:
    """Fork a process that delivers, so many minutes later than the wall clock says. ``is_leased``: while it holds the
    warehouse, as a cycle does.
    """
    return _forked(lambda: _deliver(connection, timedelta(minutes=minutes), is_leased=is_leased))


def start_pull(*, connection: str, at: str) -> Answer:
    """Fork a process that pulls at this moment (ISO 8601)."""
    return _forked(lambda: _pull(connection, datetime.fromisoformat(at)))


def _forked(do: Callable[[], None]) -> Answer:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            do()
            status = 0
        finally:
            os._exit(status)
    return {"pid": pid}


def wait(*, pid: int) -> Answer:
    """How a process ended: its exit code, or minus the signal that killed it."""
    return {"ended": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}


def told(*, key: str) -> Answer:
    """What the state knows of a delivery and of its action's record."""
    from workflows.models import Delivery

    row = Delivery.objects.select_related("action").get(key=key)
    action = row.action
    ref = {"mode": action.platform_mode, "id": action.platform_id, "number": action.platform_number}
    return {"state": row.state, "error": row.last_error, "is_in_doubt": row.begun_at is not None, "ref": ref}


def replay(*, key: str) -> Answer:
    """A person has looked and lets a dead letter wait again."""
    from workflows import access
    from workflows.deliveries import dead_letters
    from workflows.models import Delivery, DeliveryState

    dead_letters.replay(access.local_admin(), key, reason="It is not there.", at=datetime.now(UTC))
    action = Delivery.objects.get(key=key).action  # what follows a creation is no part of its story
    action.deliveries.filter(verb="update", state=DeliveryState.WAITING).delete()
    return {}


def _deliver(connection: str, later: timedelta, *, is_leased: bool) -> None:
    from django.conf import settings

    from connectors.registry import connector
    from workflows.steps import deliver
    from workflows.warehouse import our_warehouse

    one = connector(settings.REGELKREIS.connections[connection])
    with our_warehouse() if is_leased else nullcontext():
        deliver.deliver(one, as_of=datetime.now(UTC), clock=lambda: datetime.now(UTC) + later)


def _pull(connection: str, at: datetime) -> None:
    from workflows import cycle

    (result,) = cycle.pull_all(as_of=at, names=[connection])
    if told := [*result.errors, *filter(None, [result.problem])]:
        raise SystemExit(f"pull: {told}")


def _action(code: str) -> Any:
    from workflows.models import Action

    return next(action for action in Action.objects.all() if action.code == code)


COMMANDS: dict[str, Callable[..., Answer]] = {
    function.__name__: function for function in (ready, open_action, queue, start, start_pull, wait, told, replay)
}

if __name__ == "__main__":
    main()
