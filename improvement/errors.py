"""Errors a person can act on.

Every error Regelkreis raises on purpose derives from :class:`RegelkreisError` and says *what* is wrong,
*where*, and *how to mend it*. The command line prints it without a traceback, the web shows it as a page.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is wrong: a file position, a connection, a record or a field."""

    file: str | None = None
    line: int | None = None
    column: int | None = None
    connection: str | None = None
    record: str | None = None
    field: str | None = None

    def __str__(self) -> str:
        parts = []
        if self.file is not None:
            position = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
            parts.append(position)
        if self.connection is not None:
            parts.append(f"connection {self.connection}")
        if self.record is not None:
            parts.append(f"record {self.record}")
        if self.field is not None:
            parts.append(self.field)
        return ", ".join(parts)


class RegelkreisError(Exception):
    """Something went wrong that the reader can mend.

    Parameters
    ----------
    what
        One sentence: what is wrong. Never contains a secret.
    where
        The place, when there is one.
    mend
        One sentence: what to do about it.
    """

    exit_code = 2
    asked: tuple[int, int] = (0, 0)  # requests and retries of a platform that came to this, and to nothing else

    def __init__(self, what: str, *, where: Place | None = None, mend: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend

    def as_dict(self) -> dict[str, str | int | None]:
        """As JSON: every part of the place, what, and how to mend it."""
        return {**asdict(self.where or Place()), "what": self.what, "mend": self.mend}

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where is not None and str(self.where) else self.what
        return f"{head} {self.mend}".strip()


class SettingsError(RegelkreisError):
    """A setting is unknown or has a value that is not allowed."""


class InputError(RegelkreisError):
    """A file or argument given by the user cannot be read as meant."""


class ManyErrors(RegelkreisError):
    """Several independent errors found in one pass; all are shown at once."""

    def __init__(self, errors: list[RegelkreisError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors


class ConnectionFailed(RegelkreisError):
    """The platform could not be reached or did not answer sensibly."""


class ShutOut(ConnectionFailed):
    """Whatever is asked there next would end alike: asking again only costs time, or locks our user."""


class Unreachable(ShutOut):
    """No connection to the platform could be made at all, although it was tried several times."""


class HeldOff(ShutOut):
    """The platform asked us to wait longer than we may (``Retry-After``): until then nothing is sent there."""


class OutcomeUnknown(ConnectionFailed):
    """A write was sent, and whether it took effect is not known: it must be looked for before it is sent again."""


class StillUnknown(OutcomeUnknown):
    """An earlier attempt is not found, nor known to have failed: nothing was sent this time, and the write waits."""


class CredentialsRefused(ShutOut):
    """The platform refused our user, password or token."""


class PermissionMissing(ConnectionFailed):
    """The platform knows us but does not let us read or write this."""


class MappingError(RegelkreisError):
    """A mapping names a field that the platform does not have, or that is ambiguous."""


class WriteRefused(RegelkreisError):
    """The platform refused a write for good (validation, rule, policy): retrying cannot help."""


class Unforeseen(RegelkreisError):
    """A defect, of Regelkreis or of another package's connector, kept to what it happened in; the log has its trace."""


class GuardRefused(RegelkreisError):
    """A transition of an action is not allowed; carries every reason at once."""

    exit_code = 1

    def __init__(self, what: str, reasons: list[str]) -> None:
        super().__init__(what + ": " + "; ".join(reasons))
        self.reasons = reasons
