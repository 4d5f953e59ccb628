"""A mapping's filters, asked of Jira by themselves: one that it refuses would end every search."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.answers import Declined
from connectors.http import Reader
from connectors.jira.paging import count
from connectors.jira.site import Site
from connectors.mapping import SourceMap
from improvement.errors import MappingError, Place
from improvement.records import RecordKind

REFUSED = 400
OF_ISSUES = (RecordKind.TICKET, RecordKind.CONTACT)  # what is inside issues is not searched for
MEND = "Correct the filter in the connection's mapping, or give our user Browse Projects where it looks."


def flaw(reader: Reader, site: Site, source: SourceMap) -> str:
    """Why Jira refuses the filter of a source, in its own words; "" where it takes it."""
    if not source.filter or source.kind not in OF_ISSUES:
        return ""
    try:
        count(reader, site, f"({source.filter})")
    except Declined as error:
        if error.status != REFUSED:
            raise
        return f"Jira does not take “{source.filter}”: {error.what}"
    return ""


def named(reader: Reader, site: Site, sources: Iterable[SourceMap], error: Declined) -> MappingError | None:
    """The filter because of which Jira refused a search of these sources; None where it takes each by itself."""
    flaws = (flaw(reader, site, source) for source in sources) if error.status == REFUSED else ()
    told = next(filter(None, flaws), "")
    return MappingError(told, where=Place(connection=reader.config.name), mend=MEND) if told else None
