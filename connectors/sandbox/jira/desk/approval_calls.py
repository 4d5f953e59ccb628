"""``/rest/servicedeskapi/request/{key}/approval``: what is asked about a request, and people's answers."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer
from connectors.sandbox.jira.desk.approvals import OUTCOMES, answer, may_answer
from connectors.sandbox.jira.desk.lookups import date, page, request
from connectors.sandbox.jira.model import Approval


def approvals(call: Call, key: str) -> Answer:
    """``GET …/approval``: oldest first, paged; none for a request that never asked."""
    extras = request(call, key).extras
    return page(call, [_shown(call, one) for one in extras.approvals] if extras is not None else [])


def approval(call: Call, key: str, id: str) -> Answer:
    """``GET`` and ``POST …/approval/{id}``; only who is asked may answer, and once."""
    issue = request(call, key)
    found = next((one for one in issue.more().approvals if one.id == id), None)
    if found is None:
        raise ApiError(404, "The approval does not exist.")
    if call.method == "POST":
        decision = call.document().get("decision")
        if decision not in OUTCOMES:
            raise ApiError(400, "The decision is approve or decline.")
        account = call.signed_in()
        if not may_answer(found, account):
            raise ApiError(403, "You are not an approver of this request, or it is answered already.")
        answer(call, issue, found, account, str(decision))
    return json_answer(_shown(call, found))


def _shown(call: Call, one: Approval) -> dict[str, Any]:
    named = ((call.site.directory.named(name), said) for name, said in one.decisions.items())
    return {
        "id": one.id,
        "name": "Waiting for approval",
        "finalDecision": one.final,
        "canAnswerApproval": may_answer(one, call.account),
        "approvers": [
            {"approver": call.parts.person(account), "approverDecision": said}
            for account, said in named
            if account is not None
        ],
        "createdDate": date(call, one.created),
        "completedDate": date(call, one.completed) if one.completed is not None else None,
    }
