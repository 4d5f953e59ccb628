"""`rules new`: a file from a few answers, checked and tested before it is written."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from improvement.errors import InputError, Place
from improvement.rules import Outcome, load_pack, run_tests
from improvement.rules.loading import load
from improvement.rules.writing import Answers, rule_text


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
    """Write the rule; refuses to overwrite a file or to take an id that is taken, and what the language refuses."""
    if path.exists():
        where = Place(file=str(path))
        raise InputError("The file exists already; it is left alone.", where=where, mend="Choose another --output.")
    taken = {rule.id for rule in load([folder]).rules} if folder.is_dir() else set()
    if answers.rule_id in taken:
        raise InputError(f"There is a rule “{answers.rule_id}” already.", mend="Choose another title, or --id.")
    text = rule_text(answers)
    with tempfile.TemporaryDirectory(prefix="regelkreis-rule-") as scratch:
        trial = Path(scratch) / path.name
        trial.write_text(text, encoding="utf-8")
        outcomes = tuple(run_tests(load_pack([trial]).tests))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return Draft(path, text, answers.rule_id, outcomes)
