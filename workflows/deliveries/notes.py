"""What platforms are told in words, in the installation's language: one table of notes, English and German.

A review's own note is made in improvement/review_words.py. Reasons of guards are known to the pages in German
(web/reasons.py); notes use the same sentences.
"""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import override

from improvement.german import in_german
from improvement.vocabulary import DECISION_WORDS, STATE_WORDS, VERDICT_WORDS, Said
from workflows.web import reasons, words

NOTES: dict[str, Said] = {
    "plan approved": Said(
        "Plan version {version} approved. Its yardstick is frozen: SHA-256 {sha256}.",
        "Planversion {version} genehmigt. Ihr Maßstab ist eingefroren: SHA-256 {sha256}.",
    ),
    "approval lapsed": Said(
        "The approval lapsed before anybody answered. The plan is unchanged: please request it once more.",
        "Die Genehmigung verfiel, bevor jemand antwortete. Der Plan ist unverändert: bitte fordern Sie sie erneut an.",
    ),
    "go-live slipped": Said(
        "The planned go-live, {day}, and the {weeks} weeks after it are over, and nobody said it went live. The plan "
        "needs a new date and a new approval.",
        "Der geplante Go-live, {day}, und die {weeks} Wochen danach sind vorbei, und niemand meldete ihn. Der Plan "
        "braucht einen neuen Tag und eine neue Genehmigung.",
    ),
    "decision": Said("Decision: {decision}, by {who}. {reason}", "Entscheidung: {decision}, von {who}. {reason}"),
    "override": Said(
        "Two people overruled the verdict “{verdict}”, which stays on record: {first} and {second}. Reason: {reason}",
        "Zwei Menschen überstimmten den Befund „{verdict}“, der daneben stehen bleibt: {first} und {second}. Grund: "
        "{reason}",
    ),
    "adopted": Said(
        "Regelkreis has taken this record into its loop as {action}. It measures: {metric}, {scope}. What people wrote "
        "here stays as it is; measured values are only filled in where nothing stands. Details and evidence: {url}",
        "Regelkreis hat diesen Datensatz als {action} in seinen Kreis aufgenommen. Gemessen wird: {metric}, {scope}. "
        "Was Menschen hier eintrugen, bleibt stehen; gemessene Werte kommen nur dorthin, wo nichts steht. Einzelheiten "
        "und Nachweise: {url}",
    ),
    "adopted unmeasured": Said(
        "Regelkreis has taken this record into its loop as {action}, but measures nothing for it: {why}. So nobody can "
        "say whether it improves anything. What people wrote here stays as it is. Details: {url}",
        "Regelkreis hat diesen Datensatz als {action} in seinen Kreis aufgenommen, misst dafür aber nichts: {why}. So "
        "kann niemand sagen, ob er etwas verbessert. Was Menschen hier eintrugen, bleibt stehen. Einzelheiten: {url}",
    ),
    "ask go-live": Said(
        "The tasks are done. Please tell us the day the change went live, so that its effect can be measured.",
        "Die Aufgaben sind erledigt. Bitte nennen Sie uns den Tag des Go-live, damit die Wirkung gemessen werden kann.",
    ),
    "ask approval": Said(
        "This platform keeps no approval of its own for this record. Plan version {version} waits for an approver: "
        "{url}",
        "Diese Plattform führt für diesen Datensatz keine eigene Genehmigung. Planversion {version} wartet auf einen "
        "Genehmiger: {url}",
    ),
    "diverged": Said(
        "Regelkreis could not follow this change. What is missing: {missing}.",
        "Regelkreis konnte dieser Änderung nicht folgen. Es fehlt: {missing}.",
    ),
    "effect gone": Said(
        "The effect of {action} is not there any more {weeks} weeks after it became the standard: {verdict}. The "
        "action stays closed; open a new one if it is worth another try.",
        "Die Wirkung von {action} ist {weeks} Wochen, nachdem sie zum Standard wurde, nicht mehr da: {verdict}. Die "
        "Maßnahme bleibt abgeschlossen; eröffnen Sie eine neue, wenn ein weiterer Versuch lohnt.",
    ),
    "closure": Said(
        "{action} is {state}. For the closure of this record Regelkreis proposes: {closure}. The verdict: {verdict}.",
        "{action}: {state}. Für den Abschluss dieses Datensatzes schlägt Regelkreis vor: {closure}. Der Befund: "
        "{verdict}.",
    ),
    "closure of people": Said(
        "{action} is {state}. Regelkreis proposes no closure code for this record: {why}.",
        "{action}: {state}. Regelkreis schlägt für diesen Datensatz keinen Abschlusscode vor: {why}.",
    ),
    "not brought about": Said(
        "the verdict is “{verdict}”, so nobody can say that the action brought it about",
        "der Befund ist „{verdict}“, also kann niemand sagen, dass die Maßnahme es bewirkte",
    ),
    "overruled": Said(
        "two people overruled the verdict “{verdict}”", "zwei Menschen überstimmten den Befund „{verdict}“"
    ),
    "no verdict": Said("none", "keiner"),
    "close notes": Said("{action}, verdict: {verdict}. {url}", "{action}, Befund: {verdict}. {url}"),
    "to owner": Said("{owner}: {note}", "{owner}: {note}"),
    "what": Said("{metric} for {scope}.", "{metric}: {scope}."),
    "why": Said(
        "Measured from {begin} to {end}: {value} against a target of {target} on {n} records (rule {rule}).",
        "Gemessen von {begin} bis {end}: {value} bei einem Ziel von {target}, aus {n} Datensätzen (Regel {rule}).",
    ),
    "endangers": Said("It endangers what was promised to {scopes}.", "Sie gefährdet, was zugesagt ist für: {scopes}."),
    "where": Said("Details and evidence: {url}", "Einzelheiten und Nachweise: {url}"),
}


def note(name: str, **filled: object) -> str:
    """A note's text; ``filled`` are its blanks."""
    return NOTES[name].in_(_language()).format(**filled).strip()


def verdict(name: str) -> str:
    """A verdict in the installation's language."""
    return VERDICT_WORDS[name].in_(_language()) if name in VERDICT_WORDS else name


def state(name: str) -> str:
    """A state in the installation's language."""
    return STATE_WORDS[name].in_(_language())


def decision(name: str) -> str:
    """A decision in the installation's language."""
    return DECISION_WORDS[name].in_(_language())


def reasons_of(text: str) -> str:
    """A guard's reasons in the installation's language."""
    with override(_language()):
        return reasons.translated(text)


def metric(name: str) -> str:
    """A metric's title in the installation's language."""
    with override(_language()):
        return words.said(words.METRICS, name)


def figures(text: str) -> str:
    """A value with its unit, as the installation's language writes it."""
    return in_german(text) if _language().startswith("de") else text


def _language() -> str:
    return str(settings.REGELKREIS.language)
