"""A filter is asked only where every condition of it is understood; else the whole table would come."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.servicenow.filters import conditions, groups, repeated
from connectors.servicenow.plan import plans_of
from connectors.servicenow.tables import Instance
from improvement.errors import MappingError
from improvement.records import RecordKind

from .conftest import END, Connect, a_ticket, a_world, pulled

Serve = Callable[..., RunningSandbox]
TICKET = RecordKind.TICKET
OTHERS = {name: {"is_enabled": False} for name in ("request", "problem", "change")}

REFUSED = {
    "priority = 1": "Did you mean “priority=1”",
    " priority=1": "Did you mean “priority=1”",
    "priority in 1,2": "Did you mean “priorityIN1,2”",
    "Prioritty=1": "no field “Prioritty”.*Did you mean priority",
    " catgory=test": "no field “catgory”.*Did you mean category",
    "Catgory!=test": "no field “Catgory”.*Did you mean category",
    "priority=1^ORcatgory=x": "no field “catgory”.*Did you mean category",
    "priority=1^OR Category=2": "no field “Category”.*Did you mean category",
    "company.nmae=x": "no field “company.nmae”",
    "priority~1": "“priority~1”: it has no operator",
    "priorityWAT1": "“priorityWAT1”: it has no operator",
    "priority LIKES 1": "“priority LIKES 1”: it has no operator that is known. Did you mean LIKE",
    "priority": "it has no operator",
    "=1": "it begins with no field",
    "priorityISEMPTY1": "ISEMPTY takes no value",
    "priorityBETWEEN1": "first@last",
    "priority>": "no value after >",
    "priority>high": "priority is a number",
    "opened_at>yesterday": "opened_at is a time",
    "opened_atBETWEEN2025-06-01@soon": "opened_at is a time",
    "opened_at>2025-13-45": "opened_at is a time",
    "opened_at<=2025-02-30 10:00:00": "opened_at is a time",
    "opened_at>2025-6-1": "opened_at is a time",
    "opened_atONSomeday@javascript:gs.beginningOfSomeday()@javascript:gs.endOfSomeday()": "does not know the script",
    "opened_atBETWEENjavascript:gs.a()@javascript:gs.b()": "does not know the script",
    "short_descriptionSTARTSWITHjavascript:ours()": "may not know the script",
    "assigned_toDYNAMIC90d1921e5f510100a9ad2572f2b477fe": "all records of incident fit it.*operator DYNAMIC",
    "opened_atDATEPARTMonday@javascript:gs.datePart('dayofweek','monday','EE')": "all records of incident fit it",
    "opened_atMORETHANresolved_at@hour@after@3": "all records of incident fit it",
    "opened_atRELATIVEEE@dayofweek@ago@7": "all records of incident fit it",
    "short_descriptionMATCH_RGX^^mail": "all records of incident fit it",
    "cmdb_ciIN_HIERARCHYabc": "all records of incident fit it",
    "numberINjavascript:new OurScope().numbers()": "the instance leaves it out",
    "opened_at>javascript:gs.daysAgoo(7)": "the instance leaves it out",
    "numberSAMEASnumbr": "no field “numbr”.*Did you mean number",
    "state=99^NQ": "an empty group fits every row",
    "^NQpriority=1": "an empty group|an empty condition",
    "priority=1^": "an empty condition",
    "GROUPBYpriority": "no condition",
    "ORpriority=1": "no condition before OR",
    "NQpriority=1": "cannot be verified",
    "123TEXTQUERY321=mail": "cannot be verified",
    "JOINincident.caller_id=sys_user.sys_id!active=true": "cannot be verified",
    "RLQUERYtask_slas.task,>=1^ENDRLQUERY": "no table task_slas",
    "RLQUERYtask_sla.tsk,>=1^ENDRLQUERY": "no field “tsk”.*Did you mean task",
    "RLQUERYtask_sla.task,>=1^stag=paused^ENDRLQUERY": "no field “stag”.*Did you mean stage",
    "RLQUERYtask_sla.task,>=1^stage=paused": "ENDRLQUERY, is missing",
    "RLQUERYtask_sla^ENDRLQUERY": "not written RLQUERY",
}


@pytest.mark.parametrize("written", REFUSED)
def test_a_condition_that_the_platform_would_leave_out_is_refused(
    sandbox: RunningSandbox, connect: Connect, written: str
) -> None:
    connector = connect(sandbox, mapping={"incident": {"filter": written}, **OTHERS})
    with pytest.raises(MappingError, match=f"mapping.incident.filter: .*({REFUSED[written]})"):
        next(iter(connector.pull(TICKET, None, until=sandbox.clock())))
    with pytest.raises(MappingError):
        connector.count(TICKET, until=sandbox.clock())


@pytest.mark.parametrize("written", ["short_descriptionMATCH_RGX^^mail", "numberINjavascript:new OurScope().numbers()"])
def test_a_condition_is_no_less_doubtful_where_records_come_while_it_is_counted(
    sandbox: RunningSandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    count, come = Instance.count, itertools.count()
    monkeypatch.setattr(Instance, "count", lambda *asked: count(*asked) + next(come))
    with pytest.raises(MappingError, match=r"leaves? it out|left it out"):
        connect(sandbox, mapping={"incident": {"filter": written}, **OTHERS}).count(TICKET, until=sandbox.clock())


def test_doctor_tells_the_condition_and_the_remedy(serve: Serve, connect: Connect) -> None:
    connector = connect(serve(a_world(a_ticket())), mapping={"incident": {"filter": "state=6^priority = 1"}})
    told = {item.check: item for item in connector.describe().findings if not item.is_ok}
    assert list(told) == ["filter incident"]
    assert "Did you mean “priority=1”" in told["filter incident"].detail
    assert "without blanks" in told["filter incident"].mend


KEPT: dict[str, set[int]] = {  # written → the tickets of the world below that fit
    "priority=1": {1},
    "priority!=1^priority!=2": {3, 4},
    "priorityIN1,2": {1, 2},
    "priorityNOT IN1,2": {3, 4},
    "priorityBETWEEN2@3": {2, 3},
    "priority>=3": {3, 4},
    "priority=1^ORpriority=4": {1, 4},
    "priority=1^NQpriority=4^EQ": {1, 4},
    "short_descriptionLIKEmail": {1, 2, 3, 4},
    "short_descriptionSTARTSWITHMail^priority=2": {2},
    "short_description=a^^NQb": set(),
    "short_description!=a^^b": {1, 2, 3, 4},
    "assigned_toISEMPTY": {1, 2, 3, 4},
    "numberISNOTEMPTY^priorityANYTHING": {1, 2, 3, 4},
    "company.name=Acme^priority=1": {1},
    "company=": set(),
    "numberSAMEASnumber": {1, 2, 3, 4},
    "closed_atGT_FIELDopened_at^priority=3": {3},
    "opened_at>javascript:gs.daysAgo(30)": {1, 2, 3, 4},
    "opened_at<javascript:gs.daysAgo(30)": set(),
    "opened_atBETWEENjavascript:gs.daysAgo(30)@javascript:gs.daysAgo(1)": {1, 2, 3, 4},
    "opened_at>=2025-06-02 00:00:00^opened_at<2025-06-03": {1, 2, 3, 4},
    "opened_atONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()^ORpriority=1": {1},
    "opened_atNOTONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()": {1, 2, 3, 4},
    "short_descriptionCONTAINSmail": {1, 2, 3, 4},
    "categoryDOES NOT CONTAINsoft": set(),
    "number*10001": {1},
    "number!*10001": {2, 3, 4},
    "number%2^NQpriority=4": {2, 4},
    "sys_class_nameINSTANCEOFincident": {1, 2, 3, 4},
    "RLQUERYtask_sla.task,>=1^stage=completed^ENDRLQUERY": {1, 2, 3, 4},
    "priority=1^RLQUERYtask_sla.task,>=2^ENDRLQUERY": set(),
    "priority=2^GROUPBYstate": {2},
}


@pytest.fixture(scope="module")
def four() -> Iterator[RunningSandbox]:
    world = a_world(*(a_ticket(priority, priority=priority) for priority in (1, 2, 3, 4)))
    with running_sandbox(platforms=("servicenow",), worlds={"servicenow": world}, now=END) as running:
        yield running


@pytest.mark.parametrize("written", KEPT)
def test_what_the_platform_understands_narrows_page_by_page(
    four: RunningSandbox, connect: Connect, written: str
) -> None:
    connector = connect(four, page_size=1, mapping={"incident": {"filter": written}, **OTHERS})
    found = pulled(connector, TICKET)
    assert {row["priority"] for row in found.rows} == KEPT[written]


@pytest.mark.parametrize(
    "written",
    [
        "assigned_toDYNAMIC90d1921e5f510100a9ad2572f2b477fe",
        "opened_atDATEPARTMonday@javascript:gs.datePart('dayofweek','monday','EE')",
        "opened_atMORETHANresolved_at@hour@after@3",
        "opened_atRELATIVEGT@dayofweek@ago@7",
        "opened_atRELATIVEEE@dayofweek@ago@7",
        "short_descriptionMATCH_RGX^^mail",
        "assignment_group.manager.nameSTARTSWITHA",
        "RLQUERYtask_sla.task,>=1,m2m^ENDRLQUERY",
    ],
)
def test_forms_that_only_a_real_instance_answers_are_let_through_where_fewer_records_fit(
    sandbox: RunningSandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    connector = connect(sandbox, mapping={"incident": {"filter": written}, **OTHERS})
    monkeypatch.setattr(connector._instance, "count", lambda table, query: 3 if query else 10)
    (plan,) = plans_of(connector._instance, connector._lookups, connector.mapping.of_kind(TICKET))
    assert plan.source.filter == written


@pytest.mark.parametrize("written", ["priority=P1", "company=Acme", "stateINresolved"])
def test_doctor_tells_a_filter_that_fits_nothing(serve: Serve, connect: Connect, written: str) -> None:
    connector = connect(serve(a_world(a_ticket())), mapping={"incident": {"filter": written}})
    told = {item.check: item.detail for item in connector.describe().findings if not item.is_ok}
    assert told == {"filter incident": f"“{written}” fits none of 1 records"}


def test_a_literal_caret_parts_no_groups() -> None:
    assert groups("a=1^b=x^^NQy^NQc=2^^^ORd=3") == ["a=1^b=x^^NQy", "c=2^^^ORd=3"]
    assert groups("") == [""]
    assert repeated(["k>1", "k=1"], "a=x^^NQy^NQb=2") == "k>1^a=x^^NQy^NQk>1^b=2^NQk=1^a=x^^NQy^NQk=1^b=2"


@pytest.mark.parametrize("operator", ["IN", "IN_HIERARCHY", "IN_HIERARCHY_DYNAMIC", "*", "!*", "%", "!="])
def test_the_longest_operator_counts(operator: str) -> None:
    (found,) = conditions(f"assigned_to.manager{operator}fdd0%40ee1")
    assert (found.field, found.operator, found.value) == ("assigned_to.manager", operator, "fdd0%40ee1")


def test_a_condition_is_field_operator_and_value() -> None:
    (first, second) = conditions("company.nameNOT INa,b^ORshort_description=x^^=y")
    assert (first.field, first.operator, first.value) == ("company.name", "NOT IN", "a,b")
    assert (second.field, second.operator, second.value) == ("short_description", "=", "x^=y")
