"""Signing in with a cookie, as Data Center still offers it, and out again."""

from __future__ import annotations

import secrets

from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Flavour

COOKIE = "JSESSIONID"


def session(call: Call) -> Answer:
    """``GET|POST|DELETE /rest/auth/1/session``: who is signed in; sign in (Data Center); sign out."""
    if call.method == "POST":
        return _sign_in(call)
    account = call.signed_in()
    if call.method == "DELETE":
        call.site.sessions.pop(token_of(call.headers.get("cookie", "")), None)
        return no_content()
    link = f"{call.desk.base}/rest/api/latest/user?username={account.login}"
    return json_answer({"self": link, "name": account.login, "loginInfo": {"loginCount": 1, "failedLoginCount": 0}})


def end_websudo(call: Call) -> Answer:
    """``DELETE /rest/auth/1/websudo`` (Data Center): administrators of the web interface sign in anew; 204 always."""
    call.only_on(Flavour.DATA_CENTER)
    call.signed_in()
    return no_content()


def token_of(cookies: str) -> str:
    """The session's token in a ``Cookie`` header; empty where there is none."""
    named = (part.strip().partition("=") for part in cookies.split(";"))
    return next((value for name, _, value in named if name == COOKIE), "")


def _sign_in(call: Call) -> Answer:
    call.only_on(Flavour.DATA_CENTER)
    sent = call.document()
    user = call.desk.users.login(str(sent.get("username") or ""), str(sent.get("password") or ""))
    account = call.site.directory.of_login(user.username) if user is not None else None
    if account is None:
        raise ApiError(401, "Login failed")
    token = secrets.token_hex(16).upper()
    call.site.sessions[token] = account.name
    login_info = {"loginCount": 1, "failedLoginCount": 0}
    answer = json_answer({"session": {"name": COOKIE, "value": token}, "loginInfo": login_info})
    answer.headers["Set-Cookie"] = f"{COOKIE}={token}; Path=/; HttpOnly"
    return answer
