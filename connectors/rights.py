"""What an integration user must be allowed to do, said so exactly that its administrator can grant that and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec

from connectors.base import Finding

Operation = Literal["read", "create", "update"]

EVERYTHING = "every use"


class Right(msgspec.Struct, frozen=True, kw_only=True):
    """One right. ``use`` is what it is for: *every use*, *pull …*, *deletions*, *whose minutes*, *write …*, *adopt*.

    ``where`` is a table, a project or an endpoint, ``least`` the least role, permission or scope that grants it.
    ``without`` says what is lost where an optional right is not granted.
    """

    use: str
    where: str
    operations: tuple[Operation, ...]
    least: str
    why: str
    without: str = ""

    @property
    def is_optional(self) -> bool:
        """Whether it works without it, if less well."""
        return bool(self.without)


@runtime_checkable
class TellsRights(Protocol):
    """A connector that knows the rights it needs. Not part of what every connector must keep."""

    def rights(self) -> Sequence[Right]:
        """Every right, also of write modes that are not used. Never fails because a right is missing."""
        ...

    def ungranted(self) -> Sequence[Finding]:
        """Rights that are not granted and that :meth:`Connector.describe` does not look at. Reads only."""
        ...
