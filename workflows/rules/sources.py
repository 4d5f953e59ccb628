"""Where the rules of a command come from: files, the live ones, or one recorded version."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from improvement.errors import InputError, ManyErrors
from improvement.rules import Limits, Rule, load_pack, rule_from_document
from improvement.rules.suggestions import did_you_mean
from workflows.models import Connection, RuleVersion
from workflows.rules.live import of_broken_files, standing_rules

LIVE = "live"
VERSION = re.compile(r"^(?:(?P<rule>[a-z0-9@_-]+)@)?(?P<sha>[0-9a-f]{6,64})$")


@dataclass(frozen=True, slots=True)
class Source:
    """Rules and limits, and what they are called in a report. ``is_whole``: what is not there is meant to be gone."""

    name: str
    rules: tuple[Rule, ...]
    limits: Limits
    is_whole: bool = False

    def rule(self, rule_id: str) -> Rule:
        """The rule of this id; :class:`InputError` naming what there is."""
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        known = [rule.id for rule in self.rules]
        mend = did_you_mean(rule_id, known) if known else "Write one with `regelkreis rules new`."
        raise InputError(f"{self.name}: there is no rule “{rule_id[:100]}”.", mend=mend)

    def with_derived(self, rule_id: str) -> tuple[Rule, ...]:
        """The rule of this id, and those that were derived from it."""
        return (self.rule(rule_id), *(rule for rule in self.rules if rule.derived_from == rule_id))


def from_files(paths: Sequence[Path]) -> Source:
    """The rules of files and folders as they stand there; all that is wrong with them is raised."""
    pack = load_pack(paths, within=settings.REGELKREIS.rules)
    is_whole = all(path.is_dir() for path in paths)
    return Source(", ".join(map(str, paths)), pack.rules, pack.limits, is_whole)


def drafts() -> Source:
    """The rules folder of this installation, applied or not; without a folder the live rules."""
    folder = settings.REGELKREIS.rules
    return from_files([folder]) if folder.is_dir() else live()


def live() -> Source:
    """The rules that are live, those whose files cannot be read now by their last version; where none is, why."""
    standing = standing_rules()
    rules = [*standing.rules, *(of_broken_files(standing.rules) if standing.errors else ())]
    if standing.errors and not rules:
        raise ManyErrors([InputError(error) for error in standing.errors])
    return Source("the live rules", tuple(rules), standing.limits, is_whole=True)


def named(text: str) -> Source:
    """What a command's argument names: ``live``, a file or folder, or a recorded version by its digest's beginning."""
    if text == LIVE:
        return live()
    if Path(text).exists():
        return from_files([Path(text)])
    match = VERSION.match(text)
    found = list(RuleVersion.objects.filter(sha256__startswith=match["sha"]).order_by("pk")[:2]) if match else []
    if len(found) == 1:
        row = found[0]
        limits = Limits(**row.limits) if row.limits else live().limits
        return Source(f"{row.rule_id} {row.sha256[:12]}", (rule_from_document(row.document),), limits)
    what = f"“{text[:100]}” fits several versions." if found else f"“{text[:100]}” is no file, folder or version."
    raise InputError(what, mend="Name a path, `live`, or the first 12 digits of a version (`regelkreis rules docs`).")


def connection_names(name: str | None = None) -> list[str]:
    """Every connection that was pulled, or the one named."""
    known = list(Connection.objects.order_by("name").values_list("name", flat=True))
    if name is None:
        if not known:
            raise InputError("Nothing was pulled yet.", mend="Run `regelkreis pull` first.")
        return known
    if name not in known:
        mend = did_you_mean(name, known) if known else "Run `regelkreis pull` first: it reads them in."
        raise InputError(f"There is no connection “{name[:60]}”.", mend=mend)
    return [name]
