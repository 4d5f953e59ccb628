"""What a site may have and this one has not: lists are empty, single things do not exist, in the vendors' own shapes.

A client that asks for boards, schemes or avatars gets the answer of a site without any, not that of a wrong address.
"""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer

_API = r"/rest/api/(?:2|3|latest)"
_AGILE = r"/rest/agile/1\.0"
_ID = r"[0-9]+"
_KEY = "[A-Za-z0-9-]+"

#: Lists whose whole answer is one array.
ARRAYS: tuple[str, ...] = (
    f"{_API}/application-properties(?:/advanced-settings)?",
    f"{_API}/applicationrole",
    f"{_API}/configuration/timetracking/list",
    f"{_API}/issue/{_KEY}/pinned-comments",
    f"{_API}/user/duplicated/list",
    f"{_API}/workflow",
)
#: Lists in pages, as the newer parts of the API and Jira Software have them.
PAGES: tuple[str, ...] = (
    f"{_API}/customFields",
    f"{_API}/(?:notificationscheme|workflowschemes?|issuetypescheme|workflow/search|screens)",
)
#: Lists under a name of their own.
NAMED: dict[str, str] = {
    f"{_API}/issuesecurityschemes": "issueSecuritySchemes",
    f"{_API}/priorityschemes": "schemes",
    f"{_API}/dashboard/gadgets": "gadgets",
    f"{_API}/user/properties": "keys",
    f"{_API}/project/{_KEY}/securitylevel": "levels",
    f"{_API}/jql/autocompletedata/suggestions": "results",
    f"{_API}/workflow/rule/config": "workflows",
    f"{_API}/worklog/deleted": "values",
}
#: Single things → what is said of one that is not there.
SINGLE: dict[str, str] = {
    f"{_AGILE}/rapid/.*": "Board does not exist or you do not have permission to see it.",
    f"{_API}/dashboard/{_ID}(?:/.*)?": "The dashboard does not exist.",
    f"{_API}/(?:issuesecurityschemes|securitylevel)/{_ID}": "The security scheme or level does not exist.",
    f"{_API}/(?:notificationscheme|workflowscheme|issuetypescheme|permissionscheme)/{_ID}(?:/.*)?": (
        "The scheme does not exist."
    ),
    f"{_API}/screens/{_ID}/.*": "The screen does not exist.",
    f"{_API}/user/properties/.+": "The property does not exist.",
    f"{_API}/applicationrole/[^/]+": "The application role does not exist.",
    f"{_API}/project/{_KEY}/(?:notificationscheme|issuesecuritylevelscheme|priorityscheme|workflowscheme)": (
        "The project has no such scheme."
    ),
}
AVATARS: tuple[str, ...] = (f"{_API}/project/{_KEY}/avatars", f"{_API}/user/avatars", f"{_API}/avatar/[a-z]+/system")


def array(call: Call) -> Answer:
    """An empty array."""
    call.signed_in()
    return json_answer([])


def page(call: Call) -> Answer:
    """An empty page."""
    call.signed_in()
    asked: dict[str, Any] = {"startAt": call.number("startAt", 0), "maxResults": call.number("maxResults", 50)}
    return json_answer({**asked, "total": 0, "isLast": True, "values": []})


def named(call: Call, name: str) -> Answer:
    """An empty list under its name."""
    call.signed_in()
    return json_answer({name: [], "lastPage": True} if name == "values" else {name: []})


def missing(call: Call, said: str) -> Answer:
    """A 404 that names what is missing."""
    call.signed_in()
    raise ApiError(404, said)


def avatars(call: Call) -> Answer:
    """Pictures to choose from: none but the platform's own, of which this site shows none."""
    call.signed_in()
    return json_answer({"system": [], "custom": []})
