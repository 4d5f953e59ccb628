"""A review record in plain words, for the work note on the platform: English and German."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from improvement.vocabulary import GOOD_VERDICTS, VERDICT_WORDS

KINDS = {
    "en": {
        "look": "Interim look, {weeks} weeks after go-live (provisional)",
        "final": "Final look, {weeks} weeks after go-live",
        "sustain": "Sustaining look, {weeks} weeks after the decision",
        "missed": "Missed review",
        "addendum": "Addendum to {addendum_to}",
    },
    "de": {
        "look": "Zwischenstand, {weeks} Wochen nach dem Livegang (vorläufig)",
        "final": "Abschließende Prüfung, {weeks} Wochen nach dem Livegang",
        "sustain": "Nachhaltigkeitsprüfung, {weeks} Wochen nach der Entscheidung",
        "missed": "Versäumte Überprüfung",
        "addendum": "Nachtrag zu {addendum_to}",
    },
}
WORDS = {
    "en": {
        "verdict": "Verdict",
        "effect": "Measured effect",
        "interval": "interval",
        "goal": "Goal",
        "met": "reached",
        "not_met": "not reached",
        "naive": "A plain before–after comparison would have claimed",
        "restated": "What was recorded since changes it ({causes}); the review itself stays as it was.",
        "late": "It went live before its yardstick was fixed: late work is never credited.",
        "missed": "This review was due on {due} and was not held within 14 days.",
        "decide": "Next: the owner decides, standardise, adjust or stop.",
        "decide_not_good": "Next: the owner decides, adjust or stop.",
        "acknowledge": "Next: the owner acknowledges this look.",
        "proof": "Plan {plan}, verdict {verdict} (SHA-256).",
    },
    "de": {
        "verdict": "Urteil",
        "effect": "Gemessene Wirkung",
        "interval": "Intervall",
        "goal": "Ziel",
        "met": "erreicht",
        "not_met": "nicht erreicht",
        "naive": "Ein einfacher Vorher-nachher-Vergleich hätte behauptet",
        "restated": "Was seither erfasst wurde, ändert das Urteil ({causes}); die Überprüfung selbst bleibt, wie sie war.",
        "late": "Sie ging live, bevor ihr Maßstab feststand: solche Arbeit wird nie gutgeschrieben.",
        "missed": "Diese Überprüfung war am {due} fällig und fand nicht binnen 14 Tagen statt.",
        "decide": "Als Nächstes entscheidet der Eigner: zum Standard machen, anpassen oder beenden.",
        "decide_not_good": "Als Nächstes entscheidet der Eigner: anpassen oder beenden.",
        "acknowledge": "Als Nächstes nimmt der Eigner diesen Stand zur Kenntnis.",
        "proof": "Plan {plan}, Urteil {verdict} (SHA-256).",
    },
}


def words(document: Mapping[str, Any], language: str, verdict_sha256: str) -> str:
    """The work note of a review: a line for the verdict, the figures that carry it, its limits, what comes next."""
    tongue = "de" if language.startswith("de") else "en"
    say = WORDS[tongue]
    kind = str(document["kind"])
    heading = KINDS[tongue][kind].format(weeks=document["look_no"], addendum_to=document.get("addendum_to", ""))
    lines = [f"{document['action']}: {heading}."]
    if kind == "missed":
        lines.append(say["missed"].format(due=str(document["due_at"])[:10]))
        return "\n".join(lines)
    verdict = str(document["verdict"])
    lines.append(f"{say['verdict']}: {VERDICT_WORDS[verdict].in_(tongue)}.")
    lines += _figures(document.get("results") or {}, say)
    lines.append(_sentence(document, tongue))
    if document.get("restated_by"):
        causes = ", ".join(f"{what}: {count}" for what, count in document["restated_by"].items())
        lines.append(say["restated"].format(causes=causes))
    if document.get("is_late"):
        lines.append(say["late"])
    if kind == "final":
        lines.append(say["decide" if verdict in GOOD_VERDICTS else "decide_not_good"])
    elif kind == "sustain":
        lines.append(say["acknowledge"])
    lines.append(say["proof"].format(plan=str(document["plan_sha256"])[:12], verdict=verdict_sha256[:12]))
    return "\n".join(line for line in lines if line)


def _figures(results: Mapping[str, Any], say: Mapping[str, str]) -> list[str]:
    """Effect with interval, the goal, and what the naive comparison would have said; only what was computed."""
    lines = []
    effect, interval = _effect_text(results), _interval_text(results)
    if effect:
        lines.append(f"{say['effect']}: {effect}" + (f" ({say['interval']} {interval})." if interval else "."))
    if results.get("goal") and results.get("goal_met") is not None:
        lines.append(f"{say['goal']}: {results['goal']}, {say['met' if results['goal_met'] else 'not_met']}.")
    if results.get("naive_text"):
        lines.append(f"{say['naive']}: {results['naive_text']}.")
    return lines


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


def _sentence(document: Mapping[str, Any], tongue: str) -> str:
    results = document.get("results") or {}
    german = results.get("sentence_de") if tongue == "de" else None
    return str(german or document.get("sentence", ""))
