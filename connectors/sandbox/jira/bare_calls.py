"""What a site may have and this one has not: lists are empty, single things do not exist, in the vendors' own shapes.

A client that asks for levels of issue security gets the answer of a site without any, not that of a wrong address.
"""

from __future__ import annotations

from connectors.sandbox.jira.addresses import API, ID
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer

_AGILE = r"/rest/agile/1\.0"
_KEY = "[A-Za-z0-9-]+"

#: Lists in pages, as the newer parts of the API and Jira Software have them.
PAGES: tuple[str, ...] = (f"{API}/workflowschemes",)
#: Lists under a name of their own.
NAMED: dict[str, str] = {
    f"{API}/project/{_KEY}/securitylevel": "levels",
    f"{API}/workflow/rule/config": "workflows",
}
#: Single things → what is said of one that is not there.
SINGLE: dict[str, str] = {
    f"{_AGILE}/rapid/.*": "Board does not exist or you do not have permission to see it.",
    f"{API}/securitylevel/{ID}": "The security level does not exist.",
}


def page(call: Call) -> Answer:
    """An empty page."""
    call.signed_in()
    return json_answer(call.page([]))


def named(call: Call, name: str) -> Answer:
    """An empty list under its name."""
    call.signed_in()
    return json_answer({name: []})


def missing(call: Call, said: str, id: str = "") -> Answer:
    """A 404 that names what is missing."""
    call.signed_in()
    raise ApiError(404, said)
