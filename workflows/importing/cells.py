"""One cell of an import file → one value, or an error that says what to write instead."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.discovery.countries import code_of
from connectors.mapping import near_matches
from improvement.errors import InputError

LONGEST = 255
FIRST, LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, tzinfo=UTC)
NOON = time(12)
FORMULA = tuple("=+-@")
TURNS_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
_GERMAN = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T]+(\d{1,2}:\d{2}(?::\d{2})?))?")
_SLASHES = re.compile(r"\d{1,2}/\d{1,2}/\d{2,4}.*")
_SERIAL = re.compile(r"\d{5}([.,]\d+)?")


def text(raw: str, name: str) -> str | None:
    """A name, kept as it is; None where the cell is empty.

    What a spreadsheet would run as a formula is refused, and what drives terminals or turns the direction of text.
    Anything else, markup and emoji too, is text: pages show it escaped.
    """
    if not raw:
        return None
    if raw.startswith(FORMULA):
        raise InputError(f"{name} begins with “{raw[0]}”: a spreadsheet would run it.", mend="Take the sign away.")
    for sign in raw:
        if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") or sign in TURNS_DIRECTION:
            called = unicodedata.name(sign, f"U+{ord(sign):04X}").lower()
            raise InputError(f"{name} holds an invisible sign ({called}).", mend="Type it anew.")
    if len(raw) > LONGEST:
        raise InputError(f"{name} has {len(raw)} characters, more than {LONGEST}.", mend="Is a quote missing?")
    return raw


def word(raw: str, name: str, known: tuple[str, ...]) -> str:
    """One of a few words, in any case."""
    folded = raw.casefold()
    if folded not in known:
        raise InputError(
            f"{name} is “{raw[:40]}”.{near_matches(raw[:40], known)}", mend=f"Write one of: {', '.join(known)}."
        )
    return folded


def country(raw: str, name: str) -> str | None:
    """A country as ISO 3166-1 alpha-2; names in English, German and French are translated."""
    if not raw:
        return None
    code = code_of(raw)
    if code is None:
        raise InputError(f"{name} is “{raw[:40]}”, no country we know.", mend="Write its two letters, like CH.")
    return code


def zone(raw: str, name: str) -> ZoneInfo:
    """A time zone by its IANA name."""
    try:
        return ZoneInfo(raw)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(f"{name} is “{raw[:40]}”, no time zone.", mend="Write it like Europe/Zurich.") from None


def moment(raw: str, name: str, where: ZoneInfo | None) -> datetime | None:
    """An instant in UTC; None where the cell is empty.

    ``2026-03-02T09:00+01:00`` says all itself; ``2026-03-02 09:00``, ``02.03.2026 09:00`` and plain days, which mean
    noon, need a zone. A local time that the clock change leaves out, or has twice, is refused.
    """
    if not raw:
        return None
    found = _as_written(raw, name)
    if not FIRST.year - 1 <= found.year <= LAST.year + 1:  # another zone may lie beyond the calendar's end
        raise _too_far(raw, name)
    if found.tzinfo is None:
        if where is None:
            raise InputError(
                f"{name} is “{raw[:40]}”, without a time zone.",
                mend="Write it like 2026-03-02T09:00+01:00, give a column zone, or say --zone Europe/Zurich.",
            )
        found = _local(found, raw, name, where)
    instant = found.astimezone(UTC)
    if not FIRST <= instant <= LAST:
        raise _too_far(raw, name)
    return instant


def _too_far(raw: str, name: str) -> InputError:
    mend = "Write the day it was, or leave the cell empty where it may be."
    return InputError(f"{name} is {raw[:40]}: that is too far away to be meant.", mend=mend)


def _as_written(raw: str, name: str) -> datetime:
    if _SERIAL.fullmatch(raw):
        raise InputError(
            f"{name} is “{raw}”, a spreadsheet's own number of a day.",
            mend="Format the column as a date and save again.",
        )
    if _SLASHES.fullmatch(raw):
        raise InputError(
            f"{name} is “{raw[:40]}”: day or month first?", mend="Write it like 2026-03-02 09:00, or 02.03.2026 09:00."
        )
    german = _GERMAN.fullmatch(raw)
    try:
        if german is not None:
            day, month, year, clock = german.groups()
            hour, _, rest = (clock or "12:00").partition(":")
            return datetime.fromisoformat(f"{year}-{int(month):02}-{int(day):02}T{int(hour):02}:{rest}")
        found = datetime.fromisoformat(raw)
    except ValueError:
        raise InputError(f"{name} is “{raw[:40]}”, no point in time.", mend="Write it like 2026-03-02 09:00.") from None
    return datetime.combine(found.date(), NOON) if len(raw) <= len("2026-03-02") else found


def _local(found: datetime, raw: str, name: str, where: ZoneInfo) -> datetime:
    early, late = (found.replace(tzinfo=where, fold=fold) for fold in (0, 1))
    if early.utcoffset() == late.utcoffset():
        return early
    is_skipped = early.astimezone(UTC).astimezone(where).replace(tzinfo=None) != found
    why = "does not exist: clocks are put forward then" if is_skipped else "is there twice: clocks are put back then"
    raise InputError(f"{name} {raw[:40]} in {where.key} {why}.", mend="Write it with its offset, like +01:00.")
