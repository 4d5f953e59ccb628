"""Jira Service Management: what it says of itself and its desks, SLA and feedback of one request, articles."""

from __future__ import annotations

import msgspec

from connectors.sandbox.jira import bodies, slas
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import SLA_FIELDS, Field
from connectors.sandbox.jira.desk.lookups import desk, desk_named, page, request
from connectors.sandbox.jira.desk.service import DESKS
from connectors.sandbox.jira.model import Feedback

BEST_RATING = 5


def info(call: Call) -> Answer:
    """``GET /rest/servicedeskapi/info``."""
    return json_answer({"version": "5.12.0", "platformVersion": "10.3.6", "isLicensedForUse": True})


def service_desks(call: Call) -> Answer:
    """``GET /rest/servicedeskapi/servicedesk``."""
    return page(call, [desk(call, id) for id in DESKS])


def service_desk(call: Call, id: str) -> Answer:
    """``GET /rest/servicedeskapi/servicedesk/{id}``: the id may be its project's id or key."""
    return json_answer(desk(call, desk_named(call, id)))


def request_sla(call: Call, key: str) -> Answer:
    """``GET /rest/servicedeskapi/request/{key}/sla``: every SLA that matched."""
    return page(call, [msgspec.Raw(text.encode()) for text in _clocks(call, key, list(SLA_FIELDS.values()))])


def one_sla(call: Call, key: str, id: str) -> Answer:
    """``GET /rest/servicedeskapi/request/{key}/sla/{id}``: 404 where it never matched."""
    fields = [field for field in SLA_FIELDS.values() if field.id == f"customfield_{id}"]
    texts = _clocks(call, key, fields)
    if not texts:
        raise ApiError(404, "The SLA metric doesn't exist for this request.")
    return json_answer(msgspec.Raw(texts[0].encode()))


def _clocks(call: Call, key: str, fields: list[Field]) -> list[str]:
    texts = call.renderer.clock_texts(fields).of(request(call, key), call.site.now)
    return [text for text in texts if text != "null"]


def feedback(call: Call, key: str) -> Answer:
    """``GET|POST|DELETE /rest/servicedeskapi/request/{key}/feedback``: the reporter's own; 404 until it is given."""
    issue = request(call, key)
    if call.method == "POST":
        account, sent = call.signed_in(), call.document()
        if account.name != issue.reporter:
            raise ApiError(403, "Only the reporter of a request may give feedback.")
        rating = sent.get("rating")
        if sent.get("type", "csat") != "csat" or type(rating) is not int or not 1 <= rating <= BEST_RATING:
            raise ApiError(400, f"Feedback is of type csat, with a rating from 1 to {BEST_RATING}.")
        body = str(bodies.part(sent, "comment").get("body") or "")
        issue.set_value("feedback", Feedback(rating, call.site.now, body))
        call.site.service.rated.add(issue.id)
        call.site.touch(issue)
        return json_answer(_given(rating, body), 201)
    rating = slas.rating(issue, call.site.now)
    if rating is None:
        raise ApiError(404, "The feedback for the request does not exist.")
    if call.method == "DELETE":
        call.writer()
        issue.set_value("feedback", None)
        call.site.touch(issue)
        return no_content()
    given = issue.value("feedback")
    return json_answer(_given(rating, given.body if given is not None else ""))


def _given(rating: int, body: str) -> dict[str, object]:
    return {"type": "csat", "rating": rating, "comment": {"body": body}}


def articles(call: Call, id: str = "") -> Answer:
    """``GET …/knowledgebase/article?query=``: no knowledge base is linked to any service desk here."""
    call.signed_in()
    if id:
        desk_named(call, id)
    if not call.param("query").strip():
        raise ApiError(400, "The query must not be empty.")
    return page(call, [])


def article(call: Call, id: str) -> Answer:
    """``GET …/knowledgebase/article/view/{pageId}``."""
    call.signed_in()
    raise ApiError(404, f"The article '{id}' doesn't exist.")


def workspaces(call: Call) -> Answer:
    """``GET …/assets/workspace`` and ``…/insight/workspace``: the site has no assets."""
    call.signed_in()
    return page(call, [])
