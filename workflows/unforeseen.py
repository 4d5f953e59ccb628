"""Errors that nobody foresaw: kept to what they happened in, told to people, and logged with their traceback."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings
from django.db import DataError, IntegrityError
from requests import RequestException

from connectors.answers import redacted
from improvement.errors import Place, RegelkreisError, Unforeseen

log = structlog.get_logger()
STORES = ("django.db", "sqlite3", "psycopg", "_duckdb")
OF_ONE_ROW = (DataError, IntegrityError)
OF_THE_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE})


@contextmanager
def held(what: str, *, connection: str) -> Iterator[None]:
    """Around what one connection does: an error that nobody foresaw becomes :class:`Unforeseen`, so that others go on.

    ``what`` was done, in the log and in the error. What is wrong with a store or with the machine is everybody's, and
    passes as it is.
    """
    try:
        yield
    except RegelkreisError:
        raise
    except Exception as error:
        if _is_everybodys(error):
            raise
        log.exception("unforeseen", connection=connection, what=what)
        config = settings.REGELKREIS.connections.get(connection)
        said = f": {redacted(error, config)}" if config is not None and str(error) else ""
        raise Unforeseen(
            f"Nobody foresaw this error ({what}): {type(error).__name__}{said}.",
            where=Place(connection=connection),
            mend="The log has its traceback: send it to whoever made this connector.",
        ) from error


def _is_everybodys(error: Exception) -> bool:
    if isinstance(error, OSError) and not isinstance(error, RequestException):
        return error.errno in OF_THE_MACHINE
    is_of_a_store = type(error).__module__.startswith(STORES) and not isinstance(error, OF_ONE_ROW)
    return is_of_a_store or isinstance(error, MemoryError)
