"""A mapping's filters, asked of Jira by themselves: one that it refuses would end every search."""

from __future__ import annotations

from connectors.answers import Declined
from connectors.http import Reader
from connectors.jira.paging import count
from connectors.jira.site import Site
from connectors.mapping import SourceMap
from improvement.errors import MappingError, Place
from improvement.records import RecordKind

REFUSED = 400
OF_ISSUES = (RecordKind.TICKET, RecordKind.CONTACT)  # what is inside issues is not searched for
ASK = "Look at the filters of the connection's mapping; `regelkreis doctor` tells which of them Jira does not take."
MEND = "Correct the filter in the connection's mapping, or give our user Browse Projects where it looks."


def flaw(reader: Reader, site: Site, source: SourceMap) -> str:
    """Why Jira refuses the filter of a source, in its own words; "" where it takes it."""
    if not source.filter or source.kind not in OF_ISSUES:
        return ""
    try:
        counted(reader, site, f"({source.filter})")
    except MappingError as error:
        return f"Jira does not take “{source.filter}”: {error.what}"
    return ""


def counted(reader: Reader, site: Site, jql: str) -> int | None:
    """The platform's own count; :class:`MappingError` where it does not take the query."""
    try:
        return count(reader, site, jql)
    except Declined as error:
        if error.status != REFUSED:
            raise
        raise MappingError(error.what, where=Place(connection=reader.config.name), mend=ASK) from None
