"""The options of select fields, with ids, from what the world contains and what callers may add."""

from __future__ import annotations

import itertools

from connectors.sandbox.jira.catalogue import CONTACT_OPTION, CUSTOM_FIELDS, RISK_OPTION
from connectors.sandbox.world import World


class Options:
    """Option texts and their ids per select field, and the groups of the group picker."""

    def __init__(self, world: World) -> None:
        texts: dict[str, set[str]] = {
            "customer": {name for name, _ in world.customers},
            "country": {country for _, country in world.customers},
            "service": set(world.services),
            "supplier": set(world.suppliers),
            "category": set(),
            "major": {"Yes", "No"},
            "risk": set(RISK_OPTION.values()),
            "outcome": {"Successful", "Unsuccessful"},
            "contact_kind": set(CONTACT_OPTION.values()),
        }
        for ticket in world.tickets:
            for attribute in ("customer", "country", "service", "supplier", "category"):
                value = getattr(ticket, attribute)
                if value is not None:
                    texts[attribute].add(value)
        self._ids: dict[str, dict[str, str]] = {}
        for number, (attribute, values) in enumerate(texts.items()):
            self._ids[attribute] = {text: str(10_000 * (number + 2) + n) for n, text in enumerate(sorted(values))}
        self._further_ids = itertools.count(900_000)
        self._disabled: set[tuple[str, str]] = set()
        self._texts = {
            attribute: {option_id: text for text, option_id in ids.items()} for attribute, ids in self._ids.items()
        }
        self.field_attributes = {field.id: field.attribute for field in CUSTOM_FIELDS if field.type == "option"}

    def id_of(self, attribute: str, text: str) -> str:
        """The id of an option; texts the world has not named get one as they come."""
        ids = self._ids.setdefault(attribute, {})
        found = ids.get(text)
        if found is None:
            found = ids[text] = str(next(self._further_ids))
            self._texts.setdefault(attribute, {})[found] = text
        return found

    def text_of(self, option_id: str) -> str | None:
        """The text of an option of any field."""
        return next((texts[option_id] for texts in self._texts.values() if option_id in texts), None)

    def of(self, attribute: str) -> dict[str, str]:
        """Option text → id of one field."""
        return self._ids.get(attribute, {})

    def add(self, attribute: str, text: str, *, is_disabled: bool) -> None:
        """A new option."""
        self.id_of(attribute, text)
        self.set_disabled(attribute, text, is_disabled=is_disabled)

    def remove(self, attribute: str, text: str) -> None:
        """An option less."""
        del self._texts[attribute][self._ids[attribute].pop(text)]
        self._disabled.discard((attribute, text))

    def rename(self, attribute: str, names: dict[str, str]) -> None:
        """Options go by other texts; their ids and order stay."""
        ids = {names.get(text, text): id for text, id in self._ids[attribute].items()}
        self._ids[attribute] = ids
        self._texts[attribute] = {id: text for text, id in ids.items()}
        self._disabled = {
            (known, names.get(text, text) if known == attribute else text) for known, text in self._disabled
        }

    def order(self, attribute: str, texts: list[str]) -> None:
        """The options in another order."""
        self._ids[attribute] = {text: self._ids[attribute][text] for text in texts}

    def is_disabled(self, attribute: str, text: str) -> bool:
        """Whether an option may not be chosen any more."""
        return (attribute, text) in self._disabled

    def set_disabled(self, attribute: str, text: str, *, is_disabled: bool) -> None:
        """Let an option be chosen, or not."""
        (self._disabled.add if is_disabled else self._disabled.discard)((attribute, text))

    def sent(self, attribute: str, value: object) -> str | None:
        """The text a caller means by ``{"value": …}`` or ``{"id": …}``; None when there is no such option."""
        if not isinstance(value, dict):
            return None
        if "id" in value:
            text = self._texts.get(attribute, {}).get(str(value["id"]))
        else:
            text = value.get("value")
        if not isinstance(text, str) or text not in self._ids.get(attribute, {}):
            return None
        return None if (attribute, text) in self._disabled else text
