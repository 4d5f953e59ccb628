"""Which calendar a metric is counted by, country by country."""

from __future__ import annotations

from django.conf import settings

from improvement.metrics import Metric
from improvement.metrics.options import CAN_BE_BUSINESS

WALL_CLOCK = "the wall clock"


def facts(metric: Metric) -> dict[str, str]:
    """What is told of a metric that may be counted in business time; nothing of others.

    ``time``: how it is counted; ``calendar CH``: the business hours of a country.
    """
    if metric.id not in CAN_BE_BUSINESS:
        return {}
    ours = settings.REGELKREIS
    if metric.id not in ours.metrics.options.business:
        return {"time": f"by {WALL_CLOCK}; business hours: metrics.business of the settings"}
    calendars = {f"calendar {country}": calendar.text for country, calendar in ours.business_calendars().items()}
    return {"time": f"business hours where a country has a calendar; elsewhere {WALL_CLOCK}", **calendars}
