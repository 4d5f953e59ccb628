"""How the command line ends: messages without tracebacks, exit codes 0, 1 and 2."""

from __future__ import annotations

import os
import sys

import typer

from improvement.errors import ManyErrors, RegelkreisError

#: Errors of libraries that a person can mend, by full name (importing them here would cost every command a second).
FOREIGN = {
    "django.db.utils.OperationalError": "The state's database does not answer as expected.",
    "django.core.exceptions.ImproperlyConfigured": "The settings do not fit together.",
}


def run(application: typer.Typer, arguments: list[str] | None = None) -> int:
    """Run the application; returns the exit code: 0 fine, 1 findings or refusals, 2 usage or invalid input.

    ``arguments`` stand for those of the process. Anything unforeseen keeps its traceback: it is a bug and should
    look like one.
    """
    try:
        application(arguments)
    except SystemExit as leaving:
        return _code(leaving)
    except RegelkreisError as error:
        show(error)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our pipe has gone. Python would complain once more while it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        say_error(f"{error.filename}: {error.strerror}." if error.filename else f"{error}.")
        return 2
    except Exception as error:
        what = FOREIGN.get(f"{type(error).__module__}.{type(error).__qualname__}")
        if what is None:
            raise
        say_error(f"{what} It says: {error}")
        return 2
    return 0


def show(error: RegelkreisError) -> None:
    """Print an error and how to mend it on standard error; several errors on a line each."""
    for one in error.errors if isinstance(error, ManyErrors) else [error]:
        say_error(str(one))


def say_error(text: str) -> None:
    """One line on standard error."""
    print(f"error: {text}", file=sys.stderr)


def _code(leaving: SystemExit) -> int:
    if leaving.code is None or isinstance(leaving.code, int):
        return leaving.code or 0
    print(leaving.code, file=sys.stderr)
    return 1
