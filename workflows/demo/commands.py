"""The demo's people at the command line: the same commands as everybody, each with their own token."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workflows.cli.errors import run as run_application
from workflows.demo.people import Outcome

TOKEN = "REGELKREIS_TOKEN"  # noqa: S105 - the name of a variable
DATED = ("actions", "rules")  # commands that act at a moment


@dataclass(slots=True)
class CommandLine:
    """Runs ``regelkreis …`` in this process, as one person, at the demo's moment."""

    application: Callable[..., Any]  # the whole command line
    tokens: Mapping[str, str]  # by user name
    now: datetime

    def run(self, username: str, *arguments: str) -> Outcome:
        """Run one command with this person's token; a refusal is an outcome, not an error."""
        printed = io.StringIO()
        moment = ["--as-of", self.now.isoformat()] if arguments[0] in DATED else []
        with _acting(self.tokens[username]), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            code = run_application(self.application, [*arguments, *moment])
        return Outcome(is_ok=code == 0, text=printed.getvalue().strip())


@contextlib.contextmanager
def _acting(token: str) -> Iterator[None]:
    """Act as the person of this token while the block runs."""
    before = os.environ.get(TOKEN)
    os.environ[TOKEN] = token
    try:
        yield
    finally:
        if before is None:
            del os.environ[TOKEN]
        else:
            os.environ[TOKEN] = before
