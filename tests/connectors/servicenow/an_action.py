"""An improvement action as it is written to ServiceNow."""

from __future__ import annotations

from typing import Any

from improvement.records import Outbound, OutboundFile, Verb

OURS = "k7m2qd4x"  # this installation
TRACE = f"rk-{OURS}-ACT-7"
FIELDS: dict[str, Any] = {
    "title": "Fewer breaches at Acme",
    "description": "SLA breach rate 24.3 %",
    "hypothesis": "A second engineer at night",
    "service": "Mail",
    "owner": "olga.owner",
    "due": "2025-09-01",
    "baseline": "24.3 %",
    "target": "17 %",
    "next_review": "2025-08-01",
    "planned_start": "2025-06-09",
    "planned_end": "2025-06-30",
    "state": "proposed",
    "verdict": None,
    "url": "https://rk.example.com/actions/ACT-7/",
}
FILE = OutboundFile(name="review-abc123.json", media_type="application/json", content=b'{"verdict":"improved"}')


def outbound(verb: Verb, name: str, **parts: Any) -> Outbound:
    return Outbound(verb=verb, key=f"ACT-7/{name}", action_id="ACT-7", installation=OURS, **parts)


CREATE = outbound(Verb.CREATE, "create", fields=FIELDS)
NOTE = outbound(Verb.NOTE, "note/final-1", text="Improved: 24.3 % → 16.1 %.\nHTML <b>stays</b> text ^ here.")
