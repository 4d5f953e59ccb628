"""Which tables and fields an ordinary instance has: the mapping that holds until a connection says otherwise."""

from __future__ import annotations

from typing import Any

from connectors.mapping import PlatformMapping, SourceMap

WHERE: dict[str, Any] = {
    "customer": "company.name",
    "country": "location.country",
    "service": "business_service.name",
}
TASK: dict[str, Any] = {
    **WHERE,
    "supplier": {"field": "vendor.name", "is_optional": True},
    "category": {"field": "category", "is_optional": True},
    "number": "number",
    "title": "short_description",
    "priority": "priority",
    "assignment_group": "assignment_group.name",
    "opened_at": "opened_at",
    "closed_at": "closed_at",
    "created_at": "sys_created_on",
}
NO_COUNTS: dict[str, Any] = {
    "is_major": {"constant": False},
    "reopen_count": {"constant": 0},
    "reassignment_count": {"field": "reassignment_count", "is_optional": True},
}


def _states(new: str, working: str, held: str, resolved: str, closed: str, cancelled: str) -> dict[str, Any]:
    values = {}
    groups = (
        ("new", new),
        ("in_progress", working),
        ("on_hold", held),
        ("resolved", resolved),
        ("closed", closed),
        ("cancelled", cancelled),
    )
    for word, codes in groups:
        values.update(dict.fromkeys(codes.split(), word))
    return {"field": "state", "values": values, "otherwise": "in_progress"}


DEFAULT = PlatformMapping(
    sources={
        "incident": SourceMap.model_validate(
            {
                "kind": "ticket",
                "source": "incident",
                "fields": {
                    **TASK,
                    "kind": {"constant": "incident"},
                    "state": _states("1", "2", "3 4 5", "6", "7", "8"),
                    "resolved_at": "resolved_at",
                    "reopen_count": {"field": "reopen_count", "is_optional": True},
                    "reassignment_count": {"field": "reassignment_count", "is_optional": True},
                    "is_major": {
                        "field": "major_incident_state",
                        "values": {"accepted": "true"},
                        "otherwise": "false",
                        "is_optional": True,
                    },
                },
            }
        ),
        "request": SourceMap.model_validate(
            {
                "kind": "ticket",
                "source": "sc_req_item",
                "fields": {
                    **TASK,
                    **NO_COUNTS,
                    "kind": {"constant": "request"},
                    "state": _states("1", "2", "-5", "", "3 7", "4"),
                    "resolved_at": "closed_at",
                },
            }
        ),
        "problem": SourceMap.model_validate(
            {
                "kind": "ticket",
                "source": "problem",
                "fields": {
                    **TASK,
                    **NO_COUNTS,
                    "kind": {"constant": "problem"},
                    "state": _states("101 1", "103 104 2", "102", "106", "107 3", ""),
                    "resolved_at": {"field": ["resolved_at", "closed_at"], "is_optional": True},
                    "reopen_count": {"field": "reopen_count", "is_optional": True},
                },
            }
        ),
        "change": SourceMap.model_validate(
            {
                "kind": "ticket",
                "source": "change_request",
                "fields": {
                    **TASK,
                    **NO_COUNTS,
                    "kind": {"constant": "change"},
                    "state": _states("-5", "-4 -3 -1 1 2", "-2", "0", "3", "4"),
                    "resolved_at": "closed_at",
                    "risk": {"field": "risk", "values": {"1": "high", "2": "high", "3": "moderate", "4": "low"}},
                    "is_successful": {
                        "field": "close_code",
                        "values": {"successful": "true", "successful_issues": "true", "unsuccessful": "false"},
                    },
                },
            }
        ),
        "sla": SourceMap.model_validate(
            {
                "kind": "sla",
                "source": "task_sla",
                "fields": {
                    "ticket_id": "task",
                    "sla_id": "sla",
                    "sla_name": "sla.name",
                    "target": "sla.target",
                    "agreement": {
                        "field": "sla.type",
                        "values": {"SLA": "sla", "OLA": "ola", "Underpinning contract": "uc", "vendor": "uc"},
                        "otherwise": "sla",
                    },
                    "supplier": {"field": "sla.vendor.name", "is_optional": True},
                    "stage": {
                        "field": "stage",
                        "values": {
                            "starting": "in_progress",
                            "in_progress": "in_progress",
                            "paused": "paused",
                            "completed": "completed",
                            "achieved": "completed",
                            "breached": "completed",
                            "cancelled": "cancelled",
                        },
                        "otherwise": "in_progress",
                    },
                    "is_breached": "has_breached",
                    "start_at": "start_time",
                    "end_at": "end_time",
                    "breach_at": "planned_end_time",
                    "goal_s": "sla.duration",
                    "elapsed_s": ["business_duration", "duration"],
                },
            }
        ),
        "survey": SourceMap.model_validate(
            {
                "kind": "survey",
                "source": "asmt_assessment_instance",
                "filter": "metric_type.evaluation_method=survey",  # assessments, attestations and quizzes lie there too
                "fields": {
                    "kind": {"constant": "csat"},
                    "ticket_id": {"field": ["task_id", "trigger_id"], "is_optional": True},
                    "sent_at": "sys_created_on",
                    "answered_at": "taken_on",
                },
            }
        ),
        "contact": SourceMap.model_validate(
            {
                "kind": "contact",
                "source": "interaction",
                "fields": {
                    "customer": {
                        "field": ["company.name", "account.name", "opened_for.company.name"],
                        "is_optional": True,
                    },
                    "country": {
                        "field": ["location.country", "opened_for.location.country"],
                        "is_optional": True,
                    },
                    "service": {"field": "business_service.name", "is_optional": True},
                    "kind": {
                        "field": "type",
                        "values": {
                            "review": "review",
                            "phone": "call",
                            "chat": "chat",
                            "email": "mail",
                            "walkup": "visit",
                            "walkin": "visit",
                            "walk-in": "visit",
                        },
                        "otherwise": "call",
                    },
                    "at": "opened_at",
                },
            }
        ),
        "outage": SourceMap.model_validate(
            {
                "kind": "outage",
                "source": "cmdb_ci_outage",
                "fields": {
                    "kind": {
                        "field": "type",
                        "values": {"outage": "outage", "degradation": "degradation", "planned": "planned"},
                        "otherwise": "outage",
                    },
                    "service": "cmdb_ci.name",
                    "customer": {"field": ["company.name", "cmdb_ci.company.name"], "is_optional": True},
                    "country": {"field": ["location.country", "cmdb_ci.location.country"], "is_optional": True},
                    "begin_at": "begin",
                    "end_at": "end",
                },
            }
        ),
    }
)
