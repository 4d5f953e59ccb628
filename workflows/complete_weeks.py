"""Which week is over everywhere."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from improvement import weeks


def last_week(as_of: datetime) -> int:
    """The last ISO week that is over in every zone we count in, so that all scopes show the same weeks."""
    zones = {settings.REGELKREIS.default_zone, *settings.REGELKREIS.zones.values()}
    return min(weeks.last_complete_week(as_of, zone) for zone in zones)
