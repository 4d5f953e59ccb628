"""People as administrators make, change and remove them; single people, several at once, and what is kept of them.

Cloud knows an account by its id and is told a mail address only; Data Center knows user names, which may change.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connectors.sandbox import users
from connectors.sandbox.jira import entity_properties
from connectors.sandbox.jira.accounts import Account, of_user
from connectors.sandbox.jira.administration.groups import USERS
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.users import PASSWORD

_UNKNOWN = "Specified user does not exist or you do not have required permissions"


def user(call: Call) -> Answer:
    """``GET|POST|PUT|DELETE /user``; Cloud's people change their profile elsewhere."""
    call.signed_in()
    if call.method == "POST":
        return _create(call)
    if call.method == "PUT":
        call.only_on(Flavour.DATA_CENTER)
    if call.method != "GET":
        call.administrator()
    account = _asked(call)
    if call.method == "PUT":
        return _update(call, account)
    if call.method == "DELETE":
        return _delete(call, account)
    return json_answer(_shown(call, account))


def several(call: Call) -> Answer:
    """``GET /user/bulk?accountId=…`` (Cloud), paged."""
    call.only_on(Flavour.CLOUD)
    call.signed_in()
    asked = call.params.get("accountId")
    if not asked:
        raise ApiError(400, "The accountId query parameter needs to be provided.")
    found = [account for id in asked if (account := call.site.directory.known_as(id)) is not None]
    return json_answer(call.page([call.parts.person(account) for account in found], size=10))


def duplicated(call: Call, form: str) -> Answer:
    """``GET /user/duplicated/count`` and ``/list`` (Data Center): people of two directories; this site has one."""
    call.administrator()
    return json_answer({"count": 0} if form == "count" else {})


def properties(call: Call) -> Answer:
    """``GET /user/properties``: the keys."""
    kept = call.site.user_properties.get(_asked_or_self(call).name, {})
    return json_answer({"keys": entity_properties.keys(kept, f"{call.parts.api}/user/properties")})


def property_of(call: Call, name: str) -> Answer:
    """``GET|PUT|DELETE /user/properties/{key}``: one's own, an administrator everybody's."""
    account = _asked_or_self(call)
    if account is not call.account:
        call.administrator()
    kept = call.site.user_properties.setdefault(account.name, {})
    return entity_properties.one(call, kept, name)


def _text(call: Call) -> str:
    """Whom the query names, in the flavour's own words."""
    names = ("accountId",) if call.site.flavour is Flavour.CLOUD else ("username", "userKey", "key")
    return next((text for name in names if (text := call.param(name))), "")


def _asked(call: Call) -> Account:
    text = _text(call)
    if not text:
        raise ApiError(400, "The user has to be specified: accountId on Cloud, username or key on Data Center.")
    found = call.site.directory.known_as(text)
    if found is None:
        raise ApiError(404, _UNKNOWN)
    return found


def _asked_or_self(call: Call) -> Account:
    account = call.signed_in()
    return _asked(call) if _text(call) else account


def _shown(call: Call, account: Account) -> dict[str, Any]:
    shown = call.parts.person(account)
    expand = call.names("expand")
    if "groups" in expand:
        items = [call.parts.group(name) for name in call.site.groups.of(account)]
        shown["groups"] = {"size": len(items), "items": items}
    if "applicationRoles" in expand:
        shown["applicationRoles"] = {"size": 0, "items": []}
    return shown | {"expand": "groups,applicationRoles"}


def _create(call: Call) -> Answer:
    call.administrator()
    sent = call.document()
    directory, is_cloud = call.site.directory, call.site.flavour is Flavour.CLOUD
    mail = str(sent.get("emailAddress") or "").strip()
    name = mail.lower() if is_cloud else str(sent.get("name") or "").strip()
    errors = _errors_of_names(call, sent, name, mail)
    if errors:
        raise ApiError(400, errors=errors)
    shown_name = str(sent.get("displayName") or mail.partition("@")[0])
    made = users.Account(name, shown_name, mail, "Etc/UTC", frozenset({"agent"}))
    call.desk.users.admit(made, str(sent.get("password") or PASSWORD))
    account = replace(of_user(made), name=directory.free_name(name), new_name=name)
    directory.put(account)
    call.site.groups.join(USERS, account)
    call.site.renamed()
    call.site.note(call.signed_in(), "User created", "user management", account.login)
    return json_answer(_shown(call, account), 201)


def _errors_of_names(call: Call, sent: dict[str, Any], name: str, mail: str) -> dict[str, str]:
    """What is wrong with a new account's names; Data Center demands a name of its own and a display name."""
    errors: dict[str, str] = {}
    directory = call.site.directory
    if "@" not in mail:
        errors["email" if mail else "emailAddress"] = "You must specify a valid email address."
    if call.site.flavour is Flavour.CLOUD:
        if directory.of_mail(mail) is not None:
            errors["email"] = "A user with that email address already exists."
        return errors
    if not name:
        errors["username"] = "You must specify a username."
    elif directory.sent({"name": name}) is not None:
        errors["username"] = "A user with that username already exists."
    if not sent.get("displayName"):
        errors["fullName"] = "You must specify a full name."
    return errors


def _update(call: Call, account: Account) -> Answer:
    sent = call.document()
    name, mail = str(sent.get("name") or account.login), str(sent.get("emailAddress") or account.email)
    other = call.site.directory.sent({"name": name})
    if other is not None and other.name != account.name:
        raise ApiError(400, errors={"username": "A user with that username already exists."})
    if "@" not in mail:
        raise ApiError(400, errors={"email": "You must specify a valid email address."})
    is_active = str(sent.get("active", account.is_active)).lower() == "true"
    if account is call.account and not is_active:
        raise ApiError(400, errors={"active": "You cannot deactivate the currently logged in user."})
    changed = replace(
        account,
        new_name=name,
        display_name=str(sent.get("displayName") or account.display_name),
        email=mail,
        is_active=is_active,
    )
    known = call.desk.users.find(account.login)
    if known is not None:
        call.desk.users.change(known, replace(known, username=name, name=changed.display_name, email=mail))
    call.site.directory.put(changed)
    call.site.renamed()
    call.site.note(call.signed_in(), "User updated", "user management", changed.login)
    return json_answer(_shown(call, changed))


def _delete(call: Call, account: Account) -> Answer:
    """Data Center deletes nobody whom an issue or a project names; on Cloud the account leaves, its name stays."""
    if account is call.account:
        raise ApiError(400, "You cannot delete the currently logged in user.")
    site = call.site
    issues = [one for one in site.ordered() if account.name in (one.assignee, one.reporter)]
    led = [one.key for one in site.projects.everything() if site.projects.details(one).lead == account.name]
    is_named = bool(issues or led)
    if is_named and site.flavour is Flavour.DATA_CENTER:
        why = f"{len(issues)} issue(s) are assigned to or reported by them" if issues else f"they lead {', '.join(led)}"
        raise ApiError(400, f"Cannot delete user '{account.login}': {why}.")
    known = call.desk.users.find(account.login)
    if known is not None:
        call.desk.users.dismiss(known)
    for group in site.groups.of(account):
        site.groups.leave(group, account)
    if is_named:
        site.directory.put(replace(account, is_active=False, is_gone=True, is_admin=False))
    else:
        site.directory.remove(account)
    site.renamed()
    site.note(call.signed_in(), "User deleted", "user management", account.login)
    return no_content()
