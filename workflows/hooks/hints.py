"""Hints: a platform says that something changed there, and the next pull reads what.

A hint is never data: its body is hashed, not read. It only marks its connection, so whatever it claims, the worst it
can do is make us pull (docs/decisions/020). Jira proves itself by a signature over the body, every other platform by a
shared secret in a header.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from django.conf import settings
from django.db import transaction

from connectors.config import ConnectionConfig
from workflows.models import Connection, Hint

SIGNED = frozenset({"jira"})  # platforms that sign the body; the others send the secret itself
SECRET_HEADER = "X-Regelkreis-Secret"  # noqa: S105 - a header's name
SIGNATURE_HEADER = "X-Hub-Signature"
IDENTIFIER_HEADER = "X-Atlassian-Webhook-Identifier"
METHOD = "sha256"
MOST_A_MINUTE = 120
REMEMBERED = timedelta(days=30)


class Taken(Enum):
    """What became of a hint that proved itself."""

    NEW = "taken"
    KNOWN = "known already"
    TOO_MANY = "too many"


class Proof:
    """Whether a hint comes from whoever knows a connection's secret. Feed it the body piece by piece, then ask.

    Every secret is compared in constant time, and all of them, so that the time tells nothing.
    """

    def __init__(self, config: ConnectionConfig | None) -> None:
        self._is_signed = config is not None and config.platform in SIGNED
        self._secrets = [secret.encode() for secret in config.hook_secrets] if config is not None else []
        self._signatures = [hmac.new(secret, digestmod=hashlib.sha256) for secret in self._secrets]
        self._body = hashlib.sha256()
        self._length = 0

    def feed(self, piece: bytes) -> None:
        """One more piece of the body."""
        self._length += len(piece)
        self._body.update(piece)
        for signature in self._signatures:
            signature.update(piece)

    @property
    def body_sha256(self) -> str:
        """Digest of the body that was fed."""
        return self._body.hexdigest()

    def holds(self, *, secret: str, signature: str) -> bool:
        """Whether the headers fit. An empty body proves nothing: a signature over nothing can be sent for ever."""
        if not self._length:
            return False
        if not self._is_signed:
            return _is_any(self._secrets, secret.encode())
        method, _, digest = signature.partition("=")
        known = [found.hexdigest().encode() for found in self._signatures]
        return _is_any(known, digest.strip().lower().encode()) and method.strip().lower() == METHOD


def _is_any(known: Iterable[bytes], given: bytes) -> bool:
    return any([hmac.compare_digest(one, given) for one in known])  # noqa: C419 - all of them, not up to the first


def take(name: str, *, body_sha256: str, identifier: str, at: datetime) -> Taken:
    """Mark a connection as hinted, once for each hint, and only so often in a minute.

    A repetition is known by the platform's identifier, or by its body, which a replay under another identifier shares.
    """
    config = settings.REGELKREIS.connections[name]
    told = hashlib.sha256(identifier.encode()).hexdigest() if identifier else ""
    with transaction.atomic():
        row, _ = Connection.objects.get_or_create(
            name=name, defaults={"platform": config.platform, "integration_account": config.user or ""}
        )
        Connection.objects.select_for_update().get(pk=row.pk)  # two at once: the second meets the first
        known = Hint.objects.filter(connection=row)
        if known.filter(body_sha256=body_sha256).exists() or (told and known.filter(identifier_sha256=told).exists()):
            return Taken.KNOWN
        if known.filter(at__gt=at - timedelta(minutes=1)).count() >= MOST_A_MINUTE:
            return Taken.TOO_MANY
        known.filter(at__lt=at - REMEMBERED).delete()
        Hint.objects.create(connection=row, body_sha256=body_sha256, identifier_sha256=told, at=at)
        Connection.objects.filter(pk=row.pk).update(hinted_at=at)
    return Taken.NEW


def answer(name: str, *, as_of: datetime) -> None:
    """What was hinted at up to ``as_of`` was read; a hint that came while reading stays."""
    Connection.objects.filter(name=name, hinted_at__lte=as_of).update(hinted_at=None)


def due(names: Iterable[str], *, at: datetime) -> list[str]:
    """Those of these connections that were hinted at and not pulled for a while (``hint_spacing_s``)."""
    configured = settings.REGELKREIS.connections
    rows = Connection.objects.filter(name__in=list(names), hinted_at__lte=at).order_by("name")
    return [row.name for row in rows if row.name in configured and _has_rested(row, configured[row.name], at)]


def _has_rested(row: Connection, config: ConnectionConfig, at: datetime) -> bool:
    return row.last_pull_as_of is None or row.last_pull_as_of <= at - timedelta(seconds=config.hint_spacing_s)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a connection stands with hints."""

    connection: str
    platform: str
    address: str
    is_open: bool
    hinted_at: datetime | None
    last_at: datetime | None

    def as_dict(self) -> dict[str, object]:
        """As one JSON-ready object."""
        return {
            "connection": self.connection,
            "platform": self.platform,
            "address": self.address,
            "is_open": self.is_open,
            "hinted_at": self.hinted_at.isoformat() if self.hinted_at else None,
            "last_at": self.last_at.isoformat() if self.last_at else None,
        }


def standing() -> list[Standing]:
    """Every configured connection: where its platform sends hints, whether they are taken, and the last one."""
    rows = Connection.objects.in_bulk()
    return [
        Standing(
            connection=name,
            platform=config.platform,
            address=address_of(name),
            is_open=bool(config.hook_secrets),
            hinted_at=rows[name].hinted_at if name in rows else None,
            last_at=Hint.objects.filter(connection_id=name).order_by("-at").values_list("at", flat=True).first(),
        )
        for name, config in sorted(settings.REGELKREIS.connections.items())
    ]


def address_of(name: str) -> str:
    """Where the platform of a connection sends its hints."""
    return f"{settings.REGELKREIS.public_url.rstrip('/')}/hooks/{name}/"
