"""Queue writes to a platform in the transaction of the change that causes them."""

from __future__ import annotations

from datetime import datetime

import msgspec
from django.conf import settings

from improvement.records import CLOSURE_OUTCOMES, Closure, Outbound, RecordRef, Verb
from workflows.evidence import ledger
from workflows.models import Action, Delivery, DeliveryState, ReviewRecord, our_installation


def queue(action: Action, outbound: Outbound, *, at: datetime, review: ReviewRecord | None = None) -> Delivery:
    """Add one intended effect; the same ``outbound.key`` twice is one delivery, the later content wins until sent."""
    delivery, is_new = Delivery.objects.get_or_create(
        key=outbound.key,
        defaults={
            "action": action,
            "connection": action.connection,
            "verb": outbound.verb.value,
            "outbound": msgspec.json.encode(outbound),
            "review": review,
            "queued_at": at,
        },
    )
    if not is_new and delivery.state == DeliveryState.WAITING:
        delivery.outbound = msgspec.json.encode(outbound)
        delivery.save(update_fields=["outbound"])
    return delivery


def withdraw(action: Action, *, actor: str, at: datetime) -> None:
    """Take back what waits to be written of an action that nobody wants there."""
    for row in action.deliveries.filter(state=DeliveryState.WAITING).defer("outbound").order_by("id"):
        row.state = DeliveryState.WITHDRAWN.value
        row.save(update_fields=["state"])
        ledger.append("delivery.withdrawn", subject=action.code, actor=actor, at=at, payload={"key": row.key})


def content(delivery: Delivery) -> Outbound:
    """The write a delivery asks for, in the name of this installation."""
    write = msgspec.json.decode(bytes(delivery.outbound), type=Outbound)
    names = {"installation": our_installation(), "may_stand_unnamed": delivery.may_stand_unnamed}
    if write.verb is Verb.LINK and not links_triggers(delivery.connection):  # also what was queued while it was on
        return msgspec.structs.replace(write, trigger_ids=(), **names)
    return msgspec.structs.replace(write, **names)


def links_triggers(connection: str) -> bool:
    """Whether the tickets that triggered an action are linked to its record there."""
    config = settings.REGELKREIS.connections.get(connection)
    return config is None or config.links_triggers


def is_closed_by_people(action: Action) -> bool:
    """Whether only people close its record, so that how is proposed to them."""
    config = settings.REGELKREIS.connections.get(action.connection)
    return config is None or not config.closes_records


def closure_name(action: Action, closure: Closure) -> str:
    """What its platform calls a closure."""
    config = settings.REGELKREIS.connections.get(action.connection)
    named = {} if config is None else config.resolutions
    return str(named.get(CLOSURE_OUTCOMES[closure], closure.capitalize()))


def reference(action: Action) -> RecordRef | None:
    """Where the action's record lives on its platform, once it was created there."""
    if not action.platform_id:
        return None
    return RecordRef(
        connection=action.connection,
        mode=action.platform_mode,
        id=action.platform_id,
        number=action.platform_number,
        url=action.platform_url,
    )


def page_url(action: Action) -> str:
    """Our own page of the action, as people outside reach it."""
    return f"{settings.REGELKREIS.public_url.rstrip('/')}/actions/{action.code}/"


def note(action: Action, name: str, text: str, *, at: datetime, review: ReviewRecord | None = None) -> Delivery:
    """Queue a work note; ``name`` makes it one note, however often it is asked for."""
    outbound = Outbound(verb=Verb.NOTE, key=f"{action.code}/note/{name}", action_id=action.code, text=text)
    return queue(action, outbound, at=at, review=review)
