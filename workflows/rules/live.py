"""Which rules are live: every valid file of the rules folder, or, once a person applied any, what people applied.

docs/decisions/019 says why there are two ways.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from improvement import weeks
from improvement.errors import InputError, Place, RegelkreisError
from improvement.pdca import OPEN_STATES
from improvement.plurals import how_many
from improvement.rules import Limits, Rule, rule_from_document
from improvement.rules.loading import Loaded, load
from workflows.evidence import ledger
from workflows.models import Action, Evaluation, Finding, LedgerEntry, Person, Role, RuleVersion
from workflows.rules import backdating, ending
from workflows.rules.published import last_alike, readable


@dataclass(frozen=True, slots=True)
class Standing:
    """The rules that are live, and what keeps others from being so."""

    rules: list[Rule]
    limits: Limits
    errors: list[str]


def live_rules(*, as_of: datetime, errors: list[str], removed: list[str] | None = None) -> tuple[list[Rule], Limits]:
    """The rules of a cycle. Where nobody applied rules, a new version in the folder is recorded as `rule.applied`.

    Broken files are reported and do not stop the valid ones. A rule whose file is gone is no longer live; its open
    actions run on, as ``removed`` is told.
    """
    standing = standing_rules()
    errors.extend(standing.errors)
    errors.extend(unknown_owners(standing.rules))
    if is_applied() or why_unreadable(settings.REGELKREIS.rules):
        return standing.rules, standing.limits
    with transaction.atomic():
        ledger.hold()
        if is_applied():  # by somebody this very moment: the files say nothing any more
            return _applied().rules, _applied().limits
        known = set(RuleVersion.objects.filter(is_live=True).values_list("rule_id", "sha256"))
        for rule in standing.rules:
            if (rule.id, rule.sha256) not in known:
                record(rule, actor=ledger.ENGINE, at=as_of)
        if not standing.errors:  # a rule in a broken file is not gone
            for row in gone(standing.rules):
                told = retire(row, actor=ledger.ENGINE, at=as_of)
                if removed is not None:
                    removed.append(told)
    return standing.rules, standing.limits


def standing_rules() -> Standing:
    """The rules that are live now, or at the next cycle; changes nothing."""
    if is_applied():
        return _applied()
    return folder_rules()


def folder_rules() -> Standing:
    """The valid rules of the rules folder, applied or not."""
    folder = settings.REGELKREIS.rules
    if unreadable := why_unreadable(folder):
        return Standing([], Limits(), [str(unreadable)])
    pack = _read(folder, _digest(folder))
    return Standing(pack.rules, pack.limits, [str(error) for error in pack.errors])


def why_unreadable(folder: Path) -> RegelkreisError | None:
    """Why a folder of rules cannot be looked into; None where it can."""
    where = Place(file=str(folder))
    if not folder.is_dir():
        mend = "Run `regelkreis init`, or correct the setting `rules`."
        return InputError("There is no such folder of rules.", where=where, mend=mend)
    if not os.access(folder, os.R_OK | os.X_OK):
        return InputError("The folder of rules may not be read.", where=where, mend="Give our user the right to.")
    return None


def is_applied() -> bool:
    """Whether a person applied rules here: from then on files alone change nothing."""
    return RuleVersion.objects.exclude(applied_by=ledger.ENGINE).exists()


def _applied() -> Standing:
    rules, errors = [], []
    live = list(RuleVersion.objects.filter(is_live=True).order_by("rule_id"))
    for row in live:
        try:
            # The version keeps its name, also when a later release spells the same document out further.
            rules.append(replace(rule_from_document(row.document), limits=Limits(**row.limits), sha256=row.sha256))
        except RegelkreisError as error:
            errors.append(f"{row.rule_id}: the applied version {row.sha256[:12]} cannot be read any more: {error}")
    return Standing(rules, _last_limits(live), errors)


def _last_limits(live: Iterable[RuleVersion]) -> Limits:
    """The limits that came last with a live version, in the order of the ledger.

    Not by the moment: a wrong year would hold for ever. Nor by the key: a version that comes back keeps its row.
    """
    limits = {(row.rule_id, row.sha256): row.limits for row in live if row.limits}
    if not limits:
        return Limits()
    applied = LedgerEntry.objects.filter(type="rule.applied").order_by("-index").values_list("subject", "data")
    for subject, data in applied.iterator(chunk_size=100):
        payload = json.loads(bytes(data))["payload"]
        if "limits" in payload and (subject, payload["sha256"]) in limits:
            return Limits(**limits[subject, payload["sha256"]])
    return Limits()


def gone(rules: Iterable[Rule]) -> list[RuleVersion]:
    """The live versions of rules that are not among these."""
    kept = [rule.id for rule in rules]
    return list(RuleVersion.objects.filter(is_live=True).exclude(rule_id__in=kept).order_by("rule_id"))


def of_broken_files(rules: Iterable[Rule]) -> list[Rule]:
    """The live versions of rules that are not among these, for their files cannot be read now: they are not gone."""
    found = ((row, readable(row)) for row in gone(rules))
    return [replace(rule, sha256=row.sha256) for row, rule in found if rule is not None]


def retire(row: RuleVersion, *, actor: str, at: datetime) -> str:
    """Make a rule live no more; its findings end, its open actions run on, as the answer says."""
    row.is_live = False
    row.save(update_fields=["is_live"])
    evaluated = Evaluation.objects.filter(rule_id=row.rule_id).values_list("connection", "first_week", "last_week")
    payload = {
        "sha256": row.sha256,
        "first_weeks": {name: weeks.label(first) for name, first, _ in evaluated},
        "last_weeks": {name: weeks.label(last) for name, _, last in evaluated},
    }
    ledger.append("rule.removed", subject=row.rule_id, actor=actor, at=at, payload=payload)
    seen = Finding.objects.filter(rule_id=row.rule_id).exclude(memory={})
    ending.end(seen, because=ending.RULE_REMOVED, actor=actor, at=at)
    Evaluation.objects.filter(rule_id=row.rule_id).delete()  # if it comes back, its first evaluation opens nothing
    return f"{row.rule_id} ({how_many(open_actions(row.rule_id), 'open action runs on', 'open actions run on')})"


def open_actions(rule_id: str) -> int:
    """How many actions of a rule are open."""
    return Action.objects.filter(rule_id=rule_id, state__in=OPEN_STATES).count()


def unknown_owners(rules: Iterable[Rule]) -> list[str]:
    """Rules whose owner is neither a role nor a user: what they open would wait for an owner for ever."""
    rules = list(rules)
    owners = {rule.owner for rule in rules} - set(Role)
    known = set(Person.objects.filter(username__in=owners).values_list("username", flat=True))
    return [
        f"{rule.id}: the owner “{rule.owner}” is neither a role nor a user; its actions get no owner. "
        f"Name one of {', '.join(Role)}, or add the user with `regelkreis users add {rule.owner}`."
        for rule in rules
        if rule.owner in owners - known
    ]


def record(rule: Rule, *, actor: str, at: datetime, limits: Limits | None = None, **payload: str) -> bool:
    """Make a version of a rule live, with its ledger entry; False where it is live already, alike in all.

    ``limits`` come with a version that a person applied; ``payload`` is added to the entry.
    """
    kept = {} if limits is None else limits_document(limits)
    row = RuleVersion.objects.filter(rule_id=rule.id, sha256=rule.sha256).first()
    if row is not None and row.is_live and (limits is None or (row.limits == kept and row.applied_by != ledger.ENGINE)):
        return False
    before = last_alike(rule)
    RuleVersion.objects.filter(rule_id=rule.id, is_live=True).update(is_live=False)
    if row is None:
        row = RuleVersion(rule_id=rule.id, sha256=rule.sha256, document=rule.canonical(), mode=rule.mode.value)
    row.applied_at, row.applied_by = at, actor  # also of one that was live before and is so once more
    if limits is not None:
        row.limits = kept
    row.file = str(rule.place.file) if rule.place and rule.place.file else ""
    row.is_live = True
    row.save()
    entry: dict[str, Any] = {"sha256": rule.sha256, "mode": rule.mode.value, **payload}
    if limits is not None:
        entry["limits"] = kept
    ledger.append("rule.applied", subject=rule.id, actor=actor, at=at, payload=entry)
    backdating.record(before, rule, actor=actor, at=at)
    return True


def limits_document(limits: Limits) -> dict[str, int]:
    """Limits as JSON."""
    return {name: getattr(limits, name) for name in ("budget", "max_new_actions", "group_above", "min_people")}


@lru_cache(maxsize=1)
def _read(folder: Path, digest: str) -> Loaded:
    """The folder's rules; read again when a byte of any file changed (``digest``)."""
    return load([folder])


def _digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all files below the folder."""
    found = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            content = file.read_bytes()
        except OSError as error:  # loading tells of it
            content = str(error).encode()
        found.update(f"{file.relative_to(folder)}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()
