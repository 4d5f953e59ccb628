"""Fields that people edit on the platform's record, or that only the platform sets.

Title, hypothesis and service are ours until a person edits them there; from then on they come from there. A title or
hypothesis edited there becomes ours, so no later delivery undoes it. Another service is kept and shown: what an action
measures was planned, and no record's field moves it. Priority, approver group, strategies and progress are only shown.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from improvement.records import EDITED_THERE, SET_THERE, PlatformField, PlatformState, Verb
from workflows.access import Accounts
from workflows.deliveries import outbox
from workflows.evidence import ledger
from workflows.models import Action, DeliveryState, Origin

EDITED = "edited"  # in what was seen: the fields that come from there
PLAIN = ("priority", "percent_complete")  # what is no person's text, and is told as it is


def take_fields(action: Action, found: PlatformState, accounts: Accounts, as_of: datetime) -> None:
    """Take over what was edited there, and remember what was set there; each change has its entry."""
    seen: dict[str, Any] = dict(action.platform_seen)
    for name, field in found.fields.items():
        if name in EDITED_THERE and _is_edit(action, name, field, accounts):
            _edit(action, name, field, accounts, as_of)
            seen[EDITED] = sorted({*seen.get(EDITED, ()), name})
        elif name in SET_THERE and _is_set(action, name, field, accounts):
            _log_set(action, name, field, accounts, as_of)
        seen[name] = field.value
    if seen != action.platform_seen:
        action.platform_seen = seen
        action.save(update_fields=["platform_seen", "title", "hypothesis"])


def shown_there(action: Action) -> dict[str, str]:
    """What the platform sets, and a service that was edited there, without what is empty."""
    seen = action.platform_seen
    names = (*SET_THERE, *(["service"] if comes_from_there(action, "service") else []))
    return {name: str(seen[name]) for name in names if seen.get(name)}


def comes_from_there(action: Action, name: str) -> bool:
    """Whether people edited this field on the platform, so that it is changed there only."""
    return name in action.platform_seen.get(EDITED, ())


def is_same_text(one: str, other: str) -> bool:
    """Whether two texts differ in nothing but their line ends."""
    return _plain(one) == _plain(other)


def _is_edit(action: Action, name: str, field: PlatformField, accounts: Accounts) -> bool:
    """Whether somebody else than we changed it. Where nobody says who did, what we sent is none, cut or whole."""
    if action.origin == Origin.ADOPTED and name != "title":
        return False  # never sent, and nothing of ours: what people wrote there is theirs
    if name == "title" and not field.value.strip():
        return False
    before = action.platform_seen.get(name)
    if field.value == before or is_same_text(field.value, _ours(action, name)) or accounts.is_ours(field.changed_by):
        return False
    return field.changed_by is not None or (before is not None and not _was_sent(action, name, field.value))


def _edit(action: Action, name: str, field: PlatformField, accounts: Accounts, as_of: datetime) -> None:
    before = action.platform_seen.get(name, _ours(action, name)) if name == "service" else _ours(action, name)
    if name in ("title", "hypothesis"):
        setattr(action, name, field.value)
    payload = {
        "field": name,
        "before_sha256": ledger.sealed(before),
        "text_sha256": ledger.sealed(field.value),
    }
    ledger.append("action.edited", subject=action.code, actor=_actor(field, accounts), at=as_of, payload=payload)


def _is_set(action: Action, name: str, field: PlatformField, accounts: Accounts) -> bool:
    """Whether it changed since it was read; what a new record got by default is no change."""
    before = action.platform_seen.get(name)
    is_first = before is None
    is_told = field.changed_by is not None and not accounts.is_ours(field.changed_by)
    return field.value != before and (is_told or not is_first)


def _log_set(action: Action, name: str, field: PlatformField, accounts: Accounts, as_of: datetime) -> None:
    said = {"value": field.value} if name in PLAIN else {"value_sha256": ledger.sealed(field.value)}
    payload = {"field": name, **said}
    ledger.append("action.set_there", subject=action.code, actor=_actor(field, accounts), at=as_of, payload=payload)


def _actor(field: PlatformField, accounts: Accounts) -> str:
    person = accounts.person(field.changed_by)
    return person.uid if person is not None else ledger.PLATFORM


def _ours(action: Action, name: str) -> str:
    return str(action.scope.get("service", "")) if name == "service" else str(getattr(action, name))


def _was_sent(action: Action, name: str, value: str) -> bool:
    """Whether a write of ours carried this text, which the platform may have cut."""
    sent = action.deliveries.filter(verb__in=(Verb.CREATE.value, Verb.UPDATE.value), state=DeliveryState.SENT)
    texts = (str(outbox.content(one).fields.get(name) or "") for one in sent)
    return any(_plain(text).startswith(_plain(value)) for text in texts if text)


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
