"""Customers: accounts that raise requests in the portal, and the service desks they belong to. They sign in nowhere."""

from __future__ import annotations

from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.desk.lookups import desk_named, page, people, people_sent, person


def create(call: Call) -> Answer:
    """``POST /customer``: by an administrator; a mail address that is taken is 400, 409 where Cloud is asked so."""
    if not call.signed_in().is_admin:
        raise ApiError(403, "Only a Jira administrator may create a customer.")
    return json_answer(person(call, _made(call)), 201)


def invite(call: Call, id: str) -> Answer:
    """``POST /servicedesk/{id}/customer/invite``: create one and add it."""
    customers = call.site.service.customers_of[desk_named(call, id)]
    call.writer()
    made = _made(call)
    customers.append(made.name)
    return json_answer(person(call, made), 201)


def _made(call: Call) -> Account:
    sent = call.document()
    mail, name = (
        str(sent.get("email") or "").strip(),
        str(sent.get("displayName") or sent.get("fullName") or "").strip(),
    )
    if "@" not in mail.strip("@"):
        raise ApiError(400, "The email address must be valid.")
    if call.site.directory.of_mail(mail) is not None:
        is_strict = call.site.flavour is Flavour.CLOUD and call.param("strictConflictStatusCode").lower() == "true"
        raise ApiError(409 if is_strict else 400, "An account already exists for this email address.")
    made = Account(mail, name or mail, mail, "Etc/UTC", may_write=False)
    call.site.directory.put(made)
    call.site.service.portal_only.add(made.name)
    return made


def of_desk(call: Call, id: str) -> Answer:
    """``GET|POST|DELETE /servicedesk/{id}/customer``; ``query`` is matched to names and mail addresses."""
    desk = desk_named(call, id)
    known = call.site.service.customers_of
    if call.method == "GET":
        wanted = {account.name for account in call.site.directory.search(call.param("query"))}
        return page(call, people(call, [name for name in known[desk] if name in wanted]))
    call.writer()
    named = [account.name for account in people_sent(call, call.document())]
    left = [name for name in known[desk] if name not in named]
    known[desk] = [*left, *dict.fromkeys(named)] if call.method == "POST" else left
    return no_content()
