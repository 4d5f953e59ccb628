"""A Jira site: issues made from the world as its clock goes on, and changed by people through the API."""

from __future__ import annotations

import bisect
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from connectors.sandbox.jira import catalogue, tickets
from connectors.sandbox.jira.accounts import Account, Directory
from connectors.sandbox.jira.addresses import whole
from connectors.sandbox.jira.administration.groups import Groups
from connectors.sandbox.jira.administration.projects import ADMIN_GROUP, ADMINISTRATORS, Actors, Projects
from connectors.sandbox.jira.administration.schemes import first_documents
from connectors.sandbox.jira.administration.screens import Screens
from connectors.sandbox.jira.administration.settings import Settings
from connectors.sandbox.jira.agile.planning import Planning
from connectors.sandbox.jira.catalogue import Field, Flavour, IssueType, Project
from connectors.sandbox.jira.desk.service import ServiceOffice
from connectors.sandbox.jira.model import NUMBER_BITS, AuditRecord, Issue
from connectors.sandbox.jira.options import Options
from connectors.sandbox.jira.quirks import Quirks
from connectors.sandbox.jira.tickets import agents_of, apply, has_clock_after
from connectors.sandbox.world import World, WorldContact, WorldTicket

FIRST_ISSUE_ID = 10_000
_NUMBER_MASK = (1 << NUMBER_BITS) - 1
_RANK_MASK = (1 << 28 - NUMBER_BITS) - 1


class Site:
    """All issues of one site, with indexes for what searches ask most: update time, key, label.

    ``now`` is the sandbox clock in epoch seconds; :meth:`advance` moves it forward.
    """

    def __init__(self, world: World, *, flavour: Flavour, accounts: Iterable[Account], now: int) -> None:
        self.flavour = flavour
        self.world = world
        self.now = world.start
        self.directory = Directory([*agents_of(world), *accounts], flavour)
        self.options = Options(world)
        self.projects = Projects()
        self.screens = Screens()
        self.groups = Groups(self.directory)
        self.settings = Settings()
        self.sessions: dict[str, str] = {}  # token of a cookie → first user name
        self.types = {kind.id: kind for kind in catalogue.ISSUE_TYPES}
        self.link_types = dict(catalogue.LINK_TYPES)
        self.fields = dict(catalogue.FIELD_BY_ID)
        self.user_properties: dict[str, dict[str, Any]] = {}
        self.preferences: dict[str, dict[str, str]] = {}
        self.audit: list[AuditRecord] = []
        self.deleted_worklogs: list[tuple[int, int]] = []  # id, when
        self.kept_texts: list[Callable[[], None]] = []  # forget what is kept of names that changed
        self.archived: set[int] = set()  # issues archived by themselves
        self.unlisted: set[int] = set()  # issues that no search finds: archived, by themselves or with their project
        self.version = 0
        self.quirks = Quirks()
        self._lagging: dict[int, tuple[int, Issue | None]] = {}  # id → so many searches still see this of it
        self.ids = itertools.count(20_000_000)  # comments, attachments, links, histories
        self.planning = Planning()
        self.service = ServiceOffice()
        self.project_ids = itertools.count(10_100)
        self.type_ids = itertools.count(10_200)
        self.field_ids = itertools.count(10_100)
        self.shelf: dict[str, dict[str, dict[str, Any]]] = {
            "version": {},
            "component": {},
            "category": {},
            **first_documents(),
        }
        self.roles = {id: {"name": name, "description": ""} for id, name in catalogue.ROLES.items()}
        self.default_actors = {ADMINISTRATORS: Actors(groups=[ADMIN_GROUP])}
        self.by_label: dict[str, set[int]] = {}
        self.by_type: dict[str, set[int]] = {}
        self._issues: dict[int, Issue] = {}
        self._numbered: dict[int, list[Issue | None]] = {project.rank: [None] for project in catalogue.PROJECTS}
        self._ops = catalogue.OPS  # where the world's tickets appear
        self._takes_tickets = True
        self._binned: dict[str, list[Issue]] = {}  # the issues of projects in the bin
        self._further_clauses: dict[str, Field] = {}
        self._next_id = itertools.count(FIRST_ISSUE_ID)
        self._ordered: list[int] = []
        self._births: list[tuple[int, int, int, WorldTicket | WorldContact]] = sorted(
            itertools.chain(
                (
                    (ticket.events[0].at if ticket.events else ticket.opened, 0, ticket.uid, ticket)
                    for ticket in world.tickets
                ),
                ((contact.at, 1, contact.uid, contact) for contact in world.contacts),
            ),
            key=lambda birth: birth[:3],
        )
        self._born = 0
        self._pending: list[tuple[int, int, Issue]] = []
        self._on_the_clock: dict[int, Issue] = {}  # issues with a clock that may still run
        self._answers = sorted(
            (ticket.survey.answered, ticket.uid)
            for ticket in world.tickets
            if ticket.survey is not None and ticket.survey.answered is not None
        )
        self._of_ticket: dict[int, Issue] = {}
        self._moved: dict[tuple[int, int], Issue] = {}  # former rank and number → issue
        self.advance(now)

    # --- finding ----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._issues)

    def issue(self, id_or_key: str) -> Issue | None:
        """The issue of this id or key."""
        if id_or_key.isdecimal():
            return self.by_id(whole(id_or_key))
        project_key, _, digits = id_or_key.upper().rpartition("-")
        project = self.projects.named(project_key) if not project_key.isdecimal() else None
        number = whole(digits)
        if project is None or number is None:
            return None
        numbered = self._numbered[project.rank]
        if number >= len(numbered):
            return None
        found = numbered[number] or self._moved.get((project.rank, number))
        return found if found is not None and found.id in self._issues else None

    def create_screen(self, project: Project) -> tuple[str, ...]:
        """The ids of the fields that may be set at create, required ones first."""
        lacking = self.quirks.lacking("create")
        return tuple(id for id in self.screens.fields_of(project) if id not in lacking)

    def edit_screen(self, project: Project) -> frozenset[str]:
        """The ids of the fields that may be changed afterwards."""
        return self.screens.editable(project) - self.quirks.lacking("edit")

    def by_id(self, id: int | None) -> Issue | None:
        """The issue of this id; None is nobody's."""
        return self._issues.get(id) if id is not None else None

    def subtasks(self, issue: Issue) -> list[Issue]:
        """The sub-tasks of an issue."""
        return self.known(issue.extras.subtasks if issue.extras is not None else ())

    def known(self, ids: Iterable[int]) -> list[Issue]:
        """The issues of these ids that are still there."""
        return [found for id in ids if (found := self.by_id(id)) is not None]

    def ordered(self, since: int | None = None, before: int | None = None) -> list[Issue]:
        """Issues by (updated, key), updated in ``[since, before)`` epoch seconds."""
        first = bisect.bisect_left(self._ordered, since << 28) if since is not None else 0
        last = bisect.bisect_left(self._ordered, before << 28) if before is not None else len(self._ordered)
        numbered = self._numbered
        return [
            issue
            for order in self._ordered[first:last]
            if (issue := numbered[(order >> NUMBER_BITS) & _RANK_MASK][order & _NUMBER_MASK]) is not None
        ]

    def on_the_clock(self) -> list[Issue]:
        """Issues of which some clock has not stopped, in no order."""
        self._on_the_clock = {
            id: issue
            for id, issue in self._on_the_clock.items()
            if id in self._issues and has_clock_after(issue, self.now)
        }
        return list(self._on_the_clock.values())

    def answered(self, since: int, before: int) -> list[Issue]:
        """Issues whose customer answered in ``[since, before)`` and until now, or through the API, in no order."""
        first = bisect.bisect_left(self._answers, (since, 0))
        last = bisect.bisect_left(self._answers, (min(before, self.now + 1), 0))
        found = {issue.id: issue for _, uid in self._answers[first:last] if (issue := self._of_ticket.get(uid))}
        found |= {issue.id: issue for rated in self.service.rated if (issue := self._issues.get(rated))}
        return [issue for id, issue in found.items() if id in self._issues]

    # --- time -------------------------------------------------------------------------------------------------

    def advance(self, now: int) -> int:
        """Move the clock to ``now`` (never back) and show what happened; return how many issues changed."""
        if now < self.now:
            return 0
        self.now = now
        outdated: set[int] = set()
        changed: dict[int, Issue] = {}
        while self._pending and self._pending[0][0] <= now:
            _, _, issue = heapq.heappop(self._pending)
            if issue.id not in changed:
                outdated.add(issue.order)
                changed[issue.id] = issue
            self._catch_up(issue)
        for issue in self._deliver_births():
            changed[issue.id] = issue
        if changed:
            fresh = sorted(issue.order for issue in changed.values() if issue.id not in self.unlisted)
            # Only the young end is put in order again: what changes is rarely old.
            first = bisect.bisect_left(self._ordered, min(outdated | set(fresh[:1])))
            self._ordered[first:] = sorted([*(o for o in self._ordered[first:] if o not in outdated), *fresh])
            self.version += 1
        return len(changed)

    def _deliver_births(self) -> Iterator[Issue]:
        while self._born < len(self._births) and self._births[self._born][0] <= self.now:
            fact = self._births[self._born][3]
            self._born += 1
            if not self._takes_tickets:
                continue
            issue = self._born_of(fact)
            self._enter(issue)
            if issue.ticket is not None:
                self._of_ticket[issue.ticket.uid] = issue
                if has_clock_after(issue, self.now):
                    self._on_the_clock[issue.id] = issue
                self._catch_up(issue)
            yield issue

    def _born_of(self, fact: WorldTicket | WorldContact) -> Issue:
        id, number = next(self._next_id), len(self._numbered[self._ops.rank])
        if isinstance(fact, WorldTicket):
            kind = self.types[catalogue.TYPE_OF_KIND[fact.kind].id]
            return tickets.issue_of_ticket(fact, self._ops, kind, id, number)
        return tickets.issue_of_contact(fact, self._ops, self.types[catalogue.CONTACT.id], id, number)

    def _enter(self, issue: Issue) -> None:
        self._issues[issue.id] = issue
        self.by_type.setdefault(issue.type.id, set()).add(issue.id)
        self._numbered[issue.project.rank].append(issue)

    def _catch_up(self, issue: Issue) -> None:
        """Show every event of the issue's ticket that the clock has reached, and wait for the next one."""
        assert issue.ticket is not None
        events = issue.ticket.events
        index = issue.applied
        while index < len(events) and events[index].at <= self.now:
            apply(issue, events[index], issue.ticket)
            index += 1
        issue.applied = index
        if index < len(events):
            heapq.heappush(self._pending, (events[index].at, issue.id, issue))

    # --- changes through the API ------------------------------------------------------------------------------

    def new_issue(self, project: Project, type_id: str, *, author: Account) -> Issue:
        """A new issue in the project's first status, not yet visible to searches: see :meth:`publish`."""
        issue_type = next(kind for kind in project.types if kind.id == type_id)
        issue = Issue(
            id=next(self._next_id),
            project=project,
            number=len(self._numbered[project.rank]),
            type=issue_type,
            summary="",
            status=project.start,
            created=self.now,
            updated=self.now,
            reporter=author.name,
        )
        self._enter(issue)
        return issue

    def publish(self, issue: Issue) -> None:
        """Add a new issue to the indexes."""
        bisect.insort(self._ordered, issue.order)
        for label in issue.labels:
            self.by_label.setdefault(label, set()).add(issue.id)
        if self.quirks.index_lag:
            self._lagging[issue.id] = self.quirks.index_lag, None
        self.version += 1

    def leave_indexed(self, issue: Issue) -> None:
        """Somebody is about to change or delete an issue: where the index lags, searches go on seeing it as it is."""
        if self.quirks.index_lag and issue.id not in self._lagging:
            self._lagging[issue.id] = self.quirks.index_lag, issue.as_it_is()

    def lagging(self, reconciled: frozenset[int]) -> Mapping[int, Issue | None]:
        """The issues of which this search sees something else, because the index lags behind writes: None, nothing."""
        if not self._lagging:
            return {}
        seen = {id: shown for id, (_, shown) in self._lagging.items() if id not in reconciled}
        self._lagging = {id: (left - 1, shown) for id, (left, shown) in self._lagging.items() if left > 1}
        self.version += 1
        return seen

    def touch(self, issue: Issue) -> None:
        """Note that the issue changed now."""
        self._forget(issue.order)
        issue.updated = max(issue.updated, self.now)
        bisect.insort(self._ordered, issue.order)
        self.version += 1

    def relabel(self, issue: Issue, labels: tuple[str, ...]) -> None:
        """Replace an issue's labels."""
        for label in issue.labels:
            self.by_label.get(label, set()).discard(issue.id)
        issue.labels = labels
        for label in labels:
            self.by_label.setdefault(label, set()).add(issue.id)

    def move(self, issue: Issue, project: Project) -> None:
        """Give an issue a key of another project; its id stays, and its former key leads to it."""
        self._forget(issue.order)
        self._numbered[issue.project.rank][issue.number] = None
        self._moved[issue.project.rank, issue.number] = issue
        issue.project, issue.number = project, len(self._numbered[project.rank])
        self._enter(issue)
        issue.updated = max(issue.updated, self.now)
        bisect.insort(self._ordered, issue.order)
        self.version += 1

    def delete(self, issue: Issue) -> None:
        """Remove an issue for good; its key is never given again."""
        self.leave_indexed(issue)
        self._forget(issue.order)
        self.relabel(issue, ())
        self.unlisted.discard(issue.id)
        self.archived.discard(issue.id)
        del self._issues[issue.id]
        self.by_type[issue.type.id].discard(issue.id)
        self._moved = {key: moved for key, moved in self._moved.items() if moved is not issue}
        self._numbered[issue.project.rank][issue.number] = None
        self._pending = [entry for entry in self._pending if entry[2] is not issue]
        heapq.heapify(self._pending)
        self.version += 1

    # --- changes of administrators ----------------------------------------------------------------------------

    def note(self, author: Account, summary: str, category: str, about: str) -> None:
        """Keep in the audit log what an administrator did, and to what."""
        self.audit.append(AuditRecord(next(self.ids), author.name, self.now, summary, category, about))

    def renamed(self) -> None:
        """Somebody or something is called otherwise now: forget the texts that name them."""
        self.version += 1
        for forget in self.kept_texts:
            forget()

    def put_project(self, project: Project) -> None:
        """Add a project, or replace the one of its id; issues and their keys follow."""
        self.projects.put(project)
        for issue in self._numbered.setdefault(project.rank, [None]):
            if issue is not None:
                issue.project = project
        if project.id == self._ops.id:
            self._ops = project
        self.renamed()

    def put_type(self, kind: IssueType) -> None:
        """Add an issue type, or replace the one of its id."""
        self.types[kind.id] = kind
        for project in self.projects.everything():
            if any(one.id == kind.id for one in project.types):
                self.put_project(replace(project, types=tuple(self.types[one.id] for one in project.types)))
        for issue in self._issues.values():
            if issue.type.id == kind.id:
                issue.type = kind
        self.renamed()

    def retype(self, issue: Issue, kind: IssueType) -> None:
        """Give an issue another type."""
        self.by_type[issue.type.id].discard(issue.id)
        issue.type = kind
        self.by_type.setdefault(kind.id, set()).add(issue.id)
        self.touch(issue)

    def drop_project(self, project: Project, *, to_bin: bool) -> None:
        """Take a project away with its issues, for good or into the bin."""
        issues = self._binned.pop(project.id, None)
        if issues is None:
            issues = [issue for issue in self._numbered[project.rank] if issue is not None]
            self.list_issues(issues, is_listed=False)
        gone = {issue.id for issue in issues}
        for id in gone:
            self._issues.pop(id, None)
        if to_bin:
            self._binned[project.id] = issues
        else:
            self.unlisted -= gone
            self.archived -= gone
            self._numbered[project.rank] = [None]
            self._moved = {key: issue for key, issue in self._moved.items() if issue.id not in gone}
            self._pending = [entry for entry in self._pending if entry[1] not in gone]
            heapq.heapify(self._pending)
        self.projects.drop(project, to_bin=to_bin)
        self._takes_tickets &= project.id != self._ops.id
        self.renamed()

    def restore_project(self, project: Project) -> None:
        """Bring a project back from the bin or the archive."""
        issues = self._binned.pop(project.id, None)
        if issues is not None:
            self._issues.update((issue.id, issue) for issue in issues)
            for issue in issues:
                issue.type = self.types.get(issue.type.id, issue.type)
            del self.projects.bin[project.id]
        self.projects.archived.pop(project.id, None)
        self.put_project(project)
        self.list_issues((one for one in self._numbered[project.rank] if one is not None), is_listed=True)
        self._takes_tickets |= project.id == self._ops.id

    def archive_project(self, project: Project) -> None:
        """Nothing of it is found or changed any more."""
        self.projects.archived[project.id] = self.now
        self.list_issues((one for one in self._numbered[project.rank] if one is not None), is_listed=False)
        self._takes_tickets &= project.id != self._ops.id

    def list_issues(self, issues: Iterable[Issue], *, is_listed: bool) -> None:
        """Let searches find these issues, or not; those archived by themselves stay so."""
        meant = {issue.id: issue for issue in issues if (issue.id in self.unlisted) is is_listed}
        if is_listed:
            meant = {id: issue for id, issue in meant.items() if id not in self.archived}
            self.unlisted -= meant.keys()
            self._ordered = sorted([*self._ordered, *(issue.order for issue in meant.values())])
        else:
            self.unlisted |= meant.keys()
            orders = {issue.order for issue in meant.values()}
            self._ordered = [order for order in self._ordered if order not in orders]
        for id, issue in meant.items():
            known = self.by_type.setdefault(issue.type.id, set())
            (known.add if is_listed else known.discard)(id)
        self.version += 1

    def put_field(self, field: Field) -> None:
        """Add a custom field, or replace the one of its id."""
        self.drop_field(field.id)
        self.fields[field.id] = field
        for name in (field.id, field.name, f"cf[{field.id.removeprefix('customfield_')}]"):
            self._further_clauses[name.lower()] = field
        self.renamed()

    def drop_field(self, id: str) -> None:
        """Take a custom field away."""
        self.fields.pop(id, None)
        self._further_clauses = {name: field for name, field in self._further_clauses.items() if field.id != id}
        self.renamed()

    def further_clause(self, name: str) -> Field | None:
        """The custom field that was added since and goes by this name in queries, in lower case."""
        return self._further_clauses.get(name)

    def _forget(self, order: int) -> None:
        index = bisect.bisect_left(self._ordered, order)
        if index < len(self._ordered) and self._ordered[index] == order:
            del self._ordered[index]
