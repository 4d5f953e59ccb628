"""From a configured connection to the connector that speaks to its platform."""

from __future__ import annotations

import importlib
from typing import cast

from connectors.base import Connector
from connectors.config import ConnectionConfig

# Imported on first use: the client libraries cost time that `regelkreis --help` must not pay.
CONNECTORS: dict[str, tuple[str, str]] = {
    "servicenow": ("connectors.servicenow.connector", "ServiceNowConnector"),
    "jira": ("connectors.jira.connector", "JiraConnector"),
}


def connector(config: ConnectionConfig) -> Connector:
    """Open the connector of a connection. Sends nothing yet; :meth:`Connector.describe` is the first request."""
    module, name = CONNECTORS[config.platform]
    return cast(Connector, getattr(importlib.import_module(module), name)(config))
