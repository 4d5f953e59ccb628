"""A year of the loop: 78 weeks back-filled in one pull, then a cycle every Monday, people acting in between."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from connectors.base import Connector
from connectors.sandbox import users as sandbox_users
from connectors.sandbox.scenario import SCOPES, truth_of
from connectors.sandbox.testing import RunningSandbox
from improvement.plurals import how_many
from workflows import access, cycle, health
from workflows.actions import commands
from workflows.demo.commands import CommandLine
from workflows.demo.jira_desk import JiraDesk
from workflows.demo.people import Deed, People
from workflows.demo.scripts import ActionView
from workflows.demo.servicenow_desk import ServiceNowDesk
from workflows.demo.setting import FIRST_CYCLE, PASSWORD, week_after
from workflows.evidence import verifying
from workflows.models import Action, Finding, LookKind, Person, ReviewRecord, Role
from workflows.warehouse import our_warehouse

ADMIN = "admin"


def run(
    sandbox: RunningSandbox, application: Callable[..., Any], *, weeks: int, is_shown: bool, started: float
) -> dict[str, Any]:
    """Play the year and return what `demo --json` prints. ``application``: the command line that people use."""
    with transaction.atomic():
        tokens = _hire(FIRST_CYCLE)
    people = People(
        commands=CommandLine(application, tokens, now=FIRST_CYCLE),
        desks={
            "servicenow": ServiceNowDesk(sandbox.servicenow_url),
            "jira": JiraDesk(sandbox.jira_cloud_url),
        },
    )
    totals: Counter[str] = Counter()
    errors: list[str] = []
    gc.freeze()  # what was imported stays: nobody looks through it again and again for garbage
    begun = time.monotonic()
    with cycle.connectors() as opened, our_warehouse():  # open all year, not every week
        for one in opened:
            health.connect(one.name)  # tells who we are there, as `connect --write on` does
            commands.set_write(access.local_admin(), one.name, True, at=FIRST_CYCLE)
        _link_accounts(opened, sandbox)
        with _bar(weeks + 1, is_shown) as advance:
            for number in range(weeks + 1):
                now = week_after(FIRST_CYCLE, number)
                sandbox.set_clock(now)
                deeds = _people_act(people, now)
                summary = cycle.run_with(opened, as_of=now)
                _count(totals, summary, deeds)
                errors += summary.errors
                if number == 0:  # the history is here, and nobody has acted on anything yet
                    errors += _look_back(people)
                advance(_line(now, summary))
        cycle.catch_up(as_of=now, published=summary.published)
    cycle.keep_figures(as_of=now)
    verified = verifying.verify()
    return {
        "tickets": totals["tickets"],
        "records": totals["records"],
        "rules": totals["rules"],
        "points": totals["points"],
        "findings": Finding.objects.filter(times_fired__gt=0).count(),
        "actions": _actions(),
        "reviews_written": _reviews_written(),
        "deliveries": totals["delivered"],
        "evidence_ok": verified.is_ok,
        "evidence": [*verified.facts, *verified.failures],
        "errors": errors,
        "loop_seconds": round(time.monotonic() - begun, 1),
        "seconds": round(time.monotonic() - started, 1),
    }


def _hire(at: datetime) -> dict[str, str]:
    """Make the demo's people with their grants and tokens; returns tokens by user name."""
    admin = access.local_admin()
    admin.set_password(PASSWORD)
    admin.save()
    tokens = {ADMIN: access.new_token(admin, label="demo", at=at, by=admin)}
    for scope in SCOPES:
        owner = _person(scope.owner, tokens, admin, at)
        access.grant(
            owner,
            Role.SERVICE_OWNER,
            at=at,
            by=admin,
            customer=scope.customer,
            country=scope.country,
            service=scope.service,
        )
        access.grant(owner, Role.SERVICE_OWNER, at=at, by=admin, customer=scope.customer)
        approver = _person(scope.approver, tokens, admin, at)
        access.grant(approver, Role.APPROVER, at=at, by=admin)
    auditor = _person("auditor", tokens, admin, at)
    access.grant(auditor, Role.AUDITOR, at=at, by=admin)
    return tokens


def _look_back(people: People) -> list[str]:
    """An administrator replays the rules over the past year: what comes of firings that nobody acts on.

    Every look cites it from then on, beside the naive figure. Returns what went wrong.
    """
    outcome = people.commands.run(ADMIN, "rules", "backtest")
    return [] if outcome.is_ok else [outcome.text]


def _person(username: str, tokens: dict[str, str], admin: Person, at: datetime) -> Person:
    if username in tokens:
        return access.person_named(username)
    name = username.replace(".", " ").title()
    person = access.add_person(username, name=name, email=f"{username}@example.com", at=at, by=admin)
    person.password = admin.password  # the same for everybody: a slow hash is made once
    person.save()
    tokens[username] = access.new_token(person, label="demo", at=at, by=admin)
    return person


def _link_accounts(opened: list[Connector], sandbox: RunningSandbox) -> None:
    """Say which platform account is which person, as an administrator does once."""
    from connectors.sandbox.jira.accounts import of_user

    admin = access.local_admin()
    for one in opened:
        for person in Person.objects.filter(is_local_admin=False):
            account = person.username
            if one.platform == "jira":
                user = sandbox_users.Account(person.username, str(person), person.email, "Etc/UTC", frozenset())
                account = of_user(user).account_id
            access.link_account(person, one.name, account, at=FIRST_CYCLE, by=admin)


def _people_act(people: People, now: datetime) -> list[Deed]:
    people.commands.now = now  # type: ignore[attr-defined]
    connections = settings.REGELKREIS.connections
    register = [
        shown(action, connections[action.connection].platform)
        for action in Action.objects.select_related("owner").order_by("id")
    ]
    return people.play(now, register)


def shown(action: Action, platform: str) -> ActionView:
    """What the register shows of an action on a platform of this kind: all that people go by."""
    return ActionView(
        code=action.code,
        platform=platform,
        state=action.state,
        scope=tuple(sorted(action.scope.items())),
        metric=action.metric,
        owner=action.owner.username if action.owner else None,
        golive_planned=action.golive_planned,
        implemented_on=action.implemented_on,
        verdict=action.verdict or None,
        record=action.platform_number or None,
        cycle_no=action.cycle_no,
        goal=action.goal,
    )


def _count(totals: Counter[str], summary: cycle.CycleSummary, deeds: list[Deed]) -> None:
    totals["records"] += summary.new
    totals["tickets"] += summary.new_tickets
    totals["rules"] = max(totals["rules"], summary.rules)
    totals["points"] += summary.points
    totals["delivered"] += summary.delivered
    totals["deeds"] += sum(deed.is_done for deed in deeds)


def _line(now: datetime, summary: cycle.CycleSummary) -> str:
    parts = [f"{now:%Y-%m-%d}", f"{how_many(summary.new, 'new record')}"]
    if summary.opened:
        parts.append(f"opened {', '.join(summary.opened)}")
    parts += summary.verdicts
    return " · ".join(parts)


def _bar(total: int, is_shown: bool) -> Any:
    """A progress bar in a terminal, a line a month when piped."""
    from contextlib import contextmanager

    @contextmanager
    def shown() -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console()
        if not console.is_terminal:
            seen = {"n": 0}

            def plain(line: str) -> None:
                seen["n"] += 1
                if seen["n"] % 4 == 1 or "ACT-" in line:
                    print(f"  {line}", flush=True)

            yield plain
            return
        columns = (
            TextColumn("cycles"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("", total=total)

            def fancy(line: str) -> None:
                progress.update(task, advance=1, description=line)
                if "ACT-" in line:
                    progress.console.print(f"  {line}")

            yield fancy

    @contextmanager
    def silent() -> Any:
        yield lambda line: None

    return shown() if is_shown else silent()


def _actions() -> list[dict[str, Any]]:
    """Every action with the truth of its scope joined: only now, after the last cycle."""
    found = []
    for action in Action.objects.order_by("id"):
        final = action.looks.filter(kind=LookKind.FINAL, computed_at__isnull=False).order_by("-computed_at").first()
        result = (final.result if final is not None else None) or {}
        platform = settings.REGELKREIS.connections[action.connection].platform
        found.append(
            {
                "id": action.code,
                "scope": action.scope_key,
                "platform": platform,
                "metric": action.metric,
                "title": action.title,
                "truth": truth_of(platform, action.scope_key, action.metric).value,
                "state": action.state,
                "verdict": final.verdict if final is not None else None,
                "effect": result.get("effect"),
                "low": result.get("low"),
                "high": result.get("high"),
                "effect_text": result.get("effect_text", ""),
                "interval_text": result.get("interval_text", ""),
                "naive_text": result.get("naive_text", ""),
                "record": action.platform_number,
                "record_url": action.platform_url,
            }
        )
    return found


def _reviews_written() -> int:
    """Review records whose note reached the platform."""
    return ReviewRecord.objects.filter(deliveries__state="sent", deliveries__verb="note").distinct().count()
