"""How the command line ends: messages without tracebacks, exit codes 0, 1 and 2."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable

from improvement.errors import ManyErrors, RegelkreisError
from workflows.cli import output

#: Errors of libraries that a person can mend, by full name (importing them here would cost every command a second).
FOREIGN = {
    "django.db.utils.DatabaseError": "The state's database cannot be used.",
    "django.db.utils.OperationalError": "The state's database does not answer as expected.",
    "django.db.utils.ProgrammingError": "The state's database refuses what we ask.",
    "django.db.migrations.exceptions.MigrationSchemaMissing": "The state's database refuses what we ask.",
    "django.core.exceptions.ImproperlyConfigured": "The settings do not fit together.",
    "_duckdb.OutOfMemoryException": "The warehouse needs more memory than the setting `warehouse_memory` gives it.",
    "_duckdb.IOException": "The warehouse cannot be read or written.",
    "_duckdb.FatalException": "The warehouse cannot be read or written.",
}
#: The same, but only where the disk is what they speak of; otherwise they are bugs.
FOREIGN_OF_THE_DISK = {
    "_duckdb.TransactionException": "The warehouse cannot be written; what was not committed is read again next time.",
}
DISK = re.compile(r"no space left|could not write|disk quota|read-only file system|input/output error", re.IGNORECASE)
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
    (
        r"not a database|malformed|file is encrypted",
        "It is damaged, or another file has its name: restore it from your backup.",
    ),
    (r"locked", "Another process is writing to it; try again when that has ended."),
    (
        r"unable to open|readonly|read-only|disk I/O|full|no space left|could not write|quota",
        "Look at the home directory: is it there, writable, with space left?",
    ),
)
#: What the system says of a file, and what to do about it.
FILE_MENDS = {
    errno.EACCES: "Give our user the right to read it, and to write where it is ours.",
    errno.EPERM: "Give our user the right to read it, and to write where it is ours.",
    errno.EROFS: "Mount it so that it can be written, or choose another place.",
    errno.ENOSPC: "Make room on the disk, then run it again.",
    errno.EDQUOT: "Make room on the disk, then run it again.",
    errno.EISDIR: "Name a file, or move the folder away.",
    errno.ENOTDIR: "Name a folder, or move the file away.",
}


def run(application: Callable[[list[str] | None], object], arguments: list[str] | None = None) -> int:
    """Run the application; returns the exit code: 0 fine, 1 findings or refusals, 2 usage or invalid input.

    ``arguments`` stand for those of the process. Anything unforeseen keeps its traceback: it is a bug and should
    look like one.
    """
    output.begin()
    try:
        application(arguments)
    except SystemExit as leaving:
        return _code(leaving)
    except RegelkreisError as error:
        is_json = "--json" in (sys.argv if arguments is None else arguments)
        if is_json and not output.has_printed_json():
            output.print_json({"errors": [one.as_dict() for one in _each(error)]})
        show(error)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our pipe has gone. Python would complain once more while it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if type(error).__module__.startswith("requests."):  # its errors pass for the system's, and are a connector's
            raise
        told = f"{error.filename}: {error.strerror}." if error.filename else f"{error}."
        say_error(f"{told} {FILE_MENDS.get(error.errno or 0, '')}".strip())
        return 2
    except Exception as error:
        what = _foreign(error)
        if what is None:
            raise
        say_error(f"{what} It says: {_told(error)}")
        return 2
    return 0


def show(error: RegelkreisError) -> None:
    """Print an error and how to mend it on standard error; several errors on a line each."""
    for one in _each(error):
        say_error(str(one))


def _each(error: RegelkreisError) -> list[RegelkreisError]:
    return error.errors if isinstance(error, ManyErrors) else [error]


def say_error(text: str) -> None:
    """One line on standard error."""
    print(f"error: {text}", file=sys.stderr)


def _foreign(error: Exception) -> str | None:
    """What an error of a library means to a person; None: it is a bug."""
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    return FOREIGN.get(name) or (FOREIGN_OF_THE_DISK.get(name) if DISK.search(str(error)) else None)


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
