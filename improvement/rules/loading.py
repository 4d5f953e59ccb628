"""Loading rule files: every error of every file at once, each with file, line, column and what to do.

A folder may hold one ``Defaults`` document; it applies to its own rules and those of the folders below, the nearest
winning. Files are read in the order of their names, so the same folder always gives the same pack; and a file that is
given alone still has the defaults of its folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError

from improvement.errors import InputError, ManyErrors, Place, RegelkreisError
from improvement.rules.compiling import compiled
from improvement.rules.defaults import DefaultsDocument, merged
from improvement.rules.documents import API_VERSION, RuleDocument, RuleTestDocument
from improvement.rules.flow_down import derived
from improvement.rules.problems import Problems
from improvement.rules.rule import Limits, Rule
from improvement.rules.salvage import salvaged
from improvement.rules.source import Node, read_documents
from improvement.rules.suggestions import did_you_mean
from improvement.rules.testing import RuleTest, rule_test_of

if TYPE_CHECKING:
    from improvement.metrics.catalogue import Metric

KINDS: dict[str, type[BaseModel]] = {"Rule": RuleDocument, "Defaults": DefaultsDocument, "RuleTest": RuleTestDocument}
SUFFIXES = (".yaml", ".yml")
_HOLDS_DEFAULTS = re.compile(r"""^kind:\s*["']?Defaults\b""", re.MULTILINE)
DEFAULTED = ("metadata", "spec", "action", "check")


@dataclass(frozen=True, slots=True)
class RulePack:
    """Everything the given paths hold. Derived rules stand behind the rule they come from."""

    rules: tuple[Rule, ...]
    tests: tuple[RuleTest, ...]
    limits: Limits

    def rule(self, rule_id: str) -> Rule:
        """The rule of this id; :class:`InputError` naming the ones that exist."""
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise InputError(
            f"There is no rule “{rule_id[:100]}”.", mend=did_you_mean(rule_id, (rule.id for rule in self.rules))
        )


@dataclass(slots=True)
class Loaded:
    """What loading found, right or wrong."""

    rules: list[Rule] = field(default_factory=list)
    tests: list[RuleTest] = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)
    files: int = 0
    errors: list[RegelkreisError] = field(default_factory=list)
    named: dict[tuple[str, str], Place] = field(default_factory=dict)  # (rule id, name) → where a test first has it


def load_pack(
    paths: Sequence[Path | str], *, catalogue: Mapping[str, Metric] | None = None, within: Path | None = None
) -> RulePack:
    """The rules, their tests and limits of files and folders; :class:`ManyErrors` with all that is wrong."""
    loaded = load(paths, catalogue=catalogue, within=within)
    if loaded.errors:
        raise ManyErrors(loaded.errors)
    return RulePack(tuple(loaded.rules), tuple(loaded.tests), loaded.limits)


def load(
    paths: Sequence[Path | str], *, catalogue: Mapping[str, Metric] | None = None, within: Path | None = None
) -> Loaded:
    """As :func:`load_pack`, but never raising: what is right is loaded, what is wrong is listed.

    A file or folder inside ``within`` has the defaults of the folders above it, up to that one.
    """
    catalogue = catalogue if catalogue is not None else _catalogue()
    loaded = Loaded()
    given = [Path(path) for path in paths]
    files = _files(given, loaded)
    loaded.files = len(files)
    documents = _documents(files, loaded)
    defaults = _defaults([*documents, *_defaults_above(given, documents, within, loaded)], loaded)
    if defaults:
        outermost = min(defaults, key=lambda folder: (len(folder.parts), str(folder)))
        loaded.limits = _limits(defaults[outermost].node)
    for document in documents:
        if document.kind == "Rule":
            _load_rule(document, defaults, catalogue, loaded)
    for document in documents:
        if document.kind == "RuleTest":
            _load_test(document, catalogue, loaded)
    loaded.errors.sort(key=_position)
    return loaded


def rule_from_document(document: Mapping[str, Any], *, catalogue: Mapping[str, Metric] | None = None) -> Rule:
    """The rule of a canonical document (:meth:`Rule.canonical`), for example of the version that opened an action.

    What was live may be live on: only files are refused for what can never do what it is written for.
    """
    problems = Problems([(Node({}, 1, 1), "(stored rule)")], is_stored=True)
    try:
        model = RuleDocument.model_validate(document)
    except ValidationError as error:
        problems.add_from(error, RuleDocument)
        raise ManyErrors(cast("list[RegelkreisError]", problems.errors)) from error
    rule = compiled(model, problems, catalogue if catalogue is not None else _catalogue(), Limits())
    if rule is None:
        raise ManyErrors(cast("list[RegelkreisError]", problems.errors))
    return rule


# --- files ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Document:
    """One document of known kind in a file."""

    path: Path
    node: Node
    kind: str


def _documents(files: list[Path], loaded: Loaded) -> list[_Document]:
    return [document for path in files for document in _read(path, _text(path, loaded), loaded)]


def _read(path: Path, text: str, loaded: Loaded) -> list[_Document]:
    found = []
    nodes, errors = read_documents(text, str(path))
    loaded.errors += errors
    for node in nodes:
        kind = _kind(node, path, loaded)
        if kind is not None:
            found.append(_Document(path, node, kind))
    return found


def _defaults_above(
    paths: list[Path], documents: list[_Document], within: Path | None, loaded: Loaded
) -> list[_Document]:
    """The defaults beside and above what was given, which hold for it as they do when the whole folder is read."""
    known = {document.path.resolve() for document in documents}
    folders: dict[Path, None] = {}
    for path in (path.resolve() for path in paths):
        above = path if path.is_dir() else path.parent
        folders[above] = None
        top = within.resolve() if within is not None and above.is_relative_to(within.resolve()) else above
        folders.update(dict.fromkeys(folder for folder in above.parents if folder.is_relative_to(top)))
    found = []
    for folder in folders:
        for file in sorted(folder.iterdir()) if folder.is_dir() and _may_look_into(folder) else ():
            if file.suffix in SUFFIXES and file.is_file() and file not in known and not file.name.startswith("."):
                try:
                    text = file.read_bytes().decode("utf-8", "replace")
                except OSError:  # told of where it is read as one of the files
                    continue
                if _HOLDS_DEFAULTS.search(text):
                    found += [document for document in _read(file, text, loaded) if document.kind == "Defaults"]
    return found


def _files(paths: list[Path], loaded: Loaded) -> list[Path]:
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir() and not _may_look_into(path):
            what, where = "The folder may not be read.", Place(file=str(path))
            loaded.errors.append(InputError(what, where=where, mend="Check its rights."))
        elif path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
            files.update(dict.fromkeys(file for file in inside if not _is_hidden(file.relative_to(path))))
            if not inside:
                where = Place(file=str(path))
                loaded.errors.append(
                    InputError("The folder holds no rules.", where=where, mend="Rules are files that end in .yaml.")
                )
        elif path.is_file():
            files[path] = None
        else:
            where = Place(file=str(path))
            loaded.errors.append(InputError("There is no such file or folder.", where=where, mend="Check the path."))
    return list(files)


def _may_look_into(folder: Path) -> bool:
    return os.access(folder, os.R_OK | os.X_OK)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _text(path: Path, loaded: Loaded) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        data = error.object[: error.start]
        line = data.count(b"\n") + 1
        column = len(data.rsplit(b"\n", 1)[-1].decode("utf-8", "replace")) + 1
        where = Place(file=str(path), line=line, column=column)
        loaded.errors.append(InputError("The file is not UTF-8 text.", where=where, mend="Save it as UTF-8."))
    except OSError as error:
        where = Place(file=str(path))
        loaded.errors.append(
            InputError(f"The file cannot be read: {error.strerror}.", where=where, mend="Check its rights.")
        )
    return ""


def _kind(node: Node, path: Path, loaded: Loaded) -> str | None:
    problems = Problems([(node, str(path))])
    if node.value is None:
        return None  # only comments
    if not isinstance(node.value, dict):
        problems.add((), "A document is a mapping.", "Begin it with apiVersion: regelkreis/v1 and kind: Rule.")
    else:
        version, kind = node.value.get("apiVersion"), node.value.get("kind")
        if version is None:
            problems.add(("apiVersion",), "“apiVersion” is missing.", f"Add apiVersion: {API_VERSION}.")
        elif version.value != API_VERSION:
            problems.add(
                ("apiVersion",), f"“{str(version.plain())[:60]}” is no version we read.", f"Write {API_VERSION}."
            )
        if kind is None:
            problems.add(("kind",), "“kind” is missing.", f"Known: {', '.join(KINDS)}.")
        elif kind.value not in KINDS if isinstance(kind.value, str) else True:
            text = str(kind.plain())
            problems.add(("kind",), f"There is no kind “{text[:60]}”.", did_you_mean(text, KINDS))
        elif not problems.errors:
            return str(kind.value)
    loaded.errors += problems.errors
    return None


# --- defaults, rules, tests -----------------------------------------------------------------------------------


def _defaults(documents: list[_Document], loaded: Loaded) -> dict[Path, _Document]:
    """Folder → its valid Defaults."""
    found: dict[Path, _Document] = {}
    for document in documents:
        if document.kind != "Defaults":
            continue
        folder = document.path.resolve().parent
        problems = Problems([(document.node, str(document.path))])
        if folder in found:
            first = Problems([(found[folder].node, str(found[folder].path))]).place(())
            problems.add((), f"The folder has defaults already, in {first}.", "Join the two.")
        elif _validated(DefaultsDocument, document.node.plain(), problems) is not None:
            found[folder] = document
        loaded.errors += problems.errors
    return found


def _limits(node: Node) -> Limits:
    return Limits(**_given_limits(node))


def _given_limits(node: Node) -> dict[str, int]:
    spec = node.plain().get("spec") or {}
    return dict(spec.get("limits") or {})


def _load_rule(
    document: _Document, defaults: dict[Path, _Document], catalogue: Mapping[str, Metric], loaded: Loaded
) -> None:
    chain = [defaults[folder] for folder in document.path.resolve().parents if folder in defaults]  # nearest first
    layers = [(document.node, str(document.path)), *((above.node, str(above.path)) for above in chain)]
    problems = Problems(layers)
    raw: dict[str, Any] = {}
    limits: dict[str, int] = {}
    for above in reversed(chain):
        plain = {name: value for name, value in above.node.plain().items() if name in DEFAULTED and value is not None}
        limits |= _given_limits(above.node)
        if "spec" in plain:
            plain["spec"] = {name: value for name, value in plain["spec"].items() if name != "limits"}
        raw = merged(raw, plain)
    raw = merged(raw, document.node.plain())
    model = _validated(RuleDocument, raw, problems)
    judged = model if model is not None else salvaged(RuleDocument, raw, problems)
    rule = compiled(cast("RuleDocument", judged), problems, catalogue, Limits(**limits)) if judged is not None else None
    if model is not None and "@" in cast("RuleDocument", model).metadata.id:
        problems.add(("metadata", "id"), "The @ is for derived rules.", "Use small letters, digits and hyphens.")
    if model is None:
        rule = None
    if rule is not None:
        same = next((other for other in loaded.rules if other.id == rule.id), None)
        if same is not None:
            problems.add(
                ("metadata", "id"), f"There is a rule “{rule.id}” already, at {same.place}.", "Choose another id."
            )
    loaded.errors += problems.errors
    if rule is not None and not problems.errors:
        below = derived(rule)
        loaded.rules += [rule] if below is None else [rule, below]


def _load_test(document: _Document, catalogue: Mapping[str, Metric], loaded: Loaded) -> None:
    problems = Problems([(document.node, str(document.path))])
    model = _validated(RuleTestDocument, document.node.plain(), problems)
    if model is not None:
        named = cast("RuleTestDocument", model)
        _refuse_same_names(named, problems, loaded)
        rule = next((rule for rule in loaded.rules if rule.id == named.rule), None)
        if rule is not None:
            test = rule_test_of(named, rule, problems, catalogue)
            if test is not None:
                loaded.tests.append(test)
        elif not loaded.errors:  # else the rule may be among those that did not load
            mend = did_you_mean(named.rule, (rule.id for rule in loaded.rules))
            problems.add(("rule",), f"There is no rule “{named.rule[:100]}”.", mend)
    loaded.errors += problems.errors


def _refuse_same_names(document: RuleTestDocument, problems: Problems, loaded: Loaded) -> None:
    """Report tests of one rule that have one name: nobody could tell which of them failed."""
    for position, test in enumerate(document.tests):
        path = ("tests", position, "name")
        first = loaded.named.setdefault((document.rule, test.name), problems.place(path))
        if first != problems.place(path):
            what = f"{document.rule[:100]} has a test “{test.name[:60]}” already, at {first}."
            problems.add(path, what, "Choose another name.")


def _validated(model: type[BaseModel], raw: Any, problems: Problems) -> BaseModel | None:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        problems.add_from(error, model)
        return None


def _position(error: RegelkreisError) -> tuple[str, int, int]:
    where = error.where or Place()
    return where.file or "", where.line or 0, where.column or 0


def _catalogue() -> Mapping[str, Metric]:
    from improvement.metrics import CATALOGUE  # Ibis takes a second to import: only when rules are loaded

    return CATALOGUE
