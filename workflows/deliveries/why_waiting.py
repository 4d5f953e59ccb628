"""Why a write is not on its platform yet, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from improvement.records import Verb
from workflows.models import Connection, Delivery, DeliveryState

NEXT_CYCLE = "it is sent with the next cycle"
AGAIN = "It is tried again with the next cycle."


@dataclass(frozen=True, slots=True)
class Waits:
    """What holds writes back, read once for a whole list."""

    writing: frozenset[str]  # connections that may be written to
    creations: dict[int, str]  # by action: the key of the creation that is still to come

    @classmethod
    def now(cls) -> Waits:
        """As it stands."""
        creations = Delivery.objects.filter(verb=Verb.CREATE.value, state=DeliveryState.WAITING)
        may_write = Connection.objects.filter(may_write=True).values_list("name", flat=True)
        return cls(frozenset(may_write), dict(creations.values_list("action_id", "key")))

    def why(self, row: Delivery) -> str:
        """The reason, in a sentence; of one that was tried also what the platform said."""
        if row.state == DeliveryState.WITHDRAWN:
            return f"{row.action.code} was cancelled before anybody accepted it"
        if row.state != DeliveryState.WAITING:
            return row.last_error
        held_back = self._held_back(row)
        if not row.last_error:
            return held_back or NEXT_CYCLE
        if self._has_lost_its_record(row):
            return row.last_error
        return f"{held_back}; last time: {row.last_error}" if held_back else f"{row.last_error} {AGAIN}"

    def _has_lost_its_record(self, row: Delivery) -> bool:
        """Whether its record was refused or given up: what it says of that is all there is to say."""
        is_to_come = row.action_id in self.creations
        return row.verb != Verb.CREATE and not row.action.platform_id and not is_to_come

    def _held_back(self, row: Delivery) -> str:
        """What has to be done by somebody, or to happen, before it is tried; '' nothing."""
        name = row.connection
        if not row.action.is_accepted:
            return f"nobody has accepted it yet: `regelkreis actions accept {row.action.code}`"
        if name not in settings.REGELKREIS.connections:
            return f"regelkreis.toml has no connection “{name}” any more"
        if name not in self.writing:
            return f"writing is off: `regelkreis connect {name} --write on`"
        creation = self.creations.get(row.action_id, row.key)
        return f"its record comes first: {creation}" if creation != row.key and not row.action.platform_id else ""
