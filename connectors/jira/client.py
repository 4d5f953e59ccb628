"""The ``jira`` library, held so that it never retries a write and never hides a read behind ``Issue`` objects."""

from __future__ import annotations

from typing import Any

import requests
import urllib3
from jira import JIRA

from connectors.config import ConnectionConfig
from connectors.http import prepare


def open_client(config: ConnectionConfig) -> JIRA:
    """The library's client with our authentication, time-out and TLS. Sends nothing yet.

    ``max_retries=0``: its session would repeat a POST after a reset. ``get_server_info=False``: we tell it the
    flavour later (:func:`tell_flavour`), because a constructor should not wait for a network.
    """
    client = JIRA(
        server=config.url,
        options={"rest_api_version": "2", "check_update": False},
        get_server_info=False,
        max_retries=0,
        timeout=config.timeout_s,
    )
    prepare(client._session, config)
    return client


def tell_flavour(client: JIRA, deployment_type: str, version: list[int]) -> None:
    """Let the library know which Jira it speaks to."""
    client.deploymentType = deployment_type
    client._version = tuple(version)


class BulkSession(requests.Session):
    """The client's own session, seen as a plain one: bulk reads need the response itself, whatever its status.

    The library's ``request`` raises on every status of 400 and more, with the body in the message, and fixes the
    time-out; :class:`connectors.http.Reader` judges answers itself.
    """

    def __init__(self, client: JIRA) -> None:
        super().__init__()
        self._session: requests.Session = client._session

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        """Send over the client's connection pool, with its authentication.

        The body is read in one go: requests' own pieces of 10 KB cost a third of a large page's time.
        """
        response = requests.Session.request(self._session, method, url, *args, **{**options, "stream": True})
        try:
            response._content = response.raw.read(decode_content=True)
        except urllib3.exceptions.ProtocolError as error:
            raise requests.exceptions.ChunkedEncodingError(error) from None
        except urllib3.exceptions.ReadTimeoutError as error:
            raise requests.exceptions.ReadTimeout(error) from None
        except urllib3.exceptions.HTTPError as error:
            raise requests.exceptions.ContentDecodingError(error) from None
        response._content_consumed = True  # type: ignore[attr-defined]
        return response

    def get_adapter(self, url: str) -> requests.adapters.BaseAdapter:
        """What the client's own session sends with."""
        return self._session.get_adapter(url)

    def close(self) -> None:
        """Close the client's connections."""
        self._session.close()
