"""What a trace of ours says: which installation left it, and on what account.

Several installations may write to one platform, and a cloned ServiceNow instance carries the traces of the one it was
cloned from. Each has an ACT-7 of its own. So a trace names the installation, and only its own are looked for. Versions
before this one named none; their traces are looked for only where one of them may have begun the write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from improvement.records import Outbound

_MARK = re.compile(r"(?:(?P<installation>[a-z2-7]{8})[-/])?(?P<key>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mark:
    """Whose trace it is: the key that its write was made under, and the installation; '' where it names none."""

    key: str = ""
    installation: str = ""

    @property
    def action(self) -> str:
        """The id of the action, with which every key begins: ``ACT-7`` of ``ACT-7/note/final``."""
        return self.key.partition("/")[0]


NOBODYS = Mark()


def named(installation: str, key: str, *, between: str = "-") -> str:
    """A key as a trace says it: ``k7m2qd4x-ACT-7``; without an installation the key alone, as earlier versions did."""
    return f"{installation}{between}{key}" if installation else key


def read(text: str) -> Mark:
    """What :func:`named` made, or what comes after it in the trace."""
    found = _MARK.fullmatch(text)
    assert found is not None  # it takes every text
    return Mark(found["key"], found["installation"] or "")


def looked_for(outbound: Outbound) -> tuple[str, ...]:
    """The installations under whose name an earlier attempt may have left its trace, our own first.

    '' is a version that named none, where one may have begun the write.
    """
    ours = outbound.installation
    is_of_before = bool(ours) and outbound.may_stand_unnamed
    return (ours, "") if is_of_before else (ours,)
