"""Instants in JQL: minute precision, in the profile time zone of the user who asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)


def not_after(instant: datetime, zone: ZoneInfo) -> str:
    """JQL text of a minute that is certainly not after ``instant`` (aware)."""
    return _text(floor(instant, zone), zone)


def floor(instant: datetime, zone: ZoneInfo) -> datetime:
    """The UTC minute that :func:`not_after` names.

    An hour that occurs twice when summer time ends can be meant either way, so we step back before it: reading a
    little too much is free, missing an issue is not.
    """
    moment = minute_of(instant)
    while _is_ambiguous(moment, zone):
        moment -= timedelta(minutes=30)
    return moment


def after(instant: datetime, zone: ZoneInfo) -> str:
    """JQL text of a whole minute that is certainly after ``instant`` (aware), for ``updated <``."""
    moment = minute_of(instant) + MINUTE
    while _is_ambiguous(moment, zone):
        moment += timedelta(minutes=30)
    return _text(moment, zone)


def minute_of(instant: datetime) -> datetime:
    """The UTC minute an instant lies in."""
    return instant.astimezone(UTC).replace(second=0, microsecond=0)


def _is_ambiguous(moment: datetime, zone: ZoneInfo) -> bool:
    local = moment.astimezone(zone)
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def _text(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")
