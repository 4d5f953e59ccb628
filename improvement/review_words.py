"""A review record in plain words, for the work note on the platform: English and German."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from improvement.german import in_german
from improvement.plurals import how_many
from improvement.schedule import GRACE_DAYS
from improvement.vocabulary import GOOD_VERDICTS, VERDICT_WORDS, Said

KINDS = {
    "look": Said(
        "Interim look, {weeks} after go-live (provisional)",
        "Zwischenblick, {weeks} nach dem Go-live (vorläufig)",
    ),
    "final": Said("Final look, {weeks} after go-live", "Letzter Blick, {weeks} nach dem Go-live"),
    "sustain": Said(
        "Sustaining look, {weeks} after the decision",
        "Nachhalteblick, {weeks} nach der Entscheidung",
    ),
    "missed": Said("Missed review", "Versäumte Prüfung"),
    "addendum": Said("Addendum to {addendum_to}", "Nachtrag zu {addendum_to}"),
}
WORDS = {
    "verdict": Said("Verdict: {verdict}.", "Befund: {verdict}."),
    "effect": Said("Measured effect: {effect}.", "Gemessene Wirkung: {effect}."),
    "effect_with_interval": Said(
        "Measured effect: {effect}; interval: {interval}.", "Gemessene Wirkung: {effect}; Intervall: {interval}."
    ),
    "met": Said("Goal: {goal}, reached.", "Ziel: {goal}, erreicht."),
    "not_met": Said("Goal: {goal}, not reached.", "Ziel: {goal}, nicht erreicht."),
    "naive": Said(
        "A plain before–after comparison would have claimed: {naive}.",
        "Ein einfacher Vorher-nachher-Vergleich hätte behauptet: {naive}.",
    ),
    "untreated": Said("Without any action: {untreated}.", "Ohne Maßnahme: {untreated}."),
    "restated": Said(
        "What was recorded since changes it ({causes}); the review itself stays as it was.",
        "Was seither erfasst wurde, ändert den Befund ({causes}); die Prüfung selbst bleibt, wie sie war.",
    ),
    "restated_targets": Said(
        "A target was dated back: of the values it tells of, {points} would have been held against another one "
        "({old} → {new}), {turned} judged the other way. The verdict compares before with after and stays.",
        "Ein Ziel wurde zurückdatiert: von den Werten, von denen sie spricht, wären {points} an einem anderen gemessen "
        "worden ({old} → {new}), {turned} anders beurteilt. Der Befund vergleicht vorher mit nachher und bleibt.",
    ),
    "late": Said(
        "It went live before its yardstick was fixed: late work is never credited.",
        "Sie ging live, bevor ihr Maßstab feststand: solche Arbeit wird nie gutgeschrieben.",
    ),
    "missed": Said(
        "This review was due on {due} and was not held within {days} days.",
        "Diese Prüfung war am {due} fällig und fand nicht binnen {days} Tagen statt.",
    ),
    "decide": Said(
        "Next: the owner decides, standardise, adjust or stop.",
        "Als Nächstes entscheidet der Eigner: zum Standard machen, anpassen oder beenden.",
    ),
    "decide_not_good": Said(
        "Next: the owner decides, adjust or stop.", "Als Nächstes entscheidet der Eigner: anpassen oder beenden."
    ),
    "acknowledge": Said(
        "Next: the owner acknowledges this look.", "Als Nächstes nimmt der Eigner diesen Blick zur Kenntnis."
    ),
    "next_look": Said("Next look: {day}.", "Nächster Blick: {day}."),
    "proof": Said("Plan {plan}, verdict {verdict} (SHA-256).", "Plan {plan}, Befund {verdict} (SHA-256)."),
}


def words(document: Mapping[str, Any], language: str, verdict_sha256: str) -> str:
    """The work note of a review: a line for the verdict, the figures that carry it, its limits, what comes next."""

    def say(what: str, **filled: object) -> str:
        return WORDS[what].in_(language).format(**filled)

    kind = str(document["kind"])
    heading = KINDS[kind].in_(language)
    number = int(document["look_no"] or 0)
    weeks = Said(how_many(number, "week"), how_many(number, "Woche", "Wochen")).in_(language)
    filled = heading.format(weeks=weeks, addendum_to=document.get("addendum_to", ""))
    lines = [f"{document['action']}: {filled}."]
    if kind == "missed":
        lines.append(say("missed", due=str(document["due_at"])[:10], days=GRACE_DAYS))
        return "\n".join(lines)
    verdict = str(document["verdict"])
    lines.append(say("verdict", verdict=VERDICT_WORDS[verdict].in_(language)))
    lines += [say(what, **figures) for what, figures in _figures(document.get("results") or {}, language)]
    lines.append(_sentence(document, language))
    if document.get("restated_by"):
        causes = ", ".join(f"{what}: {count}" for what, count in document["restated_by"].items())
        lines.append(say("restated", causes=causes))
    if document.get("restated_targets"):
        lines.append(say("restated_targets", **_targets(document["restated_targets"])))
    if document.get("is_late"):
        lines.append(say("late"))
    if not document.get("held_at"):  # else it was done since
        lines += [say(what) for what in _asked(kind, verdict)]
    if document.get("next_look_at"):
        lines.append(say("next_look", day=str(document["next_look_at"])[:10]))
    lines.append(say("proof", plan=str(document["plan_sha256"])[:12], verdict=verdict_sha256[:12]))
    return "\n".join(line for line in lines if line)


def _asked(kind: str, verdict: str) -> list[str]:
    """What a review asks of the owner."""
    if kind == "final":
        return ["decide" if verdict in GOOD_VERDICTS else "decide_not_good"]
    return ["acknowledge"] if kind == "sustain" else []


def _targets(restated: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """How many values, from which targets to which, and how many of them would be judged the other way."""
    turned = sum(one["would_be_breaching"] not in (None, one["was_breaching"]) for one in restated)
    old, new = (", ".join(dict.fromkeys(str(one[name]) for one in restated)) for name in ("old_target", "new_target"))
    return {"points": len(restated), "turned": turned, "old": old, "new": new}


def _figures(results: Mapping[str, Any], language: str) -> list[tuple[str, dict[str, str]]]:
    """Effect with interval, the goal, and what the naive comparison would have said; only what was computed."""

    def told(text: str) -> str:
        return in_german(text) if language.startswith("de") else text

    lines = []
    effect, interval = told(_effect_text(results)), told(_interval_text(results))
    if effect:
        what = "effect_with_interval" if interval else "effect"
        lines.append((what, {"effect": effect, "interval": interval}))
    if results.get("goal") and results.get("goal_met") is not None:
        lines.append(("met" if results["goal_met"] else "not_met", {"goal": told(str(results["goal"]))}))
    if results.get("naive_text"):
        lines.append(("naive", {"naive": told(str(results["naive_text"]))}))
    if untreated := untreated_text(results, language):
        lines.append(("untreated", {"untreated": untreated}))
    return lines


def untreated_text(results: Mapping[str, Any], language: str) -> str:
    """What came of firings that nobody acted on, or why that is not told; '' in records older than that."""
    key = "untreated_text_de" if language.startswith("de") else "untreated_text"
    return str(results.get(key, ""))


def _effect_text(results: Mapping[str, Any]) -> str:
    if results.get("effect_text"):
        return str(results["effect_text"])
    effect = results.get("effect")
    return "" if effect is None else f"{effect:.3g} {results.get('unit', '')}".strip()


def _interval_text(results: Mapping[str, Any]) -> str:
    if results.get("interval_text"):
        return str(results["interval_text"])
    low, high = results.get("low"), results.get("high")
    return "" if low is None or high is None else f"{low:.3g} – {high:.3g}"


def _sentence(document: Mapping[str, Any], language: str) -> str:
    results = document.get("results") or {}
    german = results.get("sentence_de") if language.startswith("de") else None
    return str(german or document.get("sentence", ""))
