"""Who wrote the rules that may lead to a write to a platform, as far as the ledger tells."""

from __future__ import annotations

import json

from improvement.rules import Mode
from workflows.models import LedgerEntry, Person
from workflows.rules.live import standing_rules

MOST_NAMED = 5


def writers() -> dict[str, frozenset[str]]:
    """Every live rule that does not only observe → the uids of who wrote this version of it.

    Empty where only a file made it live: nobody said who wrote that (docs/decisions/019).
    """
    live = {rule.id: rule.sha256 for rule in standing_rules().rules if rule.mode is not Mode.OBSERVE}
    found: dict[str, set[str]] = {rule_id: set() for rule_id in live}
    entries = LedgerEntry.objects.filter(type="rule.applied", subject__in=live).values_list("subject", "data")
    for rule_id, data in entries.iterator(chunk_size=100):
        payload = json.loads(bytes(data))["payload"]
        if payload["sha256"] == live[rule_id] and "author" in payload:
            found[rule_id].add(payload["author"])
    return {rule_id: frozenset(uids) for rule_id, uids in found.items()}


def written_by(person: Person) -> list[str]:
    """The rules among them that this person wrote, alone or with others."""
    return sorted(rule_id for rule_id, uids in writers().items() if person.uid in uids)


def of_nobody_known() -> list[str]:
    """The rules among them of which nobody knows who wrote them."""
    return sorted(rule_id for rule_id, uids in writers().items() if not uids)


def named(rules: list[str]) -> str:
    """Rules in a sentence: the first few by name."""
    more = len(rules) - MOST_NAMED
    return ", ".join(rules[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
