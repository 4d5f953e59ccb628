"""What a platform's tickets waited under lately, to hold against the names that somebody says mean the customer."""

from __future__ import annotations

from collections.abc import Sequence

from improvement.errors import InputError, Place, RegelkreisError
from improvement.rules.suggestions import close_to
from workflows.clocks.attribution import CustomerWaits
from workflows.clocks.dispositions import Tell
from workflows.warehouse import our_warehouse

NEWEST = 200  # breached clocks whose tickets are asked about: enough to see every name in use
LISTED = 8


def must_be_seen(connection: str, names: Sequence[str], tell: Tell) -> list[str]:
    """Remarks on names that no ticket lately waited under.

    :class:`InputError` where such a name is nearly that of one they did wait under: it is misspelt, and as it stands
    nobody's minutes would ever be the customer's.
    """
    try:
        seen = _seen(connection, tell)
    except RegelkreisError as error:
        return [f"The names were not compared with the tickets: {error.what}"]
    if not seen:
        return []
    known = CustomerWaits(tuple(seen), 0)
    remarks = []
    for name in names:
        if known.holds(name):
            continue
        near = close_to(name.strip(), seen)
        if near is not None:
            raise InputError(
                f"No ticket waited under “{name[:100]}” lately.",
                where=Place(connection=connection, field="NAMES"),
                mend=f"Did you mean “{near}”? With --offline the name is taken as it stands.",
            )
        listed = ", ".join(f"“{one}”" for one in seen[:LISTED])
        remarks.append(f"No ticket waited under “{name[:100]}” lately; they did under {listed}.")
    return remarks


def _seen(connection: str, tell: Tell) -> list[str]:
    """Names of statuses or reasons, sorted; none where the platform keeps no history of them."""
    sql = (
        "SELECT DISTINCT ticket_id FROM (SELECT ticket_id FROM live_slas WHERE connection = ? AND is_breached "
        "ORDER BY start_at DESC LIMIT ?) ORDER BY ticket_id"
    )
    with our_warehouse() as warehouse:
        ids = warehouse.arrow(sql, [connection, NEWEST])["ticket_id"].to_pylist()
    told = tell(connection, ids) if ids else None
    return sorted({wait.why for waits in (told or {}).values() for wait in waits if wait.why})
