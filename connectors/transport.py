"""How a session reaches a platform: company CA, client certificate, proxy. Authentication is another matter."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from requests import Session
from requests.utils import get_environ_proxies

from connectors.config import ConnectionConfig

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def transport(session: Session, config: ConnectionConfig, url: str | None = None) -> Session:
    """Give a session the connection's TLS and proxy, for the platform or for another address (its token endpoint).

    What is not configured comes from the environment (``HTTPS_PROXY``, ``NO_PROXY``, ``REQUESTS_CA_BUNDLE``). It is
    read here, once: requests itself would let the environment overrule a CA file and a proxy set on the session.
    """
    address = url or config.url
    session.trust_env = False
    session.verify = str(config.verify) if isinstance(config.verify, Path) else config.verify and _usual_ca()
    if config.client_certificate is not None:
        certificate = str(config.client_certificate)
        session.cert = (certificate, str(config.client_key)) if config.client_key is not None else certificate
    if config.proxy is not None:
        session.proxies = {"http": config.proxy, "https": config.proxy}
    elif urlsplit(address).hostname not in LOOPBACK:  # a proxy cannot reach our loopback
        session.proxies = dict(get_environ_proxies(address))
    return session


def _usual_ca() -> str | bool:
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
