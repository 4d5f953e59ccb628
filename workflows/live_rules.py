"""Which rules are live: every valid file of the rules folder, from the next cycle on."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.db import transaction

from improvement.pdca import OPEN_STATES
from improvement.rules import Limits, Rule
from improvement.rules.loading import Loaded, load
from workflows import ledger
from workflows.models import Action, Person, Role, RuleVersion


def live_rules(*, as_of: datetime, errors: list[str], removed: list[str] | None = None) -> tuple[list[Rule], Limits]:
    """Every valid rule of the rules folder; a new version is recorded as `rule.applied`.

    Broken files are reported and do not stop the valid ones. A rule whose file is gone is no longer live; its open
    actions run on, as ``removed`` is told.
    """
    folder = settings.REGELKREIS.rules
    if not folder.is_dir():
        return [], Limits()
    pack = _read(folder, _digest(folder))
    errors.extend(str(error) for error in pack.errors)
    errors.extend(_unknown_owners(pack.rules))
    with transaction.atomic():
        for rule in pack.rules:
            _apply(rule, as_of)
        if not pack.errors:  # a rule in a broken file is not gone
            gone = RuleVersion.objects.filter(is_live=True).exclude(rule_id__in=[rule.id for rule in pack.rules])
            for row in gone:
                row.is_live = False
                row.save(update_fields=["is_live"])
                payload = {"sha256": row.sha256}
                if removed is not None:
                    still_open = Action.objects.filter(rule_id=row.rule_id, state__in=OPEN_STATES).count()
                    removed.append(f"{row.rule_id} ({still_open} open actions run on)")
                ledger.append("rule.removed", subject=row.rule_id, actor=ledger.ENGINE, at=as_of, payload=payload)
    return pack.rules, pack.limits


def _unknown_owners(rules: list[Rule]) -> list[str]:
    """Rules whose owner is neither a role nor a user: what they open would wait for an owner for ever."""
    owners = {rule.owner for rule in rules} - set(Role)
    known = set(Person.objects.filter(username__in=owners).values_list("username", flat=True))
    return [
        f"{rule.id}: the owner “{rule.owner}” is neither a role nor a user; its actions get no owner. "
        f"Name one of {', '.join(Role)}, or add the user with `regelkreis users add {rule.owner}`."
        for rule in rules
        if rule.owner in owners - known
    ]


def _apply(rule: Rule, as_of: datetime) -> None:
    row = RuleVersion.objects.filter(rule_id=rule.id, sha256=rule.sha256).first()
    if row is not None and row.is_live:
        return
    RuleVersion.objects.filter(rule_id=rule.id, is_live=True).update(is_live=False)
    if row is not None:
        row.is_live = True
        row.save(update_fields=["is_live"])
    else:
        RuleVersion.objects.create(
            rule_id=rule.id,
            sha256=rule.sha256,
            document=rule.canonical(),
            file=str(rule.place.file) if rule.place and rule.place.file else "",
            mode=rule.mode.value,
            applied_at=as_of,
            applied_by=ledger.ENGINE,
        )
    payload = {"sha256": rule.sha256, "mode": rule.mode.value}
    ledger.append("rule.applied", subject=rule.id, actor=ledger.ENGINE, at=as_of, payload=payload)


@lru_cache(maxsize=1)
def _read(folder: Path, digest: str) -> Loaded:
    """The folder's rules; read again when a byte of any file changed (``digest``)."""
    return load([folder])


def _digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all files below the folder."""
    found = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode())
        found.update(file.read_bytes())
    return found.hexdigest()
