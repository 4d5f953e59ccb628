"""From samples to a proposed mapping: which field, how often it is filled, what it holds, and why it was chosen.

What is mapped now stays unless it does not resolve or something else is filled clearly more often: a mapping that a
person understands is worth more than two points of coverage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.discovery.countries import code_of
from connectors.discovery.sampling import Candidate, SourceSample
from connectors.discovery.words import LOOKED_FOR, PARTLY, fit, state_of
from connectors.mapping import FieldMap, SourceMap

ENOUGH = 45  # the least score of a candidate that is proposed
CLEARLY_MORE = 0.10  # coverage by which another field must exceed what is mapped now
WORTH_A_FALLBACK = 0.02
MAX_FIELDS = 3
PER_HOP = 8
FREE_TEXT_SHARE, FREE_TEXT_ROWS = 0.6, 40  # so many different values in so many rows: nothing to group by
MOSTLY = 0.5  # more of the values must be countries in a field that is taken for one
MAX_OTHERS = 4
FREE_TEXT = frozenset({"title"})  # people may have written names into it


@dataclass(frozen=True, slots=True)
class Other:
    """A field that was not chosen."""

    path: str
    filled: float
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldProposal:
    """Where one canonical field should come from.

    ``said`` is the value as a settings file says it; None where nothing is to be written. ``filled`` is the share of
    the sample's rows with a value, None where there is nothing to measure. ``is_change``: it differs from what is
    mapped now in what it reads. ``unknown`` are values that mean nothing yet, such as a state nobody has explained.
    """

    name: str
    said: Any
    paths: tuple[str, ...]
    filled: float | None
    examples: tuple[str, ...]
    is_change: bool
    note: str = ""
    unknown: tuple[str, ...] = ()
    others: tuple[Other, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceProposal:
    """The proposal for one source: its fields, or that it be switched off, or a whole new one."""

    name: str
    kind: str
    source: str
    rows: int
    total: int | None
    fields: tuple[FieldProposal, ...] = ()
    renamed_from: str = ""  # what the mapping calls the source now, where the platform calls it otherwise
    filled: float | None = None  # share of records in which the source itself has a value (an SLA, a rating)
    examples: tuple[str, ...] = ()
    switch_off: bool = False
    is_new: bool = False
    whole: Mapping[str, Any] = field(default_factory=dict)  # of a new source
    problem: str = ""
    mend: str = ""
    at_most: int | None = None  # so many records were looked at, although more were asked for


def propose(
    sample: SourceSample, current: SourceMap | None, constants: Mapping[str, str] | None = None
) -> SourceProposal:
    """What to map of one source. ``constants`` replace whatever would be found for these fields."""
    head: dict[str, Any] = {"name": sample.name, "kind": sample.kind.value, "source": sample.source}
    if sample.is_new:
        return SourceProposal(**head, rows=sample.rows, total=None, is_new=True, whole=_whole(sample))
    if sample.problem:
        off = sample.is_absent
        return SourceProposal(**head, rows=0, total=None, switch_off=off, problem=sample.problem, mend=sample.mend)
    assert current is not None
    looked_for = LOOKED_FOR.get(sample.kind, ())
    fields = [_looked_for(name, sample, current.fields.get(name), (constants or {}).get(name)) for name in looked_for]
    for name, mapped in current.fields.items():
        if name not in looked_for and any(sample.candidate(path) or path in sample.wrong for path in mapped.fields):
            fields.append(_followed(name, sample, mapped))
    was = current.source if current.source != sample.source else ""
    itself = sample.candidate("")
    filled, examples = _joint([itself], sample.rows) if itself is not None else (None, ())
    return SourceProposal(
        **head,
        rows=sample.rows,
        total=sample.total,
        at_most=sample.at_most,
        fields=tuple(fields),
        renamed_from=was,
        filled=filled,
        examples=examples,
    )


def _whole(sample: SourceSample) -> dict[str, Any]:
    fields = {name: {"constant": value} for name, value in sample.constants.items()}
    return {"kind": sample.kind.value, "source": sample.source, "fields": fields}


def _looked_for(name: str, sample: SourceSample, now: FieldMap | None, constant: str | None) -> FieldProposal:
    """A field that may come from anywhere: what stands, unless something is clearly better."""
    if constant is not None:
        note = "always this, as you said"
        return FieldProposal(name, {"constant": constant}, (), 1.0, (constant,), _says(now) != (constant,), note)
    if now is not None and not now.fields:
        return FieldProposal(name, None, (), 1.0, (str(now.constant),), False, "a constant")
    standing = [one for path in (now.fields if now else ()) if (one := sample.candidate(path)) is not None]
    ranked = _ranked(name, sample)
    chosen = _chosen(name, sample, standing, ranked)
    others = tuple(
        Other(one.shown_as or one.path, one.filled / max(sample.rows, 1), one.examples())
        for one in ranked
        if one not in chosen and one.filled
    )[:MAX_OTHERS]
    broken = _broken(sample, now)
    if not chosen:
        return _nothing(name, now, broken, others)
    paths = tuple(one.path for one in chosen)
    filled, examples = _joint(chosen, sample.rows)
    values, unknown = _country_values(chosen, now) if name == "country" else ({}, ())
    if values:
        examples = tuple(f"{text} = {values.get(text, text)}" for text in examples)
    is_standing = [one.path for one in standing] == [*paths] and not broken
    is_change = not is_standing or bool(values)
    kept = dict(now.values) if now is not None and is_standing else {}
    said_of = now.fields if now is not None and is_standing and now.is_optional else paths  # some may be missing here
    said = _said(said_of, {**kept, **values} if values else kept, now, is_standing=is_standing)
    note = broken or ("" if is_standing or now is None else f"instead of {', '.join(now.fields)}")
    note = note or ("" if filled or not sample.rows else "empty in the whole sample")
    return FieldProposal(name, said, paths, filled, examples, is_change, note, unknown, others)


def _followed(name: str, sample: SourceSample, now: FieldMap) -> FieldProposal:
    """A field with a fixed meaning on the platform: measured, and its unexplained values told."""
    standing = [one for path in now.fields if (one := sample.candidate(path)) is not None]
    filled, examples = _joint(standing, sample.rows) if standing else (None, ())
    broken = _broken(sample, now)
    examples = () if name in FREE_TEXT else examples
    unexplained = _unexplained(name, sample, now, standing)
    guessed = {text: state for text, label in unexplained.items() if (state := state_of(label or text)) is not None}
    paths = tuple(one.path for one in standing)
    if name == "state" and guessed and not broken:
        said = _said(paths, {**now.values, **guessed}, now, is_standing=True)
        note = "; ".join(f"{_labelled(text, unexplained[text])} = {state}" for text, state in guessed.items())
        rest = tuple(_labelled(text, label) for text, label in unexplained.items() if text not in guessed)
        return FieldProposal(name, said, paths, filled, examples, True, note, rest)
    unknown = tuple(_labelled(text, label) for text, label in unexplained.items())
    return FieldProposal(name, None, paths, filled, examples, False, broken, unknown)


def _broken(sample: SourceSample, now: FieldMap | None) -> str:
    """What stands against the paths mapped now; an optional one that is not there is no fault."""
    if now is None or (now.is_optional and any(path not in sample.wrong for path in now.fields)):
        return ""
    return "; ".join(dict.fromkeys(sample.wrong[path] for path in now.fields if path in sample.wrong))


def _ranked(name: str, sample: SourceSample) -> list[Candidate]:
    """Candidates by how well name and values fit, best first; hopeless ones left out."""
    scored = [(_score(name, one, sample.rows), one) for one in sample.candidates]
    return [one for score, one in sorted(scored, key=lambda pair: (-pair[0], pair[1].path)) if score >= ENOUGH]


def _score(name: str, one: Candidate, rows: int) -> float:
    score: float = fit(name, one.names)
    if not score:
        return 0
    score += 25 * (one.filled / max(rows, 1)) - PER_HOP * one.hops
    texts = [text for text in one.texts if text is not None]
    if not texts:
        return score - 40
    different = set(texts)
    if len(texts) >= FREE_TEXT_ROWS and len(different) > FREE_TEXT_SHARE * len(texts):
        score -= 50
    if name == "country":
        known = sum(code_of(text) is not None for text in texts) / len(texts)
        return score + 30 * known if known > MOSTLY else 0
    return score


def _chosen(name: str, sample: SourceSample, standing: list[Candidate], ranked: list[Candidate]) -> list[Candidate]:
    """What stands; else, or where much more is filled that way, the best ones that fill each other's gaps."""
    best = _complementary(ranked, sample.rows)
    if not standing:
        return best
    if any(one.filled for one in standing):  # what has values is replaced by a field of that very name only
        best = _complementary([one for one in ranked if fit(name, one.names) > PARTLY], sample.rows)
    now, _ = _joint(standing, sample.rows)
    then, _ = _joint(best, sample.rows) if best else (0.0, ())
    if then < now + CLEARLY_MORE:
        return standing
    together = _complementary([*standing, *(one for one in ranked if one not in standing)], sample.rows)
    is_meant = any(one.filled for one in standing) and together[0] in standing
    return together if is_meant and _joint(together, sample.rows)[0] >= then - WORTH_A_FALLBACK else best


def _complementary(ranked: Sequence[Candidate], rows: int) -> list[Candidate]:
    chosen: list[Candidate] = []
    reached = 0.0
    for one in ranked:
        if len(chosen) == MAX_FIELDS:
            break
        joint, _ = _joint([*chosen, one], rows)
        if joint > reached and (not chosen or joint >= reached + WORTH_A_FALLBACK):
            chosen.append(one)
            reached = joint
    return chosen


def _joint(candidates: Sequence[Candidate], rows: int) -> tuple[float, tuple[str, ...]]:
    """Share of rows in which the first that has a value has one, and the most frequent of these values."""
    if not candidates or not rows:
        return 0.0, ()
    texts = tuple(
        next((text for text in row if text is not None), None)
        for row in zip(*(one.texts for one in candidates), strict=True)
    )
    merged = Candidate(path="", label="", type="", names=(), texts=texts)
    return merged.filled / rows, merged.examples()


def _country_values(chosen: Sequence[Candidate], now: FieldMap | None) -> tuple[dict[str, str], tuple[str, ...]]:
    """A table of values where countries are written in words, and texts that are no country we know."""
    values: dict[str, str] = {}
    unknown: list[str] = []
    explained = now.values if now is not None else {}
    for one in chosen:
        for text in one.examples(limit=len(one.texts)):
            if text.strip().casefold() in explained:
                continue
            code = code_of(text)
            if code is None:
                unknown.append(text)
            elif text != code:
                values[text] = code
    return dict(sorted(values.items())), tuple(dict.fromkeys(unknown))


def _unexplained(name: str, sample: SourceSample, now: FieldMap, standing: Sequence[Candidate]) -> dict[str, str]:
    """Stored values of a translated field that its table of values does not list → their labels.

    A table whose *otherwise* is true or false is a question, and everything it does not list is answered.
    """
    if not now.values or str(now.otherwise).casefold() in ("true", "false"):
        return {}
    labels: dict[str, str] = {}
    for one in standing:
        labels |= {text: "" for text in one.texts if text is not None} | dict(sample.choices.get(one.path, {}))
    return {text: label for text, label in labels.items() if text.strip().casefold() not in now.values}


def _labelled(text: str, label: str) -> str:
    return f"{text} ({label})" if label and label != text else text


def _nothing(name: str, now: FieldMap | None, broken: str, others: tuple[Other, ...]) -> FieldProposal:
    """Nothing to read it from: a required field becomes optional, so that the pull goes on with that column empty."""
    note = broken or "nothing found: name a field, or a constant"
    if now is None or now.is_optional or not broken:
        return FieldProposal(name, None, (), None, (), False, note, others=others)
    paths = list(now.fields)
    said = {"field": paths[0] if len(paths) == 1 else paths, "is_optional": True}
    return FieldProposal(name, said, (), None, (), True, f"{note}; stays empty", others=others)


def _said(paths: Sequence[str], values: Mapping[str, Any], now: FieldMap | None, *, is_standing: bool) -> Any:
    """A mapping in the shortest form a person would write. What may be missing on an instance still may."""
    field = paths[0] if len(paths) == 1 else list(paths)
    said: dict[str, Any] = {"field": field}
    if values:
        said["values"] = dict(values)
    if values and now is not None and is_standing and now.has_otherwise:
        said["otherwise"] = now.otherwise
    if now is not None and now.is_optional and not set(paths).isdisjoint(now.fields):
        said["is_optional"] = True
    return said if len(said) > 1 else field


def _says(now: FieldMap | None) -> tuple[Any, ...]:
    return (now.constant,) if now is not None and not now.fields else ()
