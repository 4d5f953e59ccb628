"""The options of select fields, with ids, from what the world contains and what callers may add."""

from __future__ import annotations

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
        self._texts = {
            attribute: {option_id: text for text, option_id in ids.items()} for attribute, ids in self._ids.items()
        }
        self.field_attributes = {field.id: field.attribute for field in CUSTOM_FIELDS if field.type == "option"}

    def id_of(self, attribute: str, text: str) -> str:
        """The id of an option; texts the world has not named get one as they come."""
        ids = self._ids.setdefault(attribute, {})
        found = ids.get(text)
        if found is None:
            found = ids[text] = str(900_000 + sum(map(len, self._ids.values())))
            self._texts.setdefault(attribute, {})[found] = text
        return found

    def text_of(self, option_id: str) -> str | None:
        """The text of an option of any field."""
        return next((texts[option_id] for texts in self._texts.values() if option_id in texts), None)

    def of(self, attribute: str) -> dict[str, str]:
        """Option text → id of one field."""
        return self._ids.get(attribute, {})

    def sent(self, attribute: str, value: object) -> str | None:
        """The text a caller means by ``{"value": …}`` or ``{"id": …}``; None when there is no such option."""
        if not isinstance(value, dict):
            return None
        if "id" in value:
            return self._texts.get(attribute, {}).get(str(value["id"]))
        text = value.get("value")
        return text if isinstance(text, str) and text in self._ids.get(attribute, {}) else None
