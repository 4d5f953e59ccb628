"""The traps of writing, as a table: what the platform does with a request, and whether it must be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.faults.kinds import TABLES, TASKS, Kind
from bench.faults.traps import CLOUD, EVERYWHERE, JIRA, SERVICENOW, Rule
from connectors.sandbox.plugin import Flavour

ANSWERS = frozenset({"rate_limit", "unavailable", "server_error", "unauthorised", "refuse", "slow"})


@dataclass(frozen=True, slots=True)
class WriteTrap:
    """``rules`` hit each kind of writing request, or ``kinds`` alone; a rule that names no request means that one.

    ``is_told``: no repetition helps, but the answer must tell; of a delivery that goes on the receipt, by a name that
    fits ``names``. ``is_dead``: it must be refused for good, so that it is a dead letter at once. ``late_s``: so long
    after it was sent it takes effect, when the connector with ``timeout_s`` has long given up. ``others_write``: so
    often has somebody else just written the record. ``shuts_out``: while it lasts nothing is written, it waits, and who
    is at fault is told; after it it takes effect. ``looks`` are in force once the first attempt was not answered, an
    hour later.
    """

    name: str
    on: tuple[Flavour, ...] = EVERYWHERE
    rules: tuple[Rule, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    is_told: bool = False
    names: str = ""
    is_dead: bool = False
    timeout_s: float = 5
    late_s: float = 0
    others_write: int = 0
    shuts_out: bool = False
    looks: tuple[Rule, ...] = ()

    def meets(self, kind: Kind) -> bool:
        """Whether it hits this kind of request. An item of a batch can only be answered wrongly, and what has no place
        is not refused.
        """
        if kind.no_place and (self.is_told or self.shuts_out):
            return False
        if self.kinds:
            return kind.name in self.kinds
        return not kind.is_inside or all(rule["kind"] in ANSWERS for rule in self.rules)

    def is_for_fallbacks(self) -> bool:
        """Whether it needs nothing of Continual Improvement Management."""
        return "servicenow" in self.on and not self.options and "links" not in self.kinds


def fault(kind: str, **more: Any) -> Rule:
    """A fault on the first request of the kind in question."""
    return {"kind": kind, **more}


#: What is read for a write, request by request; Jira Cloud is searched by POST.
READS = (
    *(rf"/table/{name}$" for name in (*TABLES.values(), *(table for table, _ in TASKS.values()))),
    *(rf"/table/{name}$" for name in ("sys_journal_field", "sys_attachment", "sn_cim_inbound_m2m", "sys_audit")),
    *(r"/issue/\d+$", "/issue/[A-Z]+-", "/remotelink$", "/editmeta$", "/transitions$", "/issueLinkType$", "/comment$"),
    r"/search$",
)


def looking(kind: str) -> tuple[Rule, ...]:
    """A fault on each request that reads, once."""
    rules = [{"kind": kind, "method": "GET", "path": path} for path in READS]
    return (*rules, {"kind": kind, "method": "POST", "path": "/search/jql$"})


LOST: Rule = fault("reset_after")
BATCH: Rule = {"method": "POST", "path": "/v1/batch$"}
NOBODY: Rule = {"kind": "anonymous", "method": "GET", "path": "/myself$", "after": 0, "times": None}
COUNTS: Rule = {"method": "GET", "path": "/stats/", "after": 0}
COUNTED = ("record", "link", "links")
RECORDS = ("record", "task", "property of a new record", "remote link of a new record")
_REGISTER = TABLES["cim"]
_READ_ONLY = {"read_only_fields": {_REGISTER: ["description"], TASKS["cim"][0]: ["short_description"]}}
_DROPPED = "description|short_description"
_OF_REGISTER = ("record", "update", "note")


def _rule(effect: str, **more: Any) -> dict[str, Any]:
    return {"rules": [{"table": _REGISTER, "effect": effect, **more}]}


WRITE: tuple[WriteTrap, ...] = (
    WriteTrap("no trap"),
    WriteTrap("429, seconds", rules=(fault("rate_limit", seconds=0),)),
    WriteTrap("429, a date", rules=(fault("rate_limit", seconds=0, as_date=True),)),
    WriteTrap("503", rules=(fault("unavailable", seconds=0),)),
    WriteTrap("500", rules=(fault("server_error"),)),
    WriteTrap("502 after it took effect", rules=(fault("error_after"),)),
    WriteTrap("401", rules=(fault("unauthorised"),)),
    WriteTrap("409", rules=(fault("refuse", status=409),)),
    WriteTrap("slow", rules=(fault("slow", seconds=0.05),)),
    WriteTrap("reset before", rules=(fault("reset_before"),)),
    WriteTrap("reset after", rules=(fault("reset_after"),)),
    WriteTrap("answer stalled", rules=(fault("stall", seconds=0.1),)),
    WriteTrap("time-out, effect later", rules=(fault("slow", seconds=0.5),), timeout_s=0.3, late_s=0.5),
    WriteTrap("answer cut", rules=(fault("cut_body"),)),
    WriteTrap("200 with an error", rules=(fault("error_in_200"),)),
    WriteTrap("looking: 200 with an error", rules=looking("error_in_200")),
    WriteTrap("looking: answers cut", rules=looking("cut_body")),
    WriteTrap("reset after, then looking: 200 with an error", rules=(LOST,), looks=looking("error_in_200")),
    WriteTrap("reset after, then looking: answers cut", rules=(LOST,), looks=looking("cut_body")),
    WriteTrap("counts cut", on=SERVICENOW, rules=(COUNTS | fault("cut_body"),), kinds=COUNTED),
    WriteTrap("counts with an error", on=SERVICENOW, rules=(COUNTS | fault("error_in_200", times=3),), kinds=COUNTED),
    WriteTrap("HTML of a sleeping instance", rules=(fault("html_page"),)),
    WriteTrap("reset after, twice, then 503", rules=(fault("reset_after", times=2), fault("unavailable", seconds=0))),
    WriteTrap("batch unserviced", on=SERVICENOW, rules=(fault("unserviced", records=0, **BATCH),), kinds=("links",)),
    WriteTrap(
        "batch partly served, reset after",
        on=SERVICENOW,
        rules=(fault("unserviced", records=2, **BATCH), fault("reset_after", **BATCH)),
        kinds=("links",),
    ),
    WriteTrap(
        "index lags, reset before", on=JIRA, rules=(fault("reset_before"),), options={"index_lag": 40}, kinds=RECORDS
    ),
    WriteTrap(
        "index lags, reset after", on=JIRA, rules=(fault("reset_after"),), options={"index_lag": 40}, kinds=RECORDS
    ),
    WriteTrap(
        "as many writes as an issue takes (429)",
        on=CLOUD,
        options={"limits_issue_writes": True},
        kinds=("update", "property", "remote link", "transition", "note", "file"),
        others_write=20,
    ),
    WriteTrap(
        "as many writes as it takes + reset",
        on=CLOUD,
        rules=(fault("reset_after"),),
        options={"limits_issue_writes": True},
        kinds=("update", "property", "note", "file"),
        others_write=20,
    ),
    WriteTrap(
        "index lags + time-out, effect later",
        on=JIRA,
        rules=(fault("slow", seconds=0.5),),
        options={"index_lag": 40},
        kinds=RECORDS,
        timeout_s=0.3,
        late_s=0.5,
    ),
    WriteTrap(
        "409 + 401 + 429 + HTML + reset after",
        rules=(
            fault("refuse", status=409),
            fault("unauthorised"),
            fault("rate_limit", seconds=0),
            fault("html_page"),
            fault("reset_after"),
        ),
    ),
    WriteTrap("token expired", on=JIRA, rules=(NOBODY | {"method": None, "path": None},), shuts_out=True),
    WriteTrap("token expired while writing", on=JIRA, rules=(fault("anonymous"), NOBODY), shuts_out=True),
    WriteTrap("CAPTCHA 403", on=JIRA, rules=(fault("captcha"),)),
    WriteTrap("no right (403)", rules=(fault("refuse", status=403, times=None, after=0),), is_told=True, is_dead=True),
    WriteTrap(
        "a rule rejects (403)",
        on=SERVICENOW,
        options=_rule("reject", name="No robots"),
        kinds=_OF_REGISTER,
        is_told=True,
        is_dead=True,
    ),
    WriteTrap(
        "data policy (403)",
        on=SERVICENOW,
        options=_rule("data_policy", message="Priority"),
        kinds=_OF_REGISTER,
        is_told=True,
        is_dead=True,
    ),
    WriteTrap("ACL (403)", on=SERVICENOW, options=_rule("acl"), kinds=_OF_REGISTER, is_told=True, is_dead=True),
    WriteTrap(
        "rows below it denied (403)",
        on=SERVICENOW,
        options={"denied": {"regelkreis": ["sn_cim_task:write", "sn_cim_inbound_m2m:write"]}},
        kinds=("task", "link"),
        is_told=True,
        is_dead=True,
    ),
    WriteTrap(
        "a rule changes a value",
        on=SERVICENOW,
        options=_rule("change", set={"description": "By rule"}),
        kinds=("record", "update"),
        is_told=True,
        names="description",
    ),
    *(
        WriteTrap(
            f"a field read-only{meanwhile}",
            on=SERVICENOW,
            rules=rules,
            options=_READ_ONLY,
            kinds=("record", "update", "task"),
            is_told=True,
            names=_DROPPED,
        )
        for meanwhile, rules in (
            ("", ()),
            (" + reset after", (fault("reset_after"),)),
            (" + 502 after it took effect", (fault("error_after"),)),
        )
    ),
    WriteTrap(
        "a field on no edit screen",
        on=JIRA,
        options={"screen_lacks": {"edit": ["description"]}},
        kinds=("update",),
        is_told=True,
        names="description",
    ),
    WriteTrap(
        "an unknown choice",
        on=SERVICENOW,
        options={"retired_choices": {f"{_REGISTER}.success_measurement_method": ["manual", "1", "4"]}},
        kinds=("record",),
        is_told=True,
        names="method",
    ),
)
