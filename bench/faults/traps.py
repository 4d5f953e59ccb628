"""The traps of reading, as a table: what the platform does, to whom, and whether the connector may stop and say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors.sandbox.plugin import Flavour

Rule = dict[str, Any]
SERVICENOW: tuple[Flavour, ...] = ("servicenow",)
CLOUD: tuple[Flavour, ...] = ("jira_cloud",)
JIRA: tuple[Flavour, ...] = ("jira_cloud", "jira_dc")
EVERYWHERE: tuple[Flavour, ...] = ("servicenow", "jira_cloud", "jira_dc")
TOKENS: tuple[Flavour, ...] = ("servicenow", "jira_cloud")
PAGES = r"/table/(incident|task_sla)|/search"


@dataclass(frozen=True, slots=True)
class PullTrap:
    """``rules`` act while pulling, ``events`` happen after a first good pull; ``options`` hold from the beginning,
    ``served`` ones also for what was there before.

    ``may_stop``: the connector may stop with a clear error; the pull after that, without the trap, must be complete.
    ``leaves_no_trace``: neither an update time nor a log tells, so that only the weekly look at counts and keys can;
    ``while_listing`` act during that look, after which nothing may be missing that is there; the next one is without.
    ``later`` are options from the events on, ``mended`` those that are set once the connector has stopped; ``within``
    is a filter of incidents in the mapping; ``is_reconciled``: a person asks for a look at everything with each pull;
    ``signs_in`` with a token that expires.
    """

    name: str
    on: tuple[Flavour, ...] = EVERYWHERE
    rules: tuple[Rule, ...] = ()
    events: tuple[Rule, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    served: Mapping[str, Any] = field(default_factory=dict)
    user: str = "regelkreis"
    may_stop: bool = False
    leaves_no_trace: bool = False
    while_listing: tuple[Rule, ...] = ()
    hides: str = ""  # the table of which some rows are hidden from the user
    until: datetime | None = None  # the moment of the first pull, where it matters
    later: Mapping[str, Any] = field(default_factory=dict)
    mended: Mapping[str, Any] = field(default_factory=dict)
    within: str = ""
    is_reconciled: bool = False
    signs_in: bool = False


def page(kind: str, *, after: int = 2, times: int | None = 1, **more: Any) -> Rule:
    """A fault in the middle of the pages."""
    return {"kind": kind, "path": PAGES, "after": after, "times": times, **more}


LONG_HISTORY: Rule = {"path": "/changelog$", "times": 2}
TOO_MUCH: Rule = {"path": r"/table/(incident|task_sla)|/search(/jql)?$", "times": None, "min_limit": 20}
SERVICENOW_KEYS: Rule = {"path": "/table/", "query": "ORDERBYsys_id", "after": 0}
JIRA_KEYS: Rule = {"path": r"/search", "after": 0}
# What happens while keys are listed: name, on which platform, rules.
LISTING: tuple[tuple[str, tuple[Flavour, ...], tuple[Rule, ...]], ...] = (
    ("body cut, resets", SERVICENOW, ({"kind": "cut_body", **SERVICENOW_KEYS, "times": 3}, page("reset_after"))),
    ("never readable", SERVICENOW, ({"kind": "error_in_200", **SERVICENOW_KEYS, "times": None},)),
    ("a page twice", SERVICENOW, ({"kind": "duplicate_page", **SERVICENOW_KEYS, "after": 1},)),
    ("body cut, resets", JIRA, ({"kind": "cut_body", **JIRA_KEYS, "times": 3}, page("reset_after"))),
    ("page token repeated", CLOUD, ({"kind": "repeat_token", **JIRA_KEYS, "times": 2},)),
    ("page token expired", CLOUD, ({"kind": "expired_token", **JIRA_KEYS, "times": 2},)),
    ("anonymous 200 and 404", JIRA, ({"kind": "anonymous", "times": None},)),
    ("no rights any more", SERVICENOW, ({"kind": "refuse", "status": 403, "path": "/stats/", "times": None},)),
    ("counts cut", SERVICENOW, ({"kind": "cut_body", "path": "/stats/", "times": 3},)),
    ("counts with an error", SERVICENOW, ({"kind": "error_in_200", "path": "/stats/", "times": None},)),
)
TWICE = datetime(2024, 4, 6, 14, 20, tzinfo=UTC)  # in Auckland it is 2:20 for the second time
LEFT_OUT = datetime(2024, 3, 31, 1, 3, tzinfo=UTC)  # in Zurich it is 3:03, and three minutes ago it was 1:59
SHOWN_FROM = "2024-01-09 00:00:00"
PULL: tuple[PullTrap, ...] = (
    PullTrap("no trap"),
    PullTrap("429, seconds", rules=(page("rate_limit", seconds=0, times=3),)),
    PullTrap("429, a date", rules=(page("rate_limit", seconds=0, as_date=True),)),
    PullTrap("limit is near", rules=(page("near_limit", times=5),)),
    PullTrap("503", rules=(page("unavailable", seconds=0, times=2),)),
    PullTrap("500 transaction cancelled", rules=(page("server_error", times=2),)),
    PullTrap("401 in mid-pull", rules=(page("unauthorised"),), may_stop=True),
    PullTrap("slow", rules=(page("slow", seconds=0.3, times=3),)),
    PullTrap("stalled half-way", rules=(page("stall", seconds=0.3),)),
    PullTrap("body cut, length right", rules=(page("cut_body", times=2),)),
    PullTrap("body cut by a reset", rules=(page("cut_connection", times=2),)),
    PullTrap("200 with an error", rules=(page("error_in_200", times=2),)),
    PullTrap("HTML of a sleeping instance", rules=(page("html_page", times=1),), may_stop=True),
    PullTrap("200 with an error, long histories", on=CLOUD, rules=(LONG_HISTORY | {"kind": "error_in_200"},)),
    PullTrap("counts cut", on=SERVICENOW, rules=({"kind": "cut_body", "path": "/stats/", "times": 3},)),
    PullTrap("reset before", rules=(page("reset_before", times=2),)),
    PullTrap("reset after", rules=(page("reset_after", times=2),)),
    PullTrap("a page twice", on=SERVICENOW, rules=(page("duplicate_page"),)),
    PullTrap("time-out by page size", rules=({"kind": "error_in_200", **TOO_MUCH},)),
    PullTrap("answers cut by page size", rules=({"kind": "cut_connection", **TOO_MUCH},)),
    PullTrap("a page twice", on=JIRA, rules=(page("duplicate_page", method="GET"),)),
    PullTrap("page token repeated", on=CLOUD, rules=(page("repeat_token"),)),
    PullTrap("page token expired", on=CLOUD, rules=(page("expired_token"),)),
    PullTrap("401, by token", on=TOKENS, rules=(page("unauthorised"),), signs_in=True),
    PullTrap("anonymous 200", on=JIRA, rules=({"kind": "anonymous", "times": None},), may_stop=True),
    PullTrap("CAPTCHA 403", on=JIRA, rules=({"kind": "captcha", "times": 1},), may_stop=True),
    PullTrap("rows hidden, pages short", on=SERVICENOW, user="reader", hides="incident"),
    PullTrap(
        "rows hidden, data changing",
        on=SERVICENOW,
        rules=(page("changing", after=0, times=9, records=7),),
        options={"hidden_rows": {"regelkreis": {"incident": f"opened_at<{SHOWN_FROM}"}}},
        hides="incident",
    ),
    PullTrap(
        "answers capped",
        on=SERVICENOW,
        options={"max_rows": 25},
        events=({"kind": "delete", "count": 9, "audited": False},),
        leaves_no_trace=True,
    ),
    PullTrap(
        "answers capped, rows hidden",
        on=SERVICENOW,
        options={"max_rows": 25, "hidden_rows": {"regelkreis": {"incident": f"opened_at<{SHOWN_FROM}"}}},
        hides="incident",
    ),
    PullTrap("user in Honolulu", user="honolulu"),
    PullTrap("user in Auckland", user="auckland"),
    PullTrap("the hour that is twice", user="auckland", until=TWICE, events=({},)),
    PullTrap("the hour that is left out", on=JIRA, user="reader", until=LEFT_OUT, events=({},)),
    PullTrap(
        "slow and 429 and cut and reset",
        rules=(
            page("slow", seconds=0.1, times=4),
            page("rate_limit", seconds=0),
            page("cut_body"),
            page("reset_after"),
        ),
    ),
    PullTrap("data changing while paging", rules=(page("changing", after=0, times=None, records=7),), events=({},)),
    PullTrap("hundreds of equal update times", events=({"kind": "mass_update", "count": 200},)),
    PullTrap(
        "mass update while paging and cut",
        events=({"kind": "mass_update", "count": 200},),
        rules=(page("cut_body", after=1), page("changing", times=2, records=5)),
    ),
    PullTrap("SLA repair", on=SERVICENOW, events=({"kind": "sla_repair", "count": 30, "flipped": True},)),
    PullTrap(
        "SLA repair, deletions not audited",
        on=SERVICENOW,
        events=({"kind": "sla_repair", "count": 30, "flipped": True, "audited": False},),
    ),
    PullTrap("SLA repair, fewer rows", on=SERVICENOW, events=({"kind": "sla_repair", "count": 30, "fewer": True},)),
    PullTrap("retroactive start, reset", on=SERVICENOW, events=({"kind": "sla_reset", "count": 20},)),
    PullTrap("stages of the old engine", on=SERVICENOW, events=({"kind": "compatibility", "count": 100},)),
    PullTrap("running clocks stand still", on=SERVICENOW, events=({},), served={"stale_clocks": True}),
    PullTrap("clocks about to start", on=SERVICENOW, events=({"kind": "starting", "count": 30},)),
    PullTrap("surveys handed in, −1 answered", on=SERVICENOW, events=({"kind": "unanswered", "count": 20},)),
    PullTrap("surveys answered in two sittings", on=SERVICENOW, events=({"kind": "second_sitting", "count": 20},)),
    PullTrap(
        "clocks in business hours, or without a schedule",
        on=SERVICENOW,
        served={"sla_schedules": {"*resolution P3": "business", "*P4": "none"}},
        events=({},),
    ),
    PullTrap("callers answer on hold", on=SERVICENOW, events=({"kind": "caller_reply", "count": 5},)),
    PullTrap(
        "choices renamed",
        on=SERVICENOW,
        options={
            "renamed_choices": {
                "incident.state": {"3": "Parked", "6": "Done", "10": "At the supplier"},
                "task_sla.stage": {"completed": "Finished"},
                "interaction.type": {"review": "Jour fixe"},
            }
        },
    ),
    PullTrap(
        "a bad condition finds nothing",
        on=SERVICENOW,
        options={"invalid_query_returns_no_rows": True},
        events=({"kind": "delete", "count": 9}, {"kind": "sla_repair", "count": 30, "fewer": True}),
        is_reconciled=True,
    ),
    PullTrap(
        "a table denied, then allowed",
        on=SERVICENOW,
        options={"denied": {"regelkreis": ["task_sla:read"]}},
        may_stop=True,
        mended={"denied": {}},
    ),
    PullTrap(
        "deletions, their log denied",
        on=SERVICENOW,
        options={"denied": {"regelkreis": ["sys_audit_delete:read"]}},
        events=({"kind": "delete", "table": "incident", "count": 9},),
        leaves_no_trace=True,
    ),
    PullTrap("deletions, audited", on=SERVICENOW, events=({"kind": "delete", "table": "incident", "count": 9},)),
    PullTrap(
        "deletions, not audited",
        on=SERVICENOW,
        events=({"kind": "delete", "table": "incident", "count": 9, "audited": False},),
        leaves_no_trace=True,
    ),
    PullTrap(
        "archived",
        on=SERVICENOW,
        events=({"kind": "archive", "table": "incident", "count": 9},),
        leaves_no_trace=True,
    ),
    PullTrap(
        "deleted, some restored",
        on=SERVICENOW,
        events=({"kind": "delete", "table": "incident", "count": 9}, {"kind": "restore", "count": 4}),
    ),
    PullTrap(
        "SLA repair, fewer rows, not audited",
        on=SERVICENOW,
        events=({"kind": "sla_repair", "count": 30, "fewer": True, "audited": False},),
        leaves_no_trace=True,
    ),
    *(
        PullTrap(
            f"deletions, keys: {name}",
            on=on,
            events=({"kind": "delete", "count": 9, "audited": False},),
            while_listing=rules,
            leaves_no_trace=True,
        )
        for name, on, rules in LISTING
    ),
    PullTrap("deletions", on=JIRA, events=({"kind": "delete", "count": 9},), leaves_no_trace=True),
    PullTrap(
        "rows hidden, then shown",
        on=SERVICENOW,
        events=({},),
        options={"hidden_rows": {"regelkreis": {"incident": "priority=2"}}},
        later={"hidden_rows": {}},
        is_reconciled=True,
    ),
    PullTrap(
        "issues hidden, then shown",
        on=JIRA,
        events=({},),
        options={"hidden_priorities": ["2"]},
        later={"hidden_priorities": []},
        leaves_no_trace=True,
    ),
    PullTrap(
        "changed out of the filter",
        on=SERVICENOW,
        events=({"kind": "caller_reply", "count": 5},),
        within="state!=2",
        is_reconciled=True,
    ),
    PullTrap(
        "moved out of the filter",
        on=JIRA,
        events=({"kind": "move", "count": 30},),
        within="project = OPS",
        leaves_no_trace=True,
    ),
    PullTrap("keys moved", on=JIRA, events=({"kind": "move", "count": 9},)),
    PullTrap("SLAs rebuilt, issues touched", on=JIRA, events=({"kind": "rebuild_slas", "count": 30, "touches": True},)),
    PullTrap(
        "SLAs rebuilt, issues untouched",
        on=JIRA,
        events=({"kind": "rebuild_slas", "count": 30},),
        leaves_no_trace=True,
    ),
    PullTrap(
        "points of the hour spent", on=CLOUD, options={"hourly_points": 300}, may_stop=True, mended={"hourly_points": 0}
    ),
    PullTrap(
        "field name there twice",
        on=JIRA,
        options={"duplicate_fields": ["Customer"]},
        may_stop=True,
        mended={"duplicate_fields": []},
    ),
)
