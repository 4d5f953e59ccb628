"""What a JSON body holds, of the kind the API wants; 400 for any other."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira.calls import ApiError


def part(document: dict[str, Any], name: str) -> dict[str, Any]:
    """An object within the body; empty where there is none."""
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _unlike(name, "an object")
    return value


def parts(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects within the body."""
    value = listed(document, name)
    if not all(isinstance(one, dict) for one in value):
        raise _unlike(name, "a list of objects")
    return value


def texts(document: dict[str, Any], name: str) -> list[str]:
    """A list of names or numbers within the body, as text."""
    value = listed(document, name)
    if not all(isinstance(one, str | int) for one in value):
        raise _unlike(name, "a list of names")
    return [str(one) for one in value]


def listed(document: dict[str, Any], name: str) -> list[Any]:
    """A list of anything within the body; empty where there is none."""
    value = document.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _unlike(name, "a list")
    return value


def _unlike(name: str, wanted: str) -> ApiError:
    return ApiError(400, f"Can not deserialize the value of '{name}': {wanted} is expected.")
