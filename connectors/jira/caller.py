"""Whether answers are given to us: of an expired session Jira makes an anonymous visitor, and answers 200 with less.

Cloud names the account of every answer in one header, Data Center the user in another; which one a Jira sends, if its
proxies let it through, is seen in its answer to ``/myself``.
"""

from __future__ import annotations

import re

from requests import Response

from connectors.answers import NOT_FOUND
from connectors.config import ConnectionConfig
from improvement.errors import ConnectionFailed, CredentialsRefused, Place

# developer.atlassian.com/server/jira/platform/rest: "special headers"; Cloud's stands beside it since 2019.
HEADERS = ("X-AACCOUNTID", "X-AUSERNAME")
ANONYMOUS = "anonymous"
MYSELF = "/myself"
_NUMBERS = re.compile(r"\d+")


class Caller:
    """Looks at every answer of one Jira; a reader calls it.

    ``is_unsure``: some answers do not say to whom they were given, and no answer of that address ever did, or something
    is not there; ``/myself`` has to be asked before they are believed. Set it back before that: other threads may be
    answered meanwhile.
    """

    def __init__(self, config: ConnectionConfig) -> None:
        self._config = config
        self._header = ""  # in which it names us; "": in none
        self._naming: set[str] = set()  # addresses whose answers named us before, without numbers
        self.is_unsure = False

    def __call__(self, response: Response) -> None:
        """Raises :class:`CredentialsRefused` where an answer was given to nobody; :class:`ConnectionFailed`, so that it
        is asked again, where it does not say to whom, and others of this address did.
        """
        address = _NUMBERS.sub("", response.url.partition("?")[0])
        if address.endswith(MYSELF):
            self._header = next((name for name in HEADERS if _named(response, name) not in ("", ANONYMOUS)), "")
            return
        named = _named(response, self._header) if self._header else ""
        if named == ANONYMOUS:
            raise _refused(self._config, CredentialsRefused)
        if named:
            self._naming.add(address)
        elif address in self._naming and response.status_code != NOT_FOUND:  # whether these ever do is not documented
            raise _refused(self._config, ConnectionFailed)
        else:
            self.is_unsure = True


def refuse_anonymous(response: Response, config: ConnectionConfig) -> None:
    """Raises :class:`CredentialsRefused` where an answer says that it was given to nobody, as Data Center's do."""
    if ANONYMOUS in (_named(response, name) for name in HEADERS):
        raise _refused(config, CredentialsRefused)


def names_somebody(response: Response) -> bool:
    """Whether an answer says that it was given to somebody who is signed in."""
    return any(_named(response, name) not in ("", ANONYMOUS) for name in HEADERS)


def _refused(config: ConnectionConfig, kind: type[ConnectionFailed]) -> ConnectionFailed:
    return kind(
        f"{config.url} takes us for an anonymous visitor, in the middle of what we ask.",
        where=Place(connection=config.name),
        mend="The token has expired: make a new one. The next cycle goes on where this one ends.",
    )


def _named(response: Response, header: str) -> str:
    return response.headers.get(header, "").strip().casefold()
