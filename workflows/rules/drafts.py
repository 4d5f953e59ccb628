"""`rules new`: a file from a few answers, checked and tested before it is written."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from improvement.errors import InputError, ManyErrors, Place, RegelkreisError
from improvement.rules import Outcome, load_pack, run_tests
from improvement.rules.loading import SUFFIXES, load
from improvement.rules.writing import Answers, rule_text

OPTIONS = {  # the key of a rule, as errors name it → the option that fills it
    "metadata.id": "--id",
    "metadata.title": "--title",
    "metadata.owner": "--owner",
    "mode": "--mode",
    "metric": "--metric",
    "where": "--kind",
    "by": "--by",
    "target": "--target",
    "clear": "--target",
    "trigger.for": "--for",
    "trigger.min_samples": "--min-samples",
    "action.title": "--title",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A written rule and how its test went."""

    path: Path
    text: str
    rule_id: str
    outcomes: tuple[Outcome, ...]

    @property
    def passes(self) -> bool:
        """Whether its own test holds."""
        return all(outcome.is_met for outcome in self.outcomes)


def write(answers: Answers, path: Path, *, folder: Path) -> Draft:
    """Write the rule; refuses to overwrite a file or to take an id that is taken, and what the language refuses.

    The file is there as a whole or not at all, also where two write it at once. Errors name the option to change.
    """
    _must_be_text(answers)
    if path.suffix not in SUFFIXES or path.name.startswith("."):
        mend = f"Let --output end in {SUFFIXES[0]}, without a dot in front."
        raise InputError("Nothing would read this file.", where=Place(file=str(path)), mend=mend)
    if path.exists():
        raise _taken(path)
    taken = {rule.id for rule in load([folder]).rules} if folder.is_dir() else set()
    if answers.rule_id in taken:
        raise InputError(f"There is a rule “{answers.rule_id}” already.", mend="Choose another title, or --id.")
    text = rule_text(answers)
    draft = Draft(path, text, answers.rule_id, _tried(text, path))
    _publish(text, path)
    return draft


def _must_be_text(answers: Answers) -> None:
    """Refuses bytes of the command line that are no UTF-8: Python hands them on as lone surrogates."""
    given = {
        "--title": answers.title,
        "--id": answers.rule_id,
        "--owner": answers.owner,
        "--by": ",".join(answers.by),
        "--target": answers.target,
    }
    for option, text in given.items():
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise InputError("This is not UTF-8 text.", where=Place(field=option), mend="Type it in UTF-8.")


def _tried(text: str, path: Path) -> tuple[Outcome, ...]:
    """How the test of the rule goes, read from a file elsewhere."""
    with tempfile.TemporaryDirectory(prefix="regelkreis-rule-") as scratch:
        trial = Path(scratch) / path.name
        trial.write_text(text, encoding="utf-8")
        try:
            return tuple(run_tests(load_pack([trial]).tests))
        except ManyErrors as many:
            told = {str(error): error for error in (_of_option(error, path) for error in many.errors)}
            raise ManyErrors(list(told.values())) from many


def _of_option(error: RegelkreisError, path: Path) -> RegelkreisError:
    """The error at the option whose answer it is about, else at its place in the file to be."""
    field = (error.where.field if error.where is not None else None) or ""
    option = next((OPTIONS[key] for key in OPTIONS if f"{field}.".startswith((f"{key}.", f"{key}["))), None)
    where = Place(field=option) if option is not None else Place(file=str(path), field=field or None)
    return InputError(error.what, where=where, mend=error.mend)


def _publish(text: str, path: Path) -> None:
    """Written under a name that nothing reads, then given its own: a link never replaces what is there."""
    unread = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            unread.write_text(text, encoding="utf-8")
            os.link(unread, path)
        finally:
            unread.unlink(missing_ok=True)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        what = f"The file cannot be written: {error.strerror}."
        raise InputError(what, where=Place(file=str(path)), mend="Choose another --output.") from error


def _taken(path: Path) -> InputError:
    where = Place(file=str(path))
    return InputError("The file exists already; it is left alone.", where=where, mend="Choose another --output.")
