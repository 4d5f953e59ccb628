"""Every type of entry that the ledger knows: who causes it and what it says.

``docs/reference/ledger-entries.md`` is written from this table. A type that is not here does not pass the type
checker, and a test holds the table against the source.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, get_args

EntryType = Literal[
    "action.accepted",
    "action.adopted",
    "action.agrees",
    "action.close_code",
    "action.comment",
    "action.diverged",
    "action.due",
    "action.edited",
    "action.evidence",
    "action.late",
    "action.measured",
    "action.opened",
    "action.owner",
    "action.planned",
    "action.served",
    "action.set_there",
    "action.task",
    "action.task_changed",
    "action.transitioned",
    "action.unknown_owner",
    "approval.lapsed",
    "approval.waived",
    "change.marked",
    "change.taken_back",
    "check.looked",
    "connection.mapped",
    "connection.write",
    "cycle.opened",
    "delivery.discarded",
    "delivery.receipt",
    "delivery.refused",
    "delivery.replayed",
    "delivery.withdrawn",
    "finding.ended",
    "finding.fired",
    "finding.resolved",
    "golive.corrected",
    "golive.unapproved",
    "import.loaded",
    "import.withdrawn",
    "look.acknowledged",
    "minutes.ordered",
    "minutes.waiting",
    "override.proposed",
    "owner.told",
    "plan.drafted",
    "plan.frozen",
    "plan.reopened",
    "plan.windows_shifted",
    "points.restated",
    "pull.departed",
    "pull.loaded",
    "pull.rewound",
    "review.follow_up",
    "review.recorded",
    "rule.applied",
    "rule.removed",
    "secrets.rotated",
    "secrets.sealed",
    "targets.restated",
    "token.made",
    "untreated.counted",
    "user.added",
    "user.disabled",
    "user.enabled",
    "user.granted",
    "user.linked",
    "user.password",
    "user.revoked",
    "verdict.overridden",
]


class By(StrEnum):
    """Who causes an entry; its ``actor`` says it exactly."""

    ENGINE = "the engine"
    PEOPLE = "people"
    EITHER = "the engine or people"
    PLATFORM = "people on the platform"
    ADMIN = "administrators"


SAYS: dict[EntryType, tuple[By, str]] = {
    "pull.loaded": (
        By.ENGINE,
        "records were pulled: cursor from and to, their number and digest, how many were rejected, and the number of "
        "that write into the warehouse (0: nothing was new)",
    ),
    "pull.rewound": (
        By.ENGINE,
        "the warehouse was new, or older than what had been read into it: the cursor from and to where it goes back",
    ),
    "pull.departed": (
        By.ENGINE,
        "records are gone from the platform, or back, or were there and not here (then they were read by their ids): "
        "how many of each, how it was found what is gone, digests of the ids",
    ),
    "points.restated": (
        By.ENGINE,
        "later data, or another way of reading or counting them, say something else of published values: a version "
        "that counts what they are of, how many, their digest, the causes, and the open actions and published reviews "
        "of their scopes",
    ),
    "rule.applied": (
        By.EITHER,
        "a version of a rule is live from here on: its digest and mode; where a person applied it, who wrote it, the "
        "limits, and whether a second person was waived",
    ),
    "targets.restated": (
        By.EITHER,
        "a version of a rule dates a target before its own application: both versions, how many published values would "
        "have been held against another target, how many of them judged the other way, digest of them, of which "
        "weeks values were published by then, and the open actions and published reviews of their scopes",
    ),
    "untreated.counted": (
        By.PEOPLE,
        "a back-test of a live version of a rule counted what firings come to that nobody acts on: weeks, and by "
        "connection how many and their mean effect",
    ),
    "rule.removed": (
        By.EITHER,
        "a rule is live no more: its version, and from which week to which it was evaluated, by connection",
    ),
    "finding.fired": (
        By.ENGINE,
        "a rule fired: its version, series, weeks, value, target and the override that won, and digest and number of "
        "the rows and of the query",
    ),
    "finding.resolved": (By.ENGINE, "what fired is back within its target"),
    "finding.ended": (
        By.EITHER,
        "what fired is watched no more, because its rule was removed or counts something else: the last week of its "
        "values",
    ),
    "check.looked": (By.ENGINE, "a look was computed: verdict, reason, digests of plan, inputs and result"),
    "review.recorded": (
        By.ENGINE,
        "a review record was frozen: its kind and digest; also one that was missed, and addenda",
    ),
    "delivery.receipt": (
        By.ENGINE,
        "a write reached the platform: digest of the request, status, record, what differed when read back, and values "
        "of a Performance Analytics indicator that were replaced",
    ),
    "delivery.refused": (By.ENGINE, "the platform refused a write for good"),
    "delivery.withdrawn": (
        By.PEOPLE,
        "a proposal was cancelled before anybody accepted it, and this write of it will not be sent: its key",
    ),
    "owner.told": (By.ENGINE, "the effect of a closed action is gone, and its owner was told"),
    "action.evidence": (By.ENGINE, "a rule fired again while its action is open: digest and number of the rows"),
    "action.opened": (By.EITHER, "an action was opened: rule, scope, metric, trigger, owner"),
    "action.served": (
        By.ENGINE,
        "a supplier's action serves a customer-facing one that was opened with it or later: which",
    ),
    "action.transitioned": (
        By.EITHER,
        "an action moved, or was moved on the platform: event, states, cycle, go-live, verdict, whether it is late or"
        " overruled; reason and reference sealed",
    ),
    "plan.drafted": (By.EITHER, "a plan is up for approval: version and digest of the draft"),
    "plan.reopened": (By.EITHER, "a plan needs a new version: its go-live slipped, or its owner changes it"),
    "plan.windows_shifted": (By.EITHER, "the go-live is known: the windows as dates"),
    "action.late": (By.EITHER, "the yardstick was fixed on or after the day it went live"),
    "golive.unapproved": (By.EITHER, "it went live before its plan was approved"),
    "approval.lapsed": (By.PLATFORM, "an approval lapsed unanswered; it is asked for again"),
    "action.accepted": (By.PEOPLE, "a proposal was accepted: from here on it is written to the platform"),
    "action.adopted": (
        By.PEOPLE,
        "a record that people made was taken into the loop: its id and number there, when it was opened there, its "
        "state; its title and the values that stood in it sealed; why nothing is measured, if so",
    ),
    "action.measured": (By.PEOPLE, "an adopted record without a metric got one: metric, scope, trigger window"),
    "action.planned": (By.PEOPLE, "a plan was filled in: goal, minimum effect, planned go-live; hypothesis sealed"),
    "plan.frozen": (By.PEOPLE, "a plan was approved: version, digest, when, source of the approval, owner"),
    "approval.waived": (By.PEOPLE, "the owner approved their own plan, which the installation allows"),
    "golive.corrected": (By.PEOPLE, "a wrong go-live day was corrected: from, to, and whether it is late now"),
    "cycle.opened": (By.PEOPLE, "an action was adjusted and begins its next cycle"),
    "look.acknowledged": (By.PEOPLE, "the owner has seen a sustaining look"),
    "review.follow_up": (By.PEOPLE, "something is to be done after a review, or was done"),
    "override.proposed": (By.PEOPLE, "the first of two people overrules a verdict; the reason sealed"),
    "verdict.overridden": (By.PEOPLE, "the second agreed: both people, and the verdict that stays beside it"),
    "change.marked": (By.PEOPLE, "another change may have moved the figures: number, day, for whom"),
    "change.taken_back": (By.PEOPLE, "such a mark was taken back by whoever made it"),
    "action.task": (By.PEOPLE, "a task was queued for the platform; its title sealed"),
    "action.owner": (By.PLATFORM, "the owner changed, there or here; empty: taken away"),
    "action.unknown_owner": (
        By.PLATFORM,
        "the owner named there is nobody we know, or is known now; the account sealed",
    ),
    "action.due": (By.PLATFORM, "the due date changed there; empty: taken away"),
    "action.edited": (
        By.PLATFORM,
        "title, hypothesis or service was edited there: which; the text before and after sealed. Title and hypothesis "
        "are ours from then on, what is measured stays",
    ),
    "action.set_there": (
        By.PLATFORM,
        "priority, approver group, strategies or progress was set there: which, and priority and progress to what; "
        "other values sealed",
    ),
    "action.task_changed": (By.PLATFORM, "a task is new, changed, done, reopened or gone; its title sealed"),
    "action.comment": (By.PLATFORM, "somebody wrote a comment; the text sealed"),
    "action.close_code": (By.PLATFORM, "how the record was closed there, and whether that claims success"),
    "action.diverged": (By.PLATFORM, "a change there that a guard forbids; what is missing sealed"),
    "action.agrees": (By.PLATFORM, "both sides agree again"),
    "delivery.discarded": (By.ADMIN, "a write is given up, and what waited for it: its key, and why, sealed"),
    "delivery.replayed": (By.ADMIN, "a dead letter is sent again: its key, and what was mended, sealed"),
    "connection.write": (
        By.ADMIN,
        "writing to a platform was switched on or off; `second_person`: *waived* where whoever switched it on wrote "
        "rules that write through it, *unknown* where files made rules live and nobody said who wrote them",
    ),
    "connection.mapped": (By.ADMIN, "a proposed mapping was taken over: its digest"),
    "minutes.ordered": (
        By.ADMIN,
        "the minutes over a goal are attributed in another order from here on: its version, and the parties",
    ),
    "minutes.waiting": (
        By.ADMIN,
        "what a platform calls waiting for the customer, from here on: version, and the names of statuses or reasons",
    ),
    "import.loaded": (By.ADMIN, "a file was imported: its digest, and how many records"),
    "import.withdrawn": (By.ADMIN, "an imported file was withdrawn"),
    "secrets.rotated": (By.ADMIN, "the key that seals tokens was replaced, and what it had sealed sealed anew"),
    "secrets.sealed": (By.ADMIN, "files with secrets were sealed: their names"),
    "user.added": (By.ADMIN, "a user was added"),
    "user.granted": (By.ADMIN, "a role was given, with its limits"),
    "user.revoked": (By.ADMIN, "a role was taken away"),
    "user.linked": (By.ADMIN, "a platform's account is this user; the account sealed"),
    "user.password": (By.ADMIN, "a user's password for the site was set or changed; nothing of it is in the log"),
    "user.disabled": (By.ADMIN, "a user was shut out, and so many of their tokens revoked"),
    "user.enabled": (By.ADMIN, "a user was let in again; revoked tokens stay revoked"),
    "token.made": (By.ADMIN, "a personal token was made; its label sealed"),
}

INTRODUCTION = """# Ledger entries

<!-- written by `python -m improvement.evidence.entries`; edit improvement/evidence/entries.py, not this page -->

Every type of entry in the [ledger](../explanation/ledger-and-evidence.md). An entry is canonical JSON (RFC 8785) with
`schema`, `type`, `at` (UTC), `actor`, `subject` and `payload`. The actor is a person's pseudonymous id, `engine`, or
`platform` where the platform does not say who. *Sealed*: the payload holds a salted SHA-256 of the text.

| type | caused by | what it says |
|---|---|---|
"""


def page() -> str:
    """The reference page, as it stands in the repository."""
    order = list(By)
    lines = sorted((order.index(by), kind, says) for kind, (by, says) in SAYS.items())
    return INTRODUCTION + "".join(f"| `{kind}` | {order[number]} | {says} |\n" for number, kind, says in lines)


def every_type() -> frozenset[str]:
    """All types there are."""
    return frozenset(get_args(EntryType))


if __name__ == "__main__":
    print(page(), end="")
