"""What is wrong with a setting, said so that it can be mended: the file or variable, the key, the allowed form."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from config.calendar_settings import CalendarSettings
from config.metric_settings import MetricSettings
from connectors.config import ConnectionConfig, OAuthConfig
from improvement.errors import ManyErrors, Place, RegelkreisError, SettingsError

OUTSIDE_SETTINGS = ("HOME", "TOKEN")  # read elsewhere: where we live, and as whom a command acts
TABLES = {"metrics": MetricSettings.model_fields, "calendars": CalendarSettings.model_fields}
BYTE_ORDER_MARK = "\ufeff"
POSITION = re.compile(r"\(at line (\d+), column (\d+)\)")
#: What pydantic calls a wrong form → what a person is told. Anything else speaks for itself.
FORMS = {
    "dict_type": "A table is expected here: a line [{key}], and its keys below",
    "model_type": "A table is expected here: a line [{key}], and its keys below",
    "list_type": 'A list is expected here, like ["one", "two"]',
    "string_type": "A text is expected here, in quotes",
    "path_type": "A path is expected here, in quotes",
    "int_type": "A whole number is expected here",
    "int_parsing": "A whole number is expected here",
    "int_from_float": "A whole number is expected here",
    "float_type": "A number is expected here",
    "float_parsing": "A number is expected here",
    "bool_type": "Write true or false here",
    "bool_parsing": "Write true or false here",
    "missing": "This key is missing",
}
NAMES = "The name of a connection is made of letters, digits, dots, dashes and underscores"
FIELD = re.compile(r'field "(\w+)"')


@dataclass(frozen=True, slots=True)
class Sources:
    """Where settings come from, and which keys there are."""

    prefix: str
    file: Path
    secrets: Path
    keys: tuple[str, ...]

    def place(self, path: tuple[str, ...]) -> Place:
        """Where a key was set: the variable, the secret file or the settings file, in order of precedence."""
        for depth in range(len(path), 0, -1):
            variable = self.prefix + "__".join(path[:depth]).upper()
            if variable in os.environ:
                return Place(file=f"environment {variable}", field=".".join(path))
        secret = self.secrets / "__".join(path)
        return Place(file=str(secret if secret.is_file() else self.file), field=".".join(path))

    def only_speaking_of(self, connection: str) -> str:
        """The secret file or variable that alone speaks of a connection; '' where the settings file describes it."""
        if connection in _described(self.file):
            return ""
        begin = f"connections__{connection}__"
        secrets = sorted(self.secrets.glob(f"{begin}*")) if self.secrets.is_dir() else []
        if secrets:
            return str(secrets[0])
        variable = (self.prefix + begin).upper()
        return next((f"environment {name}" for name in sorted(os.environ) if name.upper().startswith(variable)), "")


def _described(file: Path) -> dict[str, object]:
    """The connections of the settings file, which was read as TOML before."""
    found = tomllib.loads(file.read_text(encoding="utf-8")).get("connections") if file.exists() else None
    return found if isinstance(found, dict) else {}


def checked_toml(sources: Sources) -> None:
    """Refuse a settings file that is no UTF-8 or no TOML, with line and column."""
    if not sources.file.exists():
        return
    try:
        text = sources.file.read_text(encoding="utf-8")
        if text.startswith(BYTE_ORDER_MARK):
            what = "The file begins with an invisible byte order mark, which TOML does not allow."
            raise SettingsError(what, where=Place(file=str(sources.file)), mend="Save it as UTF-8 without BOM.")
        tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise SettingsError(
            "The file is not UTF-8.", where=Place(file=str(sources.file)), mend="Save it as UTF-8."
        ) from error
    except tomllib.TOMLDecodeError as error:
        found = POSITION.search(str(error))
        line, column = (int(found[1]), int(found[2])) if found else (None, None)
        what = POSITION.sub("", str(error)).strip()
        raise SettingsError(
            f"The file is no valid TOML: {what}.", where=Place(file=str(sources.file), line=line, column=column)
        ) from error


def checked_environment(sources: Sources) -> None:
    """Refuse variables with our prefix that set nothing: a typo would otherwise go unnoticed."""
    known = {name.upper() for name in sources.keys}
    for variable in sorted(os.environ):
        name = variable.removeprefix(sources.prefix).partition("__")[0]
        if variable.startswith(sources.prefix) and name not in known and name not in OUTSIDE_SETTINGS:
            raise SettingsError(
                f"The environment sets {variable}, which is no setting.",
                mend=_did_you_mean(name, [*known, *OUTSIDE_SETTINGS], prefix=sources.prefix),
            )


def translated(error: ValidationError, sources: Sources) -> RegelkreisError:
    """Everything a validation found, as one error or several. Values are left out: they may be secret."""
    errors = [
        _explained(tuple(str(part) for part in problem["loc"]), str(problem["type"]), str(problem["msg"]), sources)
        for problem in error.errors(include_input=False, include_url=False)
    ]
    unique = list({str(error): error for error in errors}.values())
    return unique[0] if len(unique) == 1 else ManyErrors(unique)


def unreadable(error: ValueError, sources: Sources) -> SettingsError:
    """A variable whose value has not the form of its setting (a table or list has to be JSON)."""
    found = FIELD.search(str(error))
    name = found[1] if found else ""
    return SettingsError(
        "The value cannot be read.",
        where=sources.place((name,)) if name else None,
        mend=f"Write it as JSON, or set single values like {sources.prefix}{name.upper()}__NAME=value.",
    )


def _explained(path: tuple[str, ...], kind: str, message: str, sources: Sources) -> RegelkreisError:
    where = sources.place(path)
    if kind == "missing" and path[0] == "connections" and (alone := sources.only_speaking_of(path[1])):
        what = f"This is for a connection “{path[1]}”, and {sources.file.name} describes none of that name."
        mend = f"Describe it there under [connections.{path[1]}], or take this away."
        return SettingsError(what, where=Place(file=alone), mend=mend)
    if kind == "extra_forbidden":
        return SettingsError("This key is unknown.", where=where, mend=_did_you_mean(path[-1], _keys_at(path, sources)))
    if kind == "string_pattern_mismatch" and path[-1] == "name":
        return SettingsError(f"{NAMES}.", where=where)
    form = FORMS.get(kind)
    text = form.replace("{key}", ".".join(path)) if form else message.removeprefix("Value error, ").rstrip(".")
    return SettingsError(f"{text[:1].upper()}{text[1:]}.", where=where)


def _keys_at(path: tuple[str, ...], sources: Sources) -> Iterable[str]:
    if len(path) > 1 and path[0] in TABLES:
        return TABLES[path[0]]
    if path[0] != "connections":
        return sources.keys
    return OAuthConfig.model_fields if "oauth" in path[2:-1] else [*ConnectionConfig.model_fields]


def _did_you_mean(name: str, known: Iterable[str], *, prefix: str = "") -> str:
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=1)
    return f"Did you mean {prefix}{near[0]}?" if near else f"Known: {', '.join(choices)}."
