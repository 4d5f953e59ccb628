"""Putting something elsewhere in a list, as versions and fields of screens are moved."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira.calls import ApiError


def moved(order: list[str], id: str, sent: dict[str, Any]) -> list[str]:
    """The order once ``id`` was moved to a ``position``, or ``after`` another, named by id or address."""
    here, others = order.index(id), [one for one in order if one != id]
    after = str(sent.get("after") or "").rpartition("/")[2]
    places = {"First": 0, "Last": len(others), "Earlier": max(here - 1, 0), "Later": min(here + 1, len(others))}
    place = others.index(after) + 1 if after in others else places.get(str(sent.get("position")))
    if place is None:
        raise ApiError(400, f"It can be moved after another of its list, or to one of {', '.join(places)}.")
    return [*others[:place], id, *others[place:]]
