"""By which words a field is known, on platforms in English, German and French; and how well a name fits."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from improvement.records import RecordKind

#: Canonical field → words in the order of how surely they mean it.
WORDS: dict[str, tuple[str, ...]] = {
    "customer": (
        *("customer", "kunde", "client", "company", "account", "customer company", "organizations", "organisation"),
        *("organization", "mandant", "firma", "unternehmen", "entreprise", "business unit"),
    ),
    "country": ("country", "land", "pays", "country code", "landerkennzeichen", "nation", "region"),
    "service": (
        *("business service", "affected service", "service", "affected services", "services", "dienst", "it service"),
        *("service offering", "betroffener dienst", "product", "produkt", "application", "anwendung", "applikation"),
        *("configuration item", "components", "komponenten", "cmdb ci"),
    ),
    "supplier": (
        *("supplier", "vendor", "lieferant", "dienstleister", "provider", "service provider", "fournisseur"),
        *("third party", "subcontractor", "subunternehmer", "external partner", "partner", "hersteller"),
    ),
    "category": (
        "category",
        "kategorie",
        "categorie",
        "request type",
        "subcategory",
        "unterkategorie",
        "classification",
    ),
    "assignment_group": (
        *("assignment group", "support group", "assigned group", "resolver group", "zustandige gruppe"),
        *("bearbeitergruppe", "team", "group", "gruppe", "groupe"),
    ),
}

#: Which canonical fields of a kind are looked for; the others follow the platform's own tables.
LOOKED_FOR: dict[RecordKind, tuple[str, ...]] = {
    RecordKind.TICKET: ("customer", "country", "service", "supplier", "category", "assignment_group"),
    RecordKind.CONTACT: ("customer", "country", "service"),
    RecordKind.OUTAGE: ("service", "customer", "country"),
}

EXACT, PARTLY, PER_RANK = 100, 55, 4


def folded(name: str) -> str:
    """A name as words in small letters: ``u_CustomerCountry`` and ``Customer-Country`` become ``customer country``."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", plain)
    return " ".join(re.sub(r"^(u|x)_", "", apart.strip().casefold()).replace("_", " ").replace("-", " ").split())


def fit(field: str, names: Iterable[str]) -> int:
    """How well names fit a canonical field: 0 not at all, up to 100 for its first word alone."""
    best = 0
    for name in names:
        words = re.sub(r"[^a-z0-9 ]", "", folded(name))
        for rank, word in enumerate(WORDS[field]):
            if words == word:
                best = max(best, EXACT - PER_RANK * min(rank, 8))
            elif f" {word} " in f" {words} ":
                best = max(best, PARTLY - PER_RANK * min(rank, 8))
    return best


def may_mean(names: Iterable[str]) -> bool:
    """Whether names fit any canonical field."""
    known = tuple(names)
    return any(fit(field, known) for field in WORDS)


#: Words in a state's label → canonical state; the first that occurs counts.
STATE_WORDS: tuple[tuple[str, str], ...] = (
    (r"cancel|abgebrochen|storniert|withdrawn|rejected|abgelehnt|annul", "cancelled"),
    (r"hold|pend|await|wait|wart|suspend|paus|parked|en attente", "on_hold"),
    (r"resolved|gelost|solved|resolu", "resolved"),
    (r"closed|geschlossen|complete|abgeschlossen|erledigt|done|ferme", "closed"),
    (r"new|neu|open|offen|draft|entwurf|nouveau", "new"),
    (r"progress|work|arbeit|assigned|zugewiesen|active|implement|diagnos|en cours", "in_progress"),
)


def state_of(label: str) -> str | None:
    """Which canonical state a label sounds like; None where it sounds like none."""
    words = folded(label)
    return next((state for pattern, state in STATE_WORDS if re.search(rf"\b(?:{pattern})", words)), None)
