"""The Jira API of one site, from request to answer, without a web server: the sandbox's server plugs it in."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.administration.session_calls import token_of
from connectors.sandbox.jira.calls import Answer, ApiError, Call, Desk, Upload
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.desk.lookups import DESK
from connectors.sandbox.jira.jql import JqlError
from connectors.sandbox.jira.load import LoadedIssues
from connectors.sandbox.jira.routes import matching
from connectors.sandbox.jira.site import Site
from connectors.sandbox.users import Accounts


class JiraApi:
    """Answers requests to one site under its public address ``base``; searches in load mode with ``loaded`` issues."""

    def __init__(self, site: Site, base: str, users: Accounts, loaded: LoadedIssues | None = None) -> None:
        self.site = site
        self._users = users
        self.desk = Desk(site, base.rstrip("/"), users, loaded)

    def handle(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Sequence[str]],
        headers: Mapping[str, str],
        body: bytes = b"",
        uploads: tuple[Upload, ...] = (),
        through_gateway: str | None = None,
    ) -> Answer:
        """Answer one request. Header names are taken as sent; ``params`` keeps repeated values.

        ``through_gateway``: whom the token stands for with which the caller came through Atlassian's gateway.
        """
        found = matching(method, path)
        if isinstance(found, int):
            return ApiError(found, f"null for uri: {path}").answer()
        handler, parts = found
        lowered = {name.lower(): value for name, value in headers.items()}
        if through_gateway is not None:
            account = self.site.directory.of_login(through_gateway)
            is_refused = account is None
        else:
            account, is_refused = self.account_of(lowered.get("authorization", ""), lowered.get("cookie", ""))
        if is_refused and (self.site.flavour is Flavour.DATA_CENTER or "/search" not in path):
            return _refused()
        version = parts.pop("version", None) or "2"
        if version == "latest":
            version = "3" if self.site.flavour is Flavour.CLOUD else "2"
        if version == "3" and self.site.flavour is Flavour.DATA_CENTER:
            return ApiError(404, f"null for uri: {path}").answer()
        call = Call(self.desk, account, version, method, params, body, lowered, uploads)
        try:
            answer = handler(call, **parts)
        except JqlError as error:
            answer = ApiError(400, str(error)).answer()
        except ApiError as error:
            answer = error.desk_answer() if path.startswith(DESK) and error.status != 401 else error.answer()
        if is_refused:
            answer.headers["X-Seraph-LoginReason"] = "AUTHENTICATED_FAILED"
        if self.site.quirks.names_callers:
            answer.headers |= self._named(account)
        return answer

    def _named(self, account: Account | None) -> dict[str, str]:
        """To whom an answer is given, as each flavour says it."""
        if self.site.flavour is Flavour.CLOUD:
            return {"X-AACCOUNTID": account.account_id} if account is not None else {}
        return {"X-AUSERNAME": account.name if account is not None else "anonymous"}

    def account_of(self, authorization: str, cookies: str = "") -> tuple[Account | None, bool]:
        """(account, whether credentials were sent and are wrong).

        Basic: on Cloud mail address and API token, on Data Center user name and password; there Bearer, too, and the
        cookie of a session: one that has ended is nobody's.
        """
        if not authorization:
            return self._of_session(cookies) if cookies and self.site.sessions else None, False
        user = self._users.authenticate(authorization)
        is_cloud = self.site.flavour is Flavour.CLOUD
        if user is None or (is_cloud and not _names_mail(authorization)):
            return None, True
        found = self.site.directory.of_login(user.username)
        return found, found is None

    def _of_session(self, cookies: str) -> Account | None:
        account = self.site.directory.named(self.site.sessions.get(token_of(cookies)))
        return account if account is not None and account.is_active and not account.is_gone else None


def _names_mail(authorization: str) -> bool:
    """Whether Basic credentials name a mail address, as Cloud wants."""
    scheme, _, rest = authorization.partition(" ")
    return scheme.lower() == "basic" and b"@" in base64.b64decode(rest).partition(b":")[0]


def _refused() -> Answer:
    answer = ApiError(401, "Client must be authenticated to access this resource.").answer()
    answer.headers["WWW-Authenticate"] = 'Basic realm="Jira"'
    answer.headers["X-Seraph-LoginReason"] = "AUTHENTICATED_FAILED"
    return answer
