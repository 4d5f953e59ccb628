"""Which firing findings become actions in this cycle, and why the others wait. Pure: the step brings the facts.

The noise budget: at most ``budget`` open actions per owner and ``max_new`` new ones per cycle, the largest first.
Many scopes of one rule on the same parent become one proposal for the parent.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from improvement import weeks
from improvement.plurals import how_many, plural
from improvement.rules.rule import Mode, Rule
from improvement.rules.scope import Scope

PARENTS = ("customer", "service", "supplier")
NOBODY = ""  # the budget of actions without an owner
OwnerOf = Callable[[str, Scope, str], str | None]  # connection, scope, the rule's owner → who would own the action


@dataclass(frozen=True, slots=True)
class Candidate:
    """A firing finding without an open action. ``size`` is how far beyond the target it lies (:class:`Point`)."""

    rule: Rule
    connection: str
    scope: Scope
    week: int
    size: float
    n: int
    is_first_evaluation: bool = False  # of the rule on this connection, over back-filled history
    has_open_action: bool = False
    closed_week: int | None = None  # in which the last action on this rule and scope was closed


@dataclass(frozen=True, slots=True)
class Proposal:
    """One action to open: a scope, or a parent with the scopes it stands for (largest first).

    ``owner`` is whose the action would be, by rights on all of its scope; of what may not open yet nobody is asked.
    """

    rule: Rule
    connection: str
    scope: Scope
    members: tuple[Candidate, ...]
    owner: str | None = None

    @property
    def is_group(self) -> bool:
        """Whether it stands for several scopes."""
        return len(self.members) > 1

    @property
    def size(self) -> float:
        """The size of its largest scope."""
        return self.members[0].size


@dataclass(frozen=True, slots=True)
class Waiting:
    """A firing finding that opens nothing now, and why, in words."""

    proposal: Proposal
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What to open, and what waits; both largest first."""

    opened: tuple[Proposal, ...]
    queued: tuple[Waiting, ...]


def choose(
    candidates: Sequence[Candidate],
    *,
    owner_of: OwnerOf,
    open_per_owner: Mapping[str | None, int],
    budget: int,
    max_new: int,
) -> Choice:
    """Split the candidates of one cycle into actions to open and a queue.

    The order of the candidates does not matter. Rules in mode *observe* and findings whose action is open are neither.
    """
    opened: list[Proposal] = []
    queued: list[Waiting] = []
    able: list[Candidate] = []
    for candidate in candidates:
        if candidate.rule.mode is Mode.OBSERVE or candidate.has_open_action:
            continue
        reason = not_now(candidate)
        if reason is None:
            able.append(candidate)
        else:
            queued.append(Waiting(_single(candidate), reason))
    load = Counter({owner or NOBODY: number for owner, number in open_per_owner.items()})
    for ownerless in sorted(_grouped(able), key=rank):
        named = owner_of(ownerless.connection, ownerless.scope, ownerless.rule.owner)
        proposal, owner = replace(ownerless, owner=named), named or NOBODY
        if load[owner] >= budget:
            queued.append(
                Waiting(proposal, f"{_whose(proposal)} {how_many(load[owner], 'open action')}; the budget is {budget}")
            )
        elif len(opened) >= max_new:
            queued.append(
                Waiting(
                    proposal, f"{how_many(max_new, 'new action')} in this cycle {plural(max_new, 'is', 'are')} enough"
                )
            )
        else:
            load[owner] += 1
            opened.append(proposal)
    return Choice(tuple(opened), tuple(sorted(queued, key=lambda waiting: rank(waiting.proposal))))


def _whose(proposal: Proposal) -> str:
    """Whose budget is spent."""
    if proposal.owner:
        return f"{proposal.owner} has"
    why = f"{unowned(proposal)}; " if proposal.is_group else ""
    return f"{why}actions without an owner:"


def unowned(proposal: Proposal) -> str:
    """Why a group has no owner, in words: who owns one of its scopes may lack the rights on their parent."""
    return f"no one person's rights fit all of {proposal.scope.key}, so it has no owner"


def not_now(candidate: Candidate) -> str | None:
    """Why a finding may not open an action yet whatever the budget; None when it may."""
    if candidate.is_first_evaluation:
        return "first evaluation over back-filled history: what still fires at the next one opens then"
    if candidate.closed_week is not None:
        until = candidate.closed_week + candidate.rule.cooldown_weeks
        if candidate.week <= until:
            return f"cooling down until {weeks.label(until)} after the last action"
    return None


def rank(proposal: Proposal) -> tuple[float, int, str, str, str]:
    """Largest first; then the most samples, rule, connection and scope, so that the order is always the same."""
    n = sum(member.n for member in proposal.members)
    return (-proposal.size, -n, proposal.rule.id, proposal.connection, proposal.scope.key)


def size_of(value: float | None, target: float | None) -> float:
    """How far a value lies from its target, as a share of the target; of the value where the target is 0."""
    if value is None or target is None or value == target:
        return 0.0
    return abs(value - target) / abs(target or value)


def priority(rule: Rule, scope: Scope, size: float) -> tuple[int, int]:
    """(impact, urgency), 1 high … 3 low: impact by how wide the scope is, urgency by how far beyond the target.

    ``size`` is the distance as a share of the target.
    """
    wide = {0: 1, 1: 1, 2: 2}.get(len(scope.items), 2 if "service" not in rule.by else 3)
    urgent = 1 if size >= 1.0 else 2 if size >= 0.25 else 3
    return rule.action.impact or wide, rule.action.urgency or urgent


def _single(candidate: Candidate) -> Proposal:
    return Proposal(candidate.rule, candidate.connection, candidate.scope, (candidate,))


def _grouped(candidates: Sequence[Candidate]) -> list[Proposal]:
    """More than ``group_above`` scopes of one rule on one parent become one proposal, the largest group first."""
    of_rule: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        of_rule[candidate.rule.id, candidate.connection].append(candidate)
    proposals: list[Proposal] = []
    for _, together in sorted(of_rule.items()):
        rest = sorted(together, key=lambda candidate: rank(_single(candidate)))
        while (group := _largest_group(rest)) is not None:
            name, value = group
            members = tuple(candidate for candidate in rest if candidate.scope.get(name) == value)
            proposals.append(Proposal(members[0].rule, members[0].connection, Scope.of({name: value}), members))
            rest = [candidate for candidate in rest if candidate.scope.get(name) != value]
        proposals += [_single(candidate) for candidate in rest]
    return proposals


def _largest_group(candidates: list[Candidate]) -> tuple[str, str] | None:
    """The parent most of these scopes share, if they are more than the rule's limit."""
    if not candidates or len(candidates[0].rule.by) < 2:
        return None
    shared = Counter(
        (name, value) for candidate in candidates for name, value in candidate.scope.items if name in PARENTS
    )
    above = candidates[0].rule.limits.group_above
    groups = [(-number, PARENTS.index(name), value, name) for (name, value), number in shared.items() if number > above]
    if not groups:
        return None
    _, _, value, name = min(groups)
    return name, value
