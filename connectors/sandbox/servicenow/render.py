"""From the world to rows: which records exist at an instant, and what they say then.

Everything is a function of the world and the clock: a ticket is rendered anew whenever the clock has passed one of
its instants, and each row carries the last of its own instants as ``sys_updated_on``. Fields that somebody changed
through the API stay as that person left them until the world changes the record's state again.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from connectors.sandbox.servicenow.audit import AUDIT, TaskAudit
from connectors.sandbox.servicenow.business import ALWAYS, schedule_of
from connectors.sandbox.servicenow.instance import Instance, sys_id_of
from connectors.sandbox.servicenow.masterdata import MasterData
from connectors.sandbox.servicenow.metrics import DEFINITIONS, MEASURED, FieldMetrics
from connectors.sandbox.servicenow.moments import stored
from connectors.sandbox.servicenow.render_recommendation import Recommendations
from connectors.sandbox.servicenow.render_sla import SlaClock, SlaRows, hold_times
from connectors.sandbox.servicenow.render_task import TABLE_OF_KIND, task_values
from connectors.sandbox.servicenow.tables_csm import TABLE_OF_GRIEVANCE
from connectors.sandbox.store import Row
from connectors.sandbox.world import World, WorldContact, WorldOutage, WorldTicket

CONTACT_TYPES = {"call": "phone", "mail": "email", "chat": "chat", "visit": "walkup", "review": "review"}
BEFORE_ALL = -1


class Renderer:
    """Shows a world through an instance's tables, instant by instant."""

    def __init__(self, instance: Instance, world: World, master: MasterData) -> None:
        self.instance = instance
        self.master = master
        self._clocks = SlaRows(instance, master)
        self._audit = TaskAudit(instance)
        metrics = FieldMetrics(instance, self._audit)
        instance.asked |= {AUDIT: self._audit.write, DEFINITIONS: metrics.define, MEASURED: metrics.write}
        self._tickets: list[WorldTicket | None] = [*sorted(world.tickets, key=lambda t: (t.events[0].at, t.uid))]
        world.tickets = []  # ours now: rows take their place, and both together would be too much
        self._born = 0
        self._contacts = sorted(world.contacts, key=lambda contact: contact.at)
        self._told = 0
        self._recommendations = Recommendations(instance, master, world.recommendations)
        self._outages = list(world.outages)
        self._alive: list[tuple[int, int, _LiveTicket]] = []
        self._then = BEFORE_ALL

    def advance(self, now: int) -> None:
        """Show everything until ``now`` (epoch seconds)."""
        if now <= self._then:
            return
        self._age_tickets(now)
        self._bear_tickets(now)
        while self._told < len(self._contacts) and self._contacts[self._told].at <= now:
            self._contact(self._contacts[self._told])
            self._told += 1
        self._recommendations.advance(now)
        for outage in self._outages:
            self._outage(outage, now)
        self._outages = [outage for outage in self._outages if outage.end is None or outage.end > now]
        self._then = now

    def _bear_tickets(self, now: int) -> None:
        tickets = self._tickets
        while self._born < len(tickets):
            ticket = tickets[self._born]
            if ticket is None or ticket.events[0].at > now:
                return
            tickets[self._born] = None  # over sooner or later; only the living are kept
            self._born += 1
            number = ticket.number or self.instance.next_number(TABLE_OF_KIND[ticket.kind])
            live = _LiveTicket(ticket, number, self.instance.config.sla_schedules)
            self._audit.remember(live.table, live.sys_id, ticket.events, ticket.caller)
            self._show(live, BEFORE_ALL, now)

    def _age_tickets(self, now: int) -> None:
        while self._alive and self._alive[0][0] <= now:
            _, _, live = heapq.heappop(self._alive)
            self._show(live, self._then, now)

    def _show(self, live: _LiveTicket, then: int, now: int) -> None:
        following = live.show(self.instance, self.master, self._clocks, then, now)
        if following is not None:
            heapq.heappush(self._alive, (following, live.ticket.uid, live))

    def _contact(self, contact: WorldContact) -> None:
        master, at = self.master, stored(contact.at)
        if contact.kind in TABLE_OF_GRIEVANCE:
            self._grievance(contact)
            return
        self.instance.insert(
            "interaction",
            {
                "type": CONTACT_TYPES[contact.kind],
                "channel": CONTACT_TYPES[contact.kind],
                "state": "closed_complete",
                "short_description": f"{contact.kind.capitalize()} with {contact.customer}",
                "company": master.company(contact.customer),
                "location": master.location(None, contact.country),
                "business_service": master.service(contact.service),
                "opened_at": at,
                "closed_at": at,
            },
            sys_id=sys_id_of("interaction", str(contact.uid)),
            at=at,
        )

    def _grievance(self, contact: WorldContact) -> None:
        table, at = TABLE_OF_GRIEVANCE[contact.kind], stored(contact.at)
        values = {
            "short_description": f"{contact.kind.capitalize()} by {contact.customer}",
            "account": self.master.company(contact.customer),
            "location": self.master.location(None, contact.country),
            "opened_at": at,
        }
        self.instance.insert(table, values, sys_id=sys_id_of(table, str(contact.uid)), at=at)

    def _outage(self, outage: WorldOutage, now: int) -> None:
        if outage.begin > now:
            return
        master, table = self.master, self.instance.tables["cmdb_ci_outage"]
        sys_id = sys_id_of("cmdb_ci_outage", str(outage.uid))
        row = table.rows.get(sys_id)
        if row is None:
            row = self.instance.insert(
                "cmdb_ci_outage",
                {
                    "cmdb_ci": master.service(outage.service),
                    "type": outage.kind,
                    "begin": stored(outage.begin),
                    "short_description": f"{outage.kind.capitalize()} of {outage.service}",
                    "company": master.company(outage.customer),
                    "location": master.location(None, outage.country),
                },
                sys_id=sys_id,
                at=stored(outage.begin),
            )
        if outage.end is not None and outage.end <= now:
            changes = {"end": stored(outage.end), "duration": stored(outage.end - outage.begin)}
            self.instance.update(table, row, changes, by="system", at=stored(outage.end))


class _LiveTicket:
    """A ticket that has begun and is not over, with the ids of its rows."""

    __slots__ = ("clocks", "instants", "number", "sys_id", "table", "ticket")

    def __init__(self, ticket: WorldTicket, number: str, schedules: Mapping[str, str]) -> None:
        self.ticket = ticket
        self.number = number
        self.table = TABLE_OF_KIND[ticket.kind]
        self.sys_id = sys_id_of(self.table, str(ticket.uid))
        holds = hold_times(ticket) if ticket.slas else ()
        self.clocks = [
            SlaClock(ticket, sla, self.sys_id, index, holds, schedule_of(sla.name, schedules) if schedules else ALWAYS)
            for index, sla in enumerate(ticket.slas)
        ]
        self.instants = self._instants()  # those still to come; all before the ticket was ever shown

    def show(self, instance: Instance, master: MasterData, rows: SlaRows, then: int, now: int) -> int | None:
        """Write the rows that changed after ``then`` until ``now``; answer the next instant of change, None: over."""
        ticket = self.ticket
        if then == BEFORE_ALL or any(then < event.at <= now for event in ticket.events):
            self._show_task(instance, master, now)
        for clock in self.clocks:
            if clock.changes(then, now):
                rows.show(clock, now)
        if ticket.survey is not None:
            self._show_survey(instance, master, then, now)
        self.instants = [at for at in self.instants if at > now]
        return min(self.instants, default=None)

    def _instants(self) -> list[int]:
        instants = [event.at for event in self.ticket.events]
        for clock in self.clocks:
            instants += clock.instants
        survey = self.ticket.survey
        if survey is not None:
            instants.append(survey.sent)
            if survey.answered is not None:
                instants.append(survey.answered)
        return instants

    def _show_task(self, instance: Instance, master: MasterData, now: int) -> None:
        updated, values = task_values(self.ticket, self.number, self.table, master, now)
        table = instance.tables[self.table]
        former = table.rows.get(self.sys_id)
        row = instance.row(self.table, self.sys_id, updated, values)
        if former is not None:
            _keep_what_people_wrote(table.position, former, row)
        table.put(row)
        if self.table == "sc_req_item" and former is None:
            self._show_request(instance, values)

    def _show_request(self, instance: Instance, values: dict[str, str]) -> None:
        kept = ("short_description", "company", "location", "opened_at", "opened_by", "priority", "sys_created_by")
        instance.insert(
            "sc_request",
            {name: values[name] for name in kept} | {"requested_for": values["requested_for"]},
            sys_id=sys_id_of("sc_request", str(self.ticket.uid)),
            at=values["sys_created_on"],
        )

    def _show_survey(self, instance: Instance, master: MasterData, then: int, now: int) -> None:
        ticket, survey = self.ticket, self.ticket.survey
        assert survey is not None
        table = instance.tables["asmt_assessment_instance"]
        sys_id = sys_id_of("asmt_assessment_instance", str(ticket.uid))
        caller = instance.users.get(ticket.caller, "")
        is_answered = survey.answered is not None and survey.answered <= now
        if then < survey.sent <= now:
            answer = {"state": "complete", "taken_on": stored(survey.answered or 0)} if is_answered else {}
            values = {
                "metric_type": master.survey_type,
                "user": caller,
                "state": "ready",
                "due_date": stored(survey.sent + 14 * 86400)[:10],
                "trigger_table": self.table,
                "trigger_id": self.sys_id,
                "task_id": self.sys_id,
                "sys_created_on": stored(survey.sent),
                **answer,
            }
            at = survey.answered if is_answered and survey.answered is not None else survey.sent
            instance.insert("asmt_assessment_instance", values, sys_id=sys_id, at=stored(at))
        elif is_answered and survey.answered is not None and then < survey.answered:
            answered = stored(survey.answered)
            row = table.rows[sys_id]
            instance.update(table, row, {"state": "complete", "taken_on": answered}, by=ticket.caller, at=answered)
        if is_answered and survey.answered is not None and then < survey.answered:
            self._show_answer(instance, master, sys_id, caller, stored(survey.answered))

    def _show_answer(self, instance: Instance, master: MasterData, sys_id: str, caller: str, answered: str) -> None:
        survey = self.ticket.survey
        assert survey is not None
        score = survey.score if survey.score is not None else -1  # −1: left unanswered
        normalised = "" if score < 0 else f"{(score - 1) / 4 * 10:g}"
        values = {
            "instance": sys_id,
            "metric": master.metric,
            "user": caller,
            "actual_value": str(score),
            "normalized_value": normalised,
            "scaled_value": normalised,
        }
        result = sys_id_of("asmt_metric_result", str(self.ticket.uid))
        instance.insert("asmt_metric_result", values, by=self.ticket.caller, sys_id=result, at=answered)


#: What the world never says of a ticket.
WRITTEN_BY_PEOPLE = (
    "correlation_id",
    "correlation_display",
    "parent",
    "problem_id",
    "close_notes",
    "due_date",
)


def _keep_what_people_wrote(position: dict[str, int], former: Row, row: Row) -> None:
    for name in WRITTEN_BY_PEOPLE:
        at = position.get(name)
        if at is not None and former[at]:
            row[at] = former[at]
