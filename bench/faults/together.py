"""Traps of reading that meet, as a table: each is in :mod:`bench.faults.traps` by itself."""

from __future__ import annotations

from bench.faults.traps import (
    CLOUD,
    JIRA,
    JIRA_KEYS,
    PAGES,
    SERVICENOW,
    SERVICENOW_KEYS,
    SHOWN_FROM,
    TOKENS,
    TWICE,
    PullTrap,
    Rule,
    page,
)

HIDDEN = {"hidden_rows": {"regelkreis": {"incident": f"opened_at<{SHOWN_FROM}"}}}
HIDDEN_CLOCKS = {"hidden_rows": {"regelkreis": {"task_sla": "sla.nameLIKEP3"}}}
LIMITED: Rule = page("rate_limit", seconds=0, times=3)
RESET: Rule = page("reset_after", after=5)


def changing(table: str = "incident") -> Rule:
    """Records change under each page."""
    return page("changing", after=0, times=9, records=7, table=table)


TOGETHER: tuple[PullTrap, ...] = (
    PullTrap(
        "changing + 429 + cut + reset", rules=(changing(), LIMITED, page("cut_body", after=6), RESET), events=({},)
    ),
    PullTrap(
        "equal times + changing + 503",
        rules=(changing(), page("unavailable", seconds=0, times=2)),
        events=({"kind": "mass_update", "count": 200},),
    ),
    PullTrap(
        "hour twice + changing + 429",
        user="auckland",
        until=TWICE,
        rules=(changing(), LIMITED),
        events=({},),
    ),
    PullTrap(
        "by token: 401 + changing + cut",
        on=TOKENS,
        rules=(changing(), page("unauthorised"), page("cut_connection", after=6)),
        events=({},),
        signs_in=True,
    ),
    PullTrap(
        "hidden + changing + 429 + reset",
        on=SERVICENOW,
        rules=(changing(), LIMITED, RESET),
        options=HIDDEN,
        hides="incident",
    ),
    PullTrap(
        "hidden + capped + deleted, not audited",
        on=SERVICENOW,
        options={"max_rows": 25, **HIDDEN},
        events=({"kind": "delete", "count": 9, "audited": False},),
        leaves_no_trace=True,
        hides="incident",
    ),
    PullTrap(
        "hidden + repair + changing + cut",
        on=SERVICENOW,
        options=HIDDEN_CLOCKS,
        rules=(changing("task_sla"), page("cut_body")),
        events=({"kind": "sla_repair", "count": 30, "flipped": True},),
        hides="task_sla",
    ),
    PullTrap(
        "repair + deleted, keys: cut, 429, reset",
        on=SERVICENOW,
        events=(
            {"kind": "sla_repair", "count": 30, "fewer": True, "audited": False},
            {"kind": "delete", "count": 9, "audited": False},
        ),
        while_listing=(
            {"kind": "cut_body", **SERVICENOW_KEYS, "times": 3},
            {"kind": "rate_limit", **SERVICENOW_KEYS, "seconds": 0, "times": 3},
            page("reset_after"),
        ),
        leaves_no_trace=True,
    ),
    PullTrap(
        "repair + reset + stages, capped",
        on=SERVICENOW,
        options={"max_rows": 25},
        events=(
            {"kind": "sla_repair", "count": 30, "flipped": True},
            {"kind": "sla_reset", "count": 20},
            {"kind": "compatibility", "count": 100},
        ),
    ),
    PullTrap(
        "starting + stand still + capped + 503",
        on=SERVICENOW,
        served={"stale_clocks": True},
        options={"max_rows": 25},
        rules=(page("unavailable", seconds=0, times=2),),
        events=({"kind": "starting", "count": 60},),
    ),
    PullTrap(
        "two sittings + −1 + cut + changing",
        on=SERVICENOW,
        rules=(
            {"kind": "changing", "path": "/table/asmt", "times": 5, "table": "asmt_assessment_instance"},
            {"kind": "cut_body", "path": "/table/asmt", "times": 2},
        ),
        events=({"kind": "second_sitting", "count": 20}, {"kind": "unanswered", "count": 40}),
    ),
    PullTrap(
        "archived + restored + log denied",
        on=SERVICENOW,
        options={"denied": {"regelkreis": ["sys_audit_delete:read"]}},
        events=(
            {"kind": "archive", "table": "incident", "count": 9},
            {"kind": "delete", "table": "incident", "count": 9},
            {"kind": "restore", "count": 4},
        ),
        leaves_no_trace=True,
    ),
    PullTrap(
        "choices renamed + replies + time-out",
        on=SERVICENOW,
        options={"renamed_choices": {"incident.state": {"3": "Parked", "6": "Done", "10": "At the supplier"}}},
        rules=({"kind": "error_in_200", "path": PAGES, "times": None, "min_limit": 20},),
        events=({"kind": "caller_reply", "count": 5},),
    ),
    PullTrap(
        "token repeated + expired + changing + 429",
        on=CLOUD,
        rules=(changing(), page("repeat_token"), page("expired_token", after=3), LIMITED),
        events=({},),
    ),
    PullTrap(
        "keys moved + changing + cut + reset",
        on=JIRA,
        rules=(changing(), page("cut_connection"), RESET),
        events=({"kind": "move", "count": 30},),
    ),
    PullTrap(
        "rebuilt + hidden, then shown + 503",
        on=JIRA,
        options={"hidden_priorities": ["2"]},
        later={"hidden_priorities": []},
        rules=(page("unavailable", seconds=0, times=2),),
        events=({"kind": "rebuild_slas", "count": 200},),
        leaves_no_trace=True,
    ),
    PullTrap(
        "moved + deleted, keys: cut, 429, nobody",
        on=JIRA,
        events=({"kind": "move", "count": 30}, {"kind": "delete", "count": 9}),
        while_listing=(
            {"kind": "cut_body", **JIRA_KEYS, "times": 2},
            {"kind": "rate_limit", **JIRA_KEYS, "seconds": 0, "times": 2},
            {"kind": "anonymous", "path": "/search", "after": 2, "times": None},
        ),
        leaves_no_trace=True,
    ),
    PullTrap(
        "equal times + moved + limit near + HTML",
        on=JIRA,
        rules=(page("near_limit", times=5), page("html_page")),
        events=({"kind": "mass_update", "count": 200}, {"kind": "move", "count": 30}),
        may_stop=True,
    ),
)
