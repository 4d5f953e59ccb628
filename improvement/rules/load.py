"""Load rule files: every error of every file at once, each with file, line and column."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from improvement.errors import InputError, ManyErrors, Place, RegelkreisError
from improvement.rules.documents import API_VERSION, Rule, RuleTest
from improvement.rules.targets import overlapping

MAX_BYTES = 1_000_000
MAX_DEPTH = 30
KINDS = ("Rule", "RuleTest", "Defaults")
RULE_PARTS = ("spec", "action", "check")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class LoadedRule:
    """A rule and where it was written."""

    rule: Rule
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class RulePack:
    """The rules and rule tests of some files."""

    rules: tuple[LoadedRule, ...] = ()
    tests: tuple[tuple[RuleTest, str], ...] = ()


@dataclass(slots=True)
class _Found:
    documents: list[tuple[str, CommentedMap]] = field(default_factory=list)
    errors: list[RegelkreisError] = field(default_factory=list)


def rule_files(paths: Iterable[Path]) -> list[Path]:
    """The YAML files of these files and folders, sorted."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files.extend(sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")]))
        elif path.exists():
            files.append(path)
        else:
            raise InputError("There is no such file or folder.", where=Place(file=str(path)))
    return files


def load_pack(paths: Sequence[Path]) -> RulePack:
    """Read and validate rule files and folders; :class:`ManyErrors` with everything that is wrong."""
    pack, errors = examine(paths)
    if errors:
        raise ManyErrors(errors)
    return pack


def examine(paths: Sequence[Path]) -> tuple[RulePack, list[RegelkreisError]]:
    """What is valid, and every error: a broken file does not hide the others."""
    found = _Found()
    for path in rule_files(paths):
        _read(path, found)
    defaults = [document for _, document in found.documents if document.get("kind") == "Defaults"]
    rules: list[LoadedRule] = []
    tests: list[tuple[RuleTest, str]] = []
    for file, document in found.documents:
        kind = document.get("kind")
        if kind == "Rule":
            rule = _validated(Rule, _with_defaults(document, defaults), document, file, found.errors)
            if rule is not None:
                rules.append(LoadedRule(rule, file, document.lc.line + 1))
        elif kind == "RuleTest":
            test = _validated(RuleTest, document, document, file, found.errors)
            if test is not None:
                tests.append((test, file))
        elif kind == "Defaults":
            _check_defaults(document, file, found.errors)
    _check_pack(rules, tests, found.errors)
    return RulePack(tuple(rules), tuple(tests)), found.errors


def _read(path: Path, found: _Found) -> None:
    if path.stat().st_size > MAX_BYTES:
        found.errors.append(
            InputError(f"The file is larger than {MAX_BYTES // 1000} kB.", where=Place(file=str(path)), mend="Split it.")
        )
        return
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        found.errors.append(
            InputError(f"The file is not UTF-8 (byte {error.start}).", where=Place(file=str(path)), mend="Save it as UTF-8.")
        )
        return
    yaml = YAML(typ="rt")
    yaml.allow_duplicate_keys = False
    try:
        _refuse_anchors(text, path)
        for document in yaml.load_all(io.StringIO(text)):
            if document is None:
                continue
            _accept(document, path, found)
    except RecursionError:
        found.errors.append(InputError("The file is nested too deeply.", where=Place(file=str(path))))
    except InputError as error:
        found.errors.append(error)
    except DuplicateKeyError as error:
        found.errors.append(_yaml_error(error, path, "A key stands twice in the same mapping."))
    except MarkedYAMLError as error:
        found.errors.append(_yaml_error(error, path, f"This is no valid YAML: {error.problem or error.context or 'syntax error'}."))
    except (YAMLError, ValueError) as error:
        found.errors.append(InputError(f"This is no valid YAML: {error}.", where=Place(file=str(path))))


def _refuse_anchors(text: str, path: Path) -> None:
    """Aliases can unfold a small file into a huge one; rules do not need them. Depth is bounded as well."""
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

    depth = 0
    for event in YAML(typ="safe", pure=True).parse(io.StringIO(text)):
        if isinstance(event, AliasEvent):
            mark = event.start_mark
            raise InputError(
                "Anchors and aliases are not allowed.",
                where=Place(file=str(path), line=mark.line + 1, column=mark.column + 1),
                mend="Write the value out, or use a Defaults document.",
            )
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                mark = event.start_mark
                raise InputError(
                    f"The file is nested more than {MAX_DEPTH} levels deep.",
                    where=Place(file=str(path), line=mark.line + 1, column=mark.column + 1),
                )
        elif isinstance(event, CollectionEndEvent):
            depth -= 1


def _accept(document: Any, path: Path, found: _Found) -> None:
    if not isinstance(document, CommentedMap):
        found.errors.append(
            InputError("A document must be a mapping with apiVersion, kind, …", where=Place(file=str(path), line=1, column=1))
        )
        return
    kind = document.get("kind")
    if kind not in KINDS:
        line, column = _position(document, ("kind",))
        near = difflib.get_close_matches(str(kind), KINDS, n=1)
        found.errors.append(
            InputError(
                f'kind: "{kind}" is unknown.' if kind is not None else "kind is missing.",
                where=Place(file=str(path), line=line, column=column),
                mend=f"Did you mean {near[0]}?" if near else f"Use one of {', '.join(KINDS)}.",
            )
        )
        return
    found.documents.append((str(path), document))


def _yaml_error(error: MarkedYAMLError, path: Path, what: str) -> InputError:
    mark = error.problem_mark or error.context_mark
    place = Place(file=str(path), line=mark.line + 1 if mark else None, column=mark.column + 1 if mark else None)
    problem = str(error.problem or "").strip().split("\n")[0]
    return InputError(what, where=place, mend=problem if isinstance(error, DuplicateKeyError) else "")


def _with_defaults(document: CommentedMap, defaults: list[CommentedMap]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for default in defaults:
        merged = _merged(merged, {part: default[part] for part in RULE_PARTS if part in default})
    return _merged(merged, dict(document))


def _merged(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    result = dict(low)
    for key, value in high.items():
        standing = result.get(key)
        both = isinstance(standing, dict) and isinstance(value, dict) and key not in ("target", "where")
        result[key] = _merged(dict(standing), dict(value)) if both else value
    return result


def _check_defaults(document: CommentedMap, file: str, errors: list[RegelkreisError]) -> None:
    allowed = ("apiVersion", "kind", "metadata", *RULE_PARTS)
    for key in document:
        if key not in allowed:
            line, column = _position(document, (key,))
            errors.append(
                InputError(f"{key}: unknown key.", where=Place(file=file, line=line, column=column), mend=f"Known: {', '.join(allowed)}.")
            )


def _validated(
    model: type[Model], data: dict[str, Any], document: CommentedMap, file: str, errors: list[RegelkreisError]
) -> Model | None:
    try:
        return model.model_validate(_plain(data))
    except ValidationError as error:
        for problem in error.errors():
            errors.append(_problem(problem, document, file))
        return None


def _problem(problem: Any, document: CommentedMap, file: str) -> InputError:
    location = tuple(part for part in problem["loc"] if part in ("Rule", "RuleTest") or not _is_union_tag(part))
    line, column = _position(document, location)
    path = ".".join(str(part) for part in location)
    kind, message = problem["type"], str(problem["msg"]).removeprefix("Value error, ")
    mend = ""
    if kind == "extra_forbidden":
        message = "unknown key"
        mend = _near_key(location, document)
    elif kind == "missing":
        message = "is missing"
    return InputError(f"{path}: {message}.".replace("?.", "?").replace("..", "."), where=Place(file=file, line=line, column=column), mend=mend)


def _is_union_tag(part: Any) -> bool:
    return isinstance(part, str) and part in ("str", "int", "bool", "list[union[str,int,bool]]")


def _near_key(location: tuple[Any, ...], document: CommentedMap) -> str:
    from improvement.rules import documents

    models = {
        (): Rule,
        ("metadata",): documents.Metadata,
        ("spec",): documents.Spec,
        ("spec", "target"): documents.Target,
        ("spec", "trigger"): documents.Trigger,
        ("spec", "clear"): documents.Clear,
        ("spec", "limits"): documents.Limits,
        ("spec", "flow_down"): documents.FlowDown,
        ("action",): documents.ActionPart,
        ("check",): documents.CheckPart,
        ("check", "controls"): documents.Controls,
    }
    model = models.get(tuple(part for part in location[:-1] if isinstance(part, str)))
    if model is None:
        return ""
    known = [item.alias or name for name, item in model.model_fields.items()]
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."


def _position(node: Any, location: Sequence[Any]) -> tuple[int, int]:
    """Line and column (from 1) of the innermost part of a path that the file has."""
    line, column = (node.lc.line + 1, node.lc.col + 1) if hasattr(node, "lc") else (1, 1)
    for part in location:
        try:
            if isinstance(node, CommentedMap) and part in node:
                at = node.lc.value(part) if not isinstance(node[part], CommentedMap | CommentedSeq) else node.lc.key(part)
            elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
                at = node.lc.item(part)
            else:
                break
        except (KeyError, TypeError):
            break
        line, column = at[0] + 1, at[1] + 1
        node = node[part]
    return line, column


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _check_pack(rules: list[LoadedRule], tests: list[tuple[RuleTest, str]], errors: list[RegelkreisError]) -> None:
    seen: dict[str, LoadedRule] = {}
    for loaded in rules:
        twin = seen.setdefault(loaded.rule.id, loaded)
        if twin is not loaded:
            errors.append(
                InputError(
                    f'metadata.id: "{loaded.rule.id}" is taken by {twin.file}:{twin.line}.',
                    where=Place(file=loaded.file, line=loaded.line, column=1),
                    mend="Choose another id.",
                )
            )
        for message in overlapping(loaded.rule):
            errors.append(InputError(message, where=Place(file=loaded.file, line=loaded.line, column=1)))
    for test, file in tests:
        if test.rule not in seen:
            near = difflib.get_close_matches(test.rule, list(seen), n=1)
            mend = f"Did you mean {near[0]}?" if near else ""
            errors.append(InputError(f'rule: there is no rule "{test.rule}".', where=Place(file=file), mend=mend))


SCHEMA_ID = f"https://regelkreis.example/{API_VERSION}/rule.schema.json"


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a rule document, for editors."""
    schema = Rule.model_json_schema(by_alias=True)
    schema["$id"] = SCHEMA_ID
    return schema
