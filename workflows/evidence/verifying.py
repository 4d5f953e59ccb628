"""Verify the whole log: every entry, the tree they make, the signed checkpoints, and what the entries pin."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings

from improvement.errors import InputError, Place
from improvement.evidence import checkpoint, merkle
from improvement.evidence.canonical import digest
from improvement.plurals import how_many
from workflows.evidence.logged_state import Told
from workflows.models import Checkpoint, ErasableText, LedgerEntry, LedgerHead, Plan, ReviewRecord


@dataclass(slots=True)
class Verification:
    """What was found: a sentence per fact proven, and one per fact that fails."""

    facts: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        """Whether no fact failed."""
        return not self.failures


@dataclass(slots=True)
class _Pins:
    """What the log states of the state: digests of plans by action and version and of reviews by id, and rows."""

    plans: dict[tuple[str, int], tuple[int, str]] = field(default_factory=dict)  # → entry, digest
    reviews: dict[str, tuple[int, str]] = field(default_factory=dict)
    told: Told = field(default_factory=Told)


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose signatures count: the name of the ledger and the public half of its key."""

    name: str
    public: Ed25519PublicKey

    @property
    def verifier_key(self) -> str:
        """As C2SP tools read it; not secret."""
        return checkpoint.verifier_key(self.name, self.public)


def signer(verifier_key: str | None = None) -> Signer:
    """By a verifier key that was kept elsewhere; without one, by the home's own key."""
    if verifier_key is not None:
        return Signer(*checkpoint.parse_verifier_key(verifier_key))
    key = checkpoint.load_key(settings.REGELKREIS.ledger_key)
    return Signer(settings.REGELKREIS.ledger_origin, key.public_key())


def newest_checkpoint() -> Checkpoint:
    """The last one that was signed; :class:`~improvement.errors.InputError` where none was."""
    last = Checkpoint.objects.order_by("size").last()
    if last is None:
        raise InputError("No checkpoint was signed yet.", mend="Run a cycle: it signs one.")
    return last


def verify(by: Signer | None = None, *, kept: Mapping[str, str] = MappingProxyType({})) -> Verification:
    """Recompute every leaf and the root, check each checkpoint's signature, and each pinned document's digest.

    ``by`` is whose signatures count, the home's own key where nothing is said. ``kept`` are checkpoints that lay
    elsewhere meanwhile, by their names: the log must still begin with what they signed.
    """
    found = Verification()
    pins = _Pins()
    leaves = _verify_entries(found, pins)
    _verify_checkpoints(found, leaves, by)
    _verify_kept(found, leaves, by, kept)
    _verify_pins(found, pins)
    _verify_texts(found)
    return found


def verify_at(at: datetime, by: Signer | None = None) -> Verification:
    """What the last checkpoint signed by ``at`` proves of the log as it was then, and of what that pinned for good.

    Rows that went on since (states of actions, findings) are not compared: they are those of today. Raises
    :class:`~improvement.errors.InputError` where no checkpoint was signed by then.
    """
    last = _signed_by(at)
    if last is None:
        first = Checkpoint.objects.order_by("size").first()
        raise InputError(
            f"By {at:%Y-%m-%d %H:%M} UTC no checkpoint was signed: nothing proves what the log said then.",
            where=Place(field="--as-of"),
            mend=f"The first is of {first.at:%Y-%m-%d %H:%M} UTC."
            if first is not None
            else "Run a cycle: it signs one.",
        )
    found, pins = Verification(), _Pins()
    leaves = _read_entries(found, pins, last.size)
    if len(leaves) < last.size:
        found.failures.append(f"The log held {_entries(last.size)} then, {len(leaves)} of them are left.")
    else:
        _verify_checkpoints(found, leaves, by, up_to=last.size)
    if found.is_ok:
        found.facts.insert(
            0,
            f"At {last.at:%Y-%m-%d %H:%M} UTC the log held {_entries(last.size)}; it still begins with them.",
        )
    found.failures += [*_wrong_plans(pins), *_wrong_reviews(pins)]
    if found.is_ok and (pins.plans or pins.reviews):
        found.facts.append(
            f"What it pinned by then is unchanged: {how_many(len(pins.plans), 'frozen plan', 'frozen plans')}, "
            f"{how_many(len(pins.reviews), 'review record', 'review records')}."
        )
    return found


def _signed_by(at: datetime) -> Checkpoint | None:
    """The last checkpoint of this moment or before.

    One that says an earlier moment than a smaller one does was signed later than it says (a cycle may be run for the
    past), and proves nothing of then.
    """
    last: Checkpoint | None = None
    for one in Checkpoint.objects.order_by("size").iterator():
        if one.at > at:
            break
        if last is None or one.at >= last.at:
            last = one
    return last


def _verify_entries(found: Verification, pins: _Pins) -> list[bytes]:
    leaves = _read_entries(found, pins)
    _verify_head(found, leaves)
    if not found.failures:
        found.facts.append(f"All {len(leaves):,} entries are there, in order, each with the hash it was written with.")
    return leaves


def _read_entries(found: Verification, pins: _Pins, size: int | None = None) -> list[bytes]:
    """The leaves of all entries, or of the first ``size``; up to the first that is missing."""
    leaves: list[bytes] = []
    for entry in LedgerEntry.objects.order_by("index")[:size].iterator(chunk_size=2000):
        if entry.index != len(leaves):
            found.failures.append(f"Entry {len(leaves)} is missing: the next one found is {entry.index}.")
            break
        data = bytes(entry.data)
        leaf = merkle.leaf_hash(data)
        leaves.append(leaf)
        wrong = "its hash is another one" if leaf != bytes(entry.leaf_hash) else _what_is_wrong(entry, data)
        if wrong:
            found.failures.append(f"Entry {entry.index} ({entry.type}) was changed after it was written: {wrong}.")
        else:
            _pin(entry.index, data, pins)
    return leaves


def _verify_head(found: Verification, leaves: list[bytes]) -> None:
    try:
        head = LedgerHead.objects.filter(id=1).first()
        frontier = tuple(bytes.fromhex(node) for node in head.frontier) if head is not None else ()
        size = head.size if head is not None else 0
        root = merkle.frontier_root(frontier, size)
    except (ValueError, TypeError, IndexError) as error:
        found.failures.append(f"The head of the log was changed: it cannot be read ({error}).")
        return
    if size != len(leaves):
        found.failures.append(f"The head says {_entries(size)}, the log holds {len(leaves)}.")
    elif root != merkle.root(leaves):
        found.failures.append(f"The head's tree is not that of the {_entries(size)}: {_where_changed(leaves)}.")


def _what_is_wrong(entry: LedgerEntry, data: bytes) -> str:
    """What an entry's columns say that its hashed bytes do not."""
    try:
        said = json.loads(data)
    except ValueError:
        return "its bytes are no JSON"
    differing = [name for name in ("type", "subject") if said.get(name) != getattr(entry, name)]
    return f"its column {differing[0]} says something else than its bytes" if differing else ""


def _pin(index: int, data: bytes, pins: _Pins) -> None:
    said = json.loads(data)
    payload = said["payload"]
    if said["type"] == "plan.frozen":
        pins.plans[said["subject"], payload["version"]] = (index, payload["plan_sha256"])
    elif said["type"] == "review.recorded":
        pins.reviews[payload["review"]] = (index, payload["verdict_sha256"])
    pins.told.hear(index, said)


def _verify_checkpoints(found: Verification, leaves: list[bytes], by: Signer | None, *, up_to: int = 0) -> None:
    """Every checkpoint, or those of the first ``up_to`` entries."""
    rows = list(Checkpoint.objects.filter(size__lte=up_to) if up_to else Checkpoint.objects.all())
    if not rows:
        found.facts.append("No checkpoint was signed yet.")
        return
    by = by or signer()
    roots = merkle.roots(leaves, [row.size for row in rows])
    good, failures = 0, []
    for row in rows:
        try:
            signed = checkpoint.verify(row.note, by.public, origin=by.name)
        except checkpoint.NoteError as error:
            failures.append(f"Checkpoint {row.size}: {error}")
            continue
        if signed.size != row.size:
            failures.append(f"Checkpoint {row.size} signs {_entries(signed.size)}.")
        elif row.size > len(leaves):
            failures.append(f"Checkpoint {row.size} signs {_entries(row.size)}, the log holds {len(leaves)}.")
        elif roots[row.size] != signed.root:
            failures.append(
                f"Checkpoint {row.size} signs another tree than the log holds: an entry between {good} and "
                f"{row.size - 1} was changed together with its hash."
            )
            break  # all later ones hold the same change
        else:
            good = row.size
    found.failures += failures
    if not failures:
        signed_by = how_many(len(rows), "signed checkpoint agrees", "signed checkpoints agree")
        found.facts.append(f"{signed_by} with the log, the last at {_entries(rows[-1].size)}.")


def _verify_kept(found: Verification, leaves: list[bytes], by: Signer | None, kept: Mapping[str, str]) -> None:
    """Whether the log still begins with what checkpoints signed that nobody here could change."""
    for name, note in kept.items():
        by = by or signer()
        try:
            signed = checkpoint.verify(note, by.public, origin=by.name)
        except checkpoint.NoteError as error:
            found.failures.append(f"{name}: {error}")
            continue
        if signed.size > len(leaves):
            found.failures.append(f"{name} signs {_entries(signed.size)}, the log holds {len(leaves)}.")
        elif merkle.root(leaves[: signed.size]) != signed.root:
            found.failures.append(
                f"{name} signs another tree of {_entries(signed.size)}: the past was rewritten since."
            )
        else:
            found.facts.append(f"{name} fits: the log still begins with the {_entries(signed.size)} that it signs.")


def _where_changed(leaves: list[bytes]) -> str:
    """Which entries may have been changed together with their hashes: those since the last checkpoint that holds."""
    last = Checkpoint.objects.filter(size__lte=len(leaves)).order_by("-size").first()
    first = last.size if last is not None else 0
    named = "one that a checkpoint below names was changed"
    if first == len(leaves):  # the last checkpoint holds all there are
        return named
    return f"an entry between {first} and {len(leaves) - 1}, or {named}"


def _verify_pins(found: Verification, pins: _Pins) -> None:
    try:
        failures = [*_wrong_plans(pins), *_wrong_reviews(pins), *pins.told.differences()]
    except ValueError as error:
        failures = [f"Something that the log pins was changed: it cannot be read ({error})."]
    found.failures += failures
    actions, steps, looks, findings = pins.told.counts()
    if not failures and (pins.plans or pins.reviews or actions or findings):
        found.facts.append(
            f"What the log pins is unchanged: {how_many(len(pins.plans), 'frozen plan', 'frozen plans')}, "
            f"{how_many(len(pins.reviews), 'review record', 'review records')}, "
            f"{how_many(looks, 'computed look', 'computed looks')}, "
            f"{how_many(findings, 'finding that fired', 'findings that fired')}, and "
            f"{how_many(actions, 'action', 'actions')} with {how_many(steps, 'step', 'steps')}."
        )


def _wrong_plans(pins: _Pins) -> Iterator[str]:
    frozen = Plan.objects.exclude(sha256="").select_related("action", "approved_by")
    plans = {(plan.action.code, plan.version): plan for plan in frozen}
    for (code, version), (index, sha256) in pins.plans.items():
        plan = plans.get((code, version))
        if plan is None:
            yield f"Plan version {version} of {code}, pinned by entry {index}, is gone."
        elif not digest(plan.document) == sha256 == plan.sha256:
            yield f"Plan version {version} of {code} is not the one that entry {index} pins."
        elif plan.approved_by is None or plan.approved_by.uid != plan.document["frozen_by"]:
            yield f"Plan version {version} of {code} names another approver than the plan that entry {index} pins."


def _wrong_reviews(pins: _Pins) -> Iterator[str]:
    reviews = {review.code: review for review in ReviewRecord.objects.all()}
    for code, (index, sha256) in pins.reviews.items():
        review = reviews.get(code)
        if review is None:
            yield f"{code}, pinned by entry {index}, is gone."
        elif not digest(review.document) == sha256 == review.verdict_sha256:
            yield f"{code} is not the review record that entry {index} pins."


def _entries(number: int) -> str:
    return how_many(number, "entry", "entries")


def _verify_texts(found: Verification) -> None:
    """Texts that are still there must be those the log sealed; one that is gone was erased, which is allowed."""
    wrong = [
        row.digest[:12]
        for row in ErasableText.objects.iterator(chunk_size=2000)
        if hashlib.sha256(f"{row.salt}\n{row.text}".encode()).hexdigest() != row.digest
    ]
    found.failures += [f"The text sealed as {name}… was changed after it was written." for name in wrong]
