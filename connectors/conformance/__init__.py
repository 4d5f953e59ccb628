"""What every connector must keep, as tests to run against it: subclass :class:`Conformance` in a test file.

    class TestTicketDesk(Conformance):
        until = datetime(2026, 3, 9, tzinfo=UTC)

        def connect(self) -> Connector:
            return TicketDeskConnector(a_config())

pytest finds the inherited tests. They pull what there is and, unless ``may_write`` is false, write improvement
records; run them against a test instance that nobody else changes meanwhile. What a connector claims of itself only its
platform can confirm: the hooks of :class:`~connectors.conformance.hooks.Hooks` let the tests look there, and break and
change what is there. A test whose hook is not given is skipped with its reason; with ``must_be_whole`` it fails.
"""

from __future__ import annotations

from connectors.conformance.doubts import Doubts
from connectors.conformance.hooks import Effects, Hooks
from connectors.conformance.reading import Reading
from connectors.conformance.writing import Writing

__all__ = ["Conformance", "Effects", "Hooks"]


class Conformance(Reading, Writing, Doubts):
    """The promises of :class:`connectors.base.Connector`. ``until`` bounds every pull (aware)."""
