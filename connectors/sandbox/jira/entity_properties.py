"""Properties that clients keep on something: on issues, comments, projects, people, boards, organisations and more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content

MAX_VALUE = 32_768
_UNKNOWN = "The property with key '{}' does not exist."


def one(call: Call, kept: dict[str, Any], name: str, *, unknown: str = _UNKNOWN) -> Answer:
    """``GET|PUT|DELETE`` of one of them: any JSON of at most 32 768 characters; 404 says ``unknown`` of its name.

    Whoever calls this has made sure that the caller may change what the properties are kept on.
    """
    if call.method == "PUT":
        if len(call.body.decode(errors="replace")) > MAX_VALUE:
            raise ApiError(400, f"The property value cannot be longer than {MAX_VALUE} characters.")
        status = 200 if name in kept else 201
        kept[name] = call.json()
        return Answer(status)
    if name not in kept:
        raise ApiError(404, unknown.format(name))
    if call.method == "DELETE":
        del kept[name]
        return no_content()
    return json_answer({"key": name, "value": kept[name]})


def keys(kept: Iterable[str], address: str) -> list[dict[str, str]]:
    """Their keys, each with where it is read: under ``address``."""
    return [{"self": f"{address}/{name}", "key": name} for name in kept]
