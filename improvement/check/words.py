"""Effects and verdicts in words, English and German."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from improvement.check.model import Family, PastFirings
from improvement.check.windows import MIN_REFERENCE_WEEKS
from improvement.german import in_german
from improvement.vocabulary import VERDICT_WORDS, Verdict

REASONS = {
    "no_family": ("this metric is shown against its target; no statistical verdict exists for it", "diese Kennzahl wird gegen ihr Ziel gezeigt; einen statistischen Befund gibt es für sie nicht"),
    "no_series": ("the scope has no data", "für den Bereich gibt es keine Daten"),
    "no_plan_goal": ("the goal cannot be expressed on this reference", "das Ziel lässt sich auf dieser Referenz nicht ausdrücken"),
    "fit_failed": ("the model could not be fitted", "das Modell ließ sich nicht anpassen"),
    "before_first_look": ("the first look is not due yet", "der erste Blick ist noch nicht fällig"),
    "few_reference_weeks": (f"fewer than {MIN_REFERENCE_WEEKS} weeks with volume before the trigger", f"weniger als {MIN_REFERENCE_WEEKS} Wochen mit Volumen vor dem Auslöser"),
    "few_after_weeks": ("too few weeks with volume after the go-live", "zu wenige Wochen mit Volumen nach dem Go-live"),
    "few_reference_events": ("fewer than 20 events before the trigger", "weniger als 20 Ereignisse vor dem Auslöser"),
    "few_expected_events": ("fewer than 10 events were to be expected after the go-live", "nach dem Go-live waren weniger als 10 Ereignisse zu erwarten"),
    "few_matured": ("fewer than 30 matured tickets after the go-live", "weniger als 30 gereifte Tickets nach dem Go-live"),
    "few_responses": ("fewer than 30 responses after the go-live", "weniger als 30 Antworten nach dem Go-live"),
    "few_nps_responses": ("fewer than 100 responses after the go-live", "weniger als 100 Antworten nach dem Go-live"),
    "worse": ("it got worse, beyond chance and against the controls", "es wurde schlechter, über den Zufall hinaus und gegen die Vergleichsgruppen"),
    "worse_not_attributable": ("it looks worse, but that cannot be told from what happened elsewhere", "es wirkt schlechter, ist aber nicht von dem zu trennen, was anderswo geschah"),
    "faded": ("the effect was there and has faded", "die Wirkung war da und ist verblasst"),
    "not_sustained": ("the effect did not last to the last weeks", "die Wirkung hielt nicht bis in die letzten Wochen"),
    "pre_trend": ("it was improving before the action already", "es besserte sich schon vor der Maßnahme"),
    "controls_made_it": ("most of the difference comes from the controls", "der Unterschied stammt überwiegend aus den Vergleichsgruppen"),
    "controls_disagree": ("scopes without any action differ as much", "Bereiche ohne jede Maßnahme schwanken ebenso"),
    "mix": ("the tickets became easier", "die Tickets wurden leichter"),
    "no_controls": ("there is nothing to compare with", "es gibt keinen Vergleich"),
    "not_alone": ("something else was changed too, or the plan was late", "anderes wurde ebenfalls geändert, oder der Plan kam zu spät"),
    "below_minimum": ("the effect is smaller than was worth the effort", "die Wirkung ist kleiner, als es der Mühe wert war"),
    "improved": ("it improved, beyond chance and against the controls", "es besserte sich, über den Zufall hinaus und gegen die Vergleichsgruppen"),
    "recovered": ("it is back to normal, which is not the action's merit", "es ist zurück im Normalen, was nicht der Maßnahme zuzuschreiben ist"),
    "goal_excluded": ("no change beyond chance; the goal was not reached", "keine Veränderung über den Zufall hinaus; das Ziel ist verfehlt"),
    "inconclusive": ("the data hold both no effect and the goal", "die Daten erlauben beides: keine Wirkung und das Ziel"),
}  # fmt: skip


def natural(family: Family, link: float) -> float:
    """A link-scale effect in its own unit: odds ratio, rate ratio, time ratio, points."""
    return link if family == "score" else math.exp(link)


def unit_name(family: Family, unit: str) -> str:
    """What the effect is measured in."""
    return {"proportion": "odds ratio", "count": "rate ratio", "time": "time ratio", "score": unit}[family]


def effect_text(family: Family, link: float, ground: Mapping[str, float], *, unit: str) -> str:
    """The effect as people say it: ``−11.2 percentage points (odds ratio 0.38, −61 in all)``.

    ``ground`` is *after* as it was beside what it would have been (:func:`facts.on_the_ground`).
    """
    ratio, difference = math.exp(link) if family != "score" else 0.0, ground["difference"]
    change = f"{(ratio - 1) * 100:+.0f} %"
    return {
        "score": f"{link:+.2f} {unit}",
        "proportion": f"{difference * 100:+.1f} percentage points (odds ratio {ratio:.2f}, {ground['amount']:+.0f} in all)",
        "time": f"{change} ({difference:+.1f} {unit})",
        "count": f"{change} (rate ratio {ratio:.2f}, {ground['amount']:+.0f} in all)",
    }[family].replace("-", "−")


def size_text(family: Family, link: float) -> str:
    """A link-scale effect in words, where nothing on the ground is known of it: ``odds ratio 1.20``, ``+0.18 points``."""
    return (
        f"{link:+.2f} points".replace("-", "−")
        if family == "score"
        else f"{unit_name(family, '')} {natural(family, link):.2f}"
    )


def spread_text(family: Family, link: float) -> tuple[str, str]:
    """By how much something varies, in English and German: a factor for ratios, points for scores."""
    size = f"{abs(link):.2f}" if family == "score" else f"{math.exp(abs(link)):.2f}"
    if family == "score":
        return f"{size} points", in_german(f"{size} points")
    return f"a factor of {size}", in_german(f"den Faktor {size}")


def interval_text(family: Family, low: float, high: float, unit: str) -> str:
    """The interval in the effect's unit."""
    first, second = sorted((natural(family, low), natural(family, high)))
    if family == "score":
        return f"{first:+.2f} … {second:+.2f} {unit}".replace("-", "−")
    return f"{unit_name(family, unit)} {first:.2f} … {second:.2f}"


def beside(family: Family, shares: Mapping[str, float | None], tau_weeks: int) -> list[tuple[str, str]]:
    """What has to be told beside an effect in points or hours, in English and German: who answered, what stayed open."""
    before, after = shares["reference"], shares["after"]
    if family == "score":
        if before is None or after is None:
            return [("the response rate is not known", "die Rücklaufquote ist nicht bekannt")]
        return [
            (
                f"{before * 100:.0f} % of those asked answered in the reference, {after * 100:.0f} % after",
                f"{before * 100:.0f} % der Befragten antworteten in der Referenz, {after * 100:.0f} % danach",
            )
        ]
    if family != "time" or not tau_weeks:
        return []
    english = f"times count up to {tau_weeks} week{'s' if tau_weeks > 1 else ''} (τ)"
    german = f"Zeiten zählen bis {tau_weeks} Woche{'n' if tau_weeks > 1 else ''} (τ)"
    if before is not None and after is not None:
        open_before, open_after = f"{before * 100:.1f} %", f"{after * 100:.1f} %"
        english += f"; {open_before} of the tickets were still open then in the reference, {open_after} after"
        german += in_german(f"; {open_before} waren dann noch offen in der Referenz, {open_after} danach")
    return [(english, german)]


def exposure(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a count is told per, in English and German."""
    if not told:
        return []
    unit, unit_de = str(told["unit"]), in_german(str(told["unit"]))
    if told["known_from"]:
        return [
            (
                f"{unit} are known from {told['known_from']} on only, so every week counts the same",
                f"{unit_de} sind erst ab {told['known_from']} bekannt, daher zählt jede Woche gleich",
            )
        ]
    if told["reference"] is None or told["after"] is None:
        return []
    before, after = (f"{told[name]:,.0f}".replace(",", " ") for name in ("reference", "after"))
    counted = f" {told['text']}: "
    english = f"counted{counted}on average {before} in the reference, {after} after"
    german = f"gezählt{in_german(counted)}im Mittel {before} in der Referenz, {after} danach"
    without = len(told["controls_without"])
    if without:
        english += f"; {without} control{'s' if without > 1 else ''} without a number count{'' if without > 1 else 's'} every week the same"
        german += f"; bei {without} Vergleichsgruppe{'n' if without > 1 else ''} ohne Angabe zählt jede Woche gleich"
    return [(english, german)]


def naive_text(family: Family | None, before: float | None, after: float | None, unit: str) -> str:
    """What a before–after arrow would have claimed."""
    if before is None or after is None:
        return ""
    if family == "score":
        return f"{before:.2f} → {after:.2f} {unit} ({after - before:+.2f})".replace("(-", "(−")
    change = f" ({(after / before - 1) * 100:+.0f} %)".replace("(-", "(−") if before else ""
    if family == "proportion":
        return f"{before * 100:.1f} % → {after * 100:.1f} %{change}"
    return f"{before:.1f} → {after:.1f} {unit}{change}"


def untreated(
    family: Family | None, past: PastFirings | None, naive: Mapping[str, float | None], *, rule: str
) -> tuple[str, str]:
    """The untreated line beside the plain figure, in English and German: what came of firings that nobody acted on."""
    if family is None:
        return "", ""
    if not rule:
        return (
            "no rule opened this action, so there are no past firings to hold it against",
            "keine Regel eröffnete diese Maßnahme; frühere Auslösungen zum Vergleich gibt es nicht",
        )
    if past is None:
        return (
            f"nobody has counted yet what comes of firings of {rule} without any action: regelkreis rules backtest {rule}",
            f"was ohne Zutun aus Auslösungen von {rule} wird, ist noch nicht ausgezählt: regelkreis rules backtest {rule}",
        )
    span = f"{past.first_week} – {past.last_week}"
    version, version_de = ("", "") if past.is_same_version else (" by another version", " in anderer Fassung")
    if past.effect is None:
        return (
            f"no firing of {rule}{version} that nobody acted on is old enough to hold this against ({span})",
            f"keine Auslösung von {rule}{version_de}, auf die niemand reagierte, ist zum Vergleich alt genug ({span})",
        )
    left = _unit_text(family, past.effect)
    one = past.firings == 1
    told = f"1 past firing of {rule}" if one else f"{past.firings} past firings of {rule}"
    told_de = f"1 frühere Auslösung von {rule}" if one else f"{past.firings} frühere Auslösungen von {rule}"
    english = f"{told}{version} that nobody acted on came to {left} by {'itself' if one else 'themselves'} ({span})"
    german = (
        f"{told_de}{version_de}, auf die niemand reagierte, {'kam' if one else 'kamen'} von selbst auf "
        f"{in_german(left)} ({span})"
    )
    ours = naive.get("effect")
    if ours is None:
        return english, german
    own = _unit_text(family, ours)
    return (
        f"{english}; this scope, counted the same way, to {own}",
        f"{german}; dieser Bereich, ebenso gezählt, auf {in_german(own)}",
    )


def _unit_text(family: Family, effect: float) -> str:
    """An effect that is in its own unit already, in words."""
    return size_text(family, effect if family == "score" else math.log(effect))


def sentences(
    verdict: Verdict,
    reason: str,
    *,
    effect: str = "",
    interval: str = "",
    is_provisional: bool = False,
    notes: tuple[str, ...] = (),
    notes_de: tuple[str, ...] = (),
) -> tuple[str, str]:
    """One plain sentence in English and one in German, with its limits."""
    english, german = REASONS.get(reason, (reason, reason))
    told = f" Estimate: {effect}, interval {interval}." if effect else ""
    told_de = f" Schätzung: {in_german(effect)}, Intervall {in_german(interval)}." if effect else ""
    start = "So far (provisional): " if is_provisional else ""
    start_de = "Bisher (vorläufig): " if is_provisional else ""
    tail = "".join(f" {_sentence_case(note)}." for note in notes)
    tail_de = "".join(f" {_sentence_case(note)}." for note in notes_de)
    said = VERDICT_WORDS[verdict]
    word, word_de = (text if is_provisional else _sentence_case(text) for text in (said.en, said.de))
    return f"{start}{word}: {english}.{told}{tail}", f"{start_de}{word_de}: {german}.{told_de}{tail_de}"


def _sentence_case(text: str) -> str:
    """The first letter large, the others as they are: German nouns keep theirs."""
    return text[:1].upper() + text[1:]
