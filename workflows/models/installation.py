"""Which installation this is: several may write to one platform, and each has an ACT-1 of its own."""

from __future__ import annotations

import secrets

from django.db import connection, models

from improvement.errors import RegelkreisError

LETTERS = "abcdefghijklmnopqrstuvwxyz234567"  # base32: they stand in labels, which know no capitals
LENGTH = 8
_KNOWN: dict[tuple[str, ...], str] = {}  # by state: one row, asked for once


def new_identity() -> str:
    """Forty random bits: two installations have the same in one of 10¹² cases."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


class Installation(models.Model):
    """The one row that says who we are: made with the state, never changed, in every trace we leave elsewhere.

    A copy of the state is the same installation.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    identity = models.CharField(max_length=LENGTH, default=new_identity, editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="installation_once")]

    def __str__(self) -> str:
        return self.identity


def our_installation() -> str:
    """The identity of the installation whose state this is."""
    described = connection.settings_dict
    state = tuple(str(described[name]) for name in ("ENGINE", "NAME", "HOST", "PORT"))
    if state not in _KNOWN:
        row = Installation.objects.first()
        if row is None:
            raise RegelkreisError(
                "The state does not say which installation it is of.",
                mend="Restore the table workflows_installation from a backup of the state.",
            )
        _KNOWN[state] = row.identity
    return _KNOWN[state]
