"""How the command line ends: messages without tracebacks, exit codes 0, 1 and 2."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable

from improvement.errors import ManyErrors, RegelkreisError

#: Errors of libraries that a person can mend, by full name (importing them here would cost every command a second).
FOREIGN = {
    "django.db.utils.OperationalError": "The state's database does not answer as expected.",
    "django.db.utils.ProgrammingError": "The state's database refuses what we ask.",
    "django.db.migrations.exceptions.MigrationSchemaMissing": "The state's database refuses what we ask.",
    "django.core.exceptions.ImproperlyConfigured": "The settings do not fit together.",
    "_duckdb.OutOfMemoryException": "The warehouse needs more memory than the setting `warehouse_memory` gives it.",
}
#: What a database says (SQLite, PostgreSQL, DuckDB), and what to do about it; the first that fits counts.
MENDS = (
    (r"failed to (allocate|pin|offload)|out of memory", "Raise `warehouse_memory`, for example to 512MB."),
    (r"password authentication failed|no password supplied", "Correct user and password in the setting `database`."),
    (r"database .* does not exist", "Create it (`createdb NAME`), or correct the setting `database`."),
    (r"role .* does not exist", "Create the user (`createuser --pwprompt NAME`), or correct the setting `database`."),
    (r"resolve host|translate host|Name or service", "Correct the host in the setting `database`."),
    (r"refused|timeout|timed out|unreachable", "Is the server running, and are host and port in `database` right?"),
    (
        r"pg_hba|SSL|certificate",
        "The server wants another kind of connection: add `?sslmode=require` or ask its admin.",
    ),
    (r"permission denied", "Make our user the owner of the database (`ALTER DATABASE NAME OWNER TO USER`)."),
    (r"too many (clients|connections)", "Fewer workers, or a larger `max_connections` of the server."),
    (r"locked", "Another process is writing to it; try again when that has ended."),
    (r"unable to open|readonly|disk I/O|full", "Look at the home directory: is it there, writable, with space left?"),
)


def run(application: Callable[[list[str] | None], object], arguments: list[str] | None = None) -> int:
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
        say_error(f"{what} It says: {_told(error)}")
        return 2
    return 0


def show(error: RegelkreisError) -> None:
    """Print an error and how to mend it on standard error; several errors on a line each."""
    for one in error.errors if isinstance(error, ManyErrors) else [error]:
        say_error(str(one))


def say_error(text: str) -> None:
    """One line on standard error."""
    print(f"error: {text}", file=sys.stderr)


def _told(error: Exception) -> str:
    """The line in which a library names the cause, and how to mend it where we know that."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    for pattern, mend in MENDS:
        for line in lines:
            if re.search(pattern, line, re.IGNORECASE):
                return f"{line.rstrip('.')}. {mend}"
    return f"{lines[0].rstrip('.')}."


def _code(leaving: SystemExit) -> int:
    if leaving.code is None or isinstance(leaving.code, int):
        return leaving.code or 0
    print(leaving.code, file=sys.stderr)
    return 1
