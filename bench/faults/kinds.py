"""The kinds of writing request that deliveries make; a trap hits each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from improvement.records import Verb

TABLES = {"cim": "sn_cim_register", "custom": "u_improvement_action", "problem": "problem", "task_min": "task"}
TASKS = {"cim": ("sn_cim_task", "cim_register"), "problem": ("problem_task", "problem")}  # table, what leads upwards
LINKED = 4


@dataclass(frozen=True, slots=True)
class Kind:
    """One request of a delivery.

    ``method``, ``path`` and ``after`` tell which. ``changes`` are the fields that an update changes; ``triggers``: how
    many further tickets are linked. ``is_apart``: it belongs to the creation of a record, so it gets a record of its
    own. ``is_inside``: it is an item of a batch, of which only the answer can be wrong. ``tells``: a refusal stands on
    the receipt, under a name of this pattern, and the rest of the delivery goes on. ``seen_in``: where it shows, if the
    delivery makes other requests too, which a refusal of this one does not undo. ``no_place``: there is none for it, so
    nothing may be sent, and the receipt tells it under this name.
    """

    name: str
    verb: Verb
    method: str
    path: str
    after: int = 0
    changes: Mapping[str, str] = field(default_factory=dict)
    triggers: int = 0
    is_apart: bool = False
    is_inside: bool = False
    tells: str = ""
    seen_in: tuple[str, ...] = ()
    no_place: str = ""

    def met_by(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        """A fault rule for this request, unless it names one itself."""
        return {"method": self.method, "path": self.path, "after": self.after, **rule}


OTHERWISE = {"description": "SLA breach rate 31 %"}


def _at_servicenow(mode: str) -> tuple[Kind, ...]:
    """What every mode can carry."""
    table = f"/table/{TABLES[mode]}"
    return (
        Kind("record", Verb.CREATE, "POST", f"{table}$"),
        Kind("update", Verb.UPDATE, "PATCH", f"{table}/", changes=OTHERWISE),
        Kind("note", Verb.NOTE, "PATCH", f"{table}/"),
        Kind("file", Verb.ATTACH, "POST", "/attachment/file$"),
    )


def _task(mode: str) -> Kind:
    return Kind("task", Verb.TASK, "POST", f"/table/{TASKS[mode][0]}$")


_LINK = "/table/sn_cim_inbound_m2m$"
_OF_CIM = (
    _task("cim"),
    Kind("link", Verb.LINK, "POST", _LINK, triggers=1),
    Kind("links", Verb.LINK, "POST", "/v1/batch$", triggers=LINKED),
    Kind("one of the links", Verb.LINK, "POST", _LINK, after=1, triggers=LINKED, is_inside=True, tells="[0-9a-f]{32}"),
)
_PROPERTY, _REMOTE_LINK = "/properties/regelkreis$", "/remotelink$"
JIRA = (
    Kind("record", Verb.CREATE, "POST", "/issue$"),
    Kind("update", Verb.UPDATE, "PUT", r"/issue/\d+$", changes=OTHERWISE),
    Kind("property", Verb.UPDATE, "PUT", _PROPERTY, changes={"state": "planned"}),
    Kind(
        "remote link",
        Verb.UPDATE,
        "POST",
        _REMOTE_LINK,
        changes={"url": "https://new.example.com/"},
        seen_in=("pages",),
    ),
    Kind(
        "transition",
        Verb.UPDATE,
        "POST",
        "/transitions$",
        changes={"state": "doing"},
        tells="state",
        seen_in=("moves", "status"),
    ),
    Kind("note", Verb.NOTE, "POST", "/comment$"),
    Kind("file", Verb.ATTACH, "POST", "/attachments$"),
    Kind("task", Verb.TASK, "POST", "/issue$"),
    Kind("links", Verb.LINK, "POST", "/issueLink$", after=1, triggers=LINKED, tells="trigger .+"),
    Kind("property of a new record", Verb.CREATE, "PUT", _PROPERTY, is_apart=True, tells="url", seen_in=("kept",)),
    Kind(
        "remote link of a new record", Verb.CREATE, "POST", _REMOTE_LINK, is_apart=True, tells="url", seen_in=("pages",)
    ),
)
_NO_LINKS = Kind("links", Verb.LINK, "POST", "/batch$|m2m", triggers=LINKED, no_place="triggers")
_NO_TASKS = Kind("task", Verb.TASK, "POST", "task$", no_place="task")
KINDS: dict[str, tuple[Kind, ...]] = {
    "cim": (*_at_servicenow("cim"), *_OF_CIM),
    "custom": (*_at_servicenow("custom"), _NO_TASKS, _NO_LINKS),
    "problem": (*_at_servicenow("problem"), _task("problem"), _NO_LINKS),
    "task_min": (*_at_servicenow("task_min"), _NO_TASKS, _NO_LINKS),
    "jira": JIRA,
}
