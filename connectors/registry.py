"""From a configured connection to the connector that speaks to its platform."""

from __future__ import annotations

import importlib

from connectors.answers import redacted
from connectors.base import Connector
from connectors.config import ConnectionConfig
from connectors.platforms import BUILT_IN, platforms
from improvement.errors import Place, RegelkreisError, SettingsError


def connector(config: ConnectionConfig) -> Connector:
    """Open the connector of a connection. Sends nothing yet; :meth:`Connector.describe` is the first request.

    Imported on first use: the client libraries cost time that `regelkreis --help` must not pay. Raises
    :class:`SettingsError` where another package's connector cannot be opened or does not keep the protocol.
    """
    value = BUILT_IN.get(config.platform) or platforms()[config.platform]
    module, _, name = value.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)(config)
    except RegelkreisError:
        raise
    except Exception as error:  # whatever somebody else's code raises stops its own connection only
        said = redacted(f"{type(error).__name__}: {error}", config)
        raise SettingsError(
            f"The connector of platform “{config.platform}” ({value}) cannot be opened: {said}.",
            where=Place(connection=config.name),
            mend="Check the options that its package asks for, and that it is of the version for this Regelkreis.",
        ) from error
    if not isinstance(made, Connector):
        parts = [*Connector.__annotations__, *(part for part in vars(Connector) if not part.startswith("_"))]
        missing = [part for part in parts if not hasattr(made, part)]
        raise SettingsError(
            f"The connector of platform “{config.platform}” ({value}) lacks {', '.join(missing)}.",
            where=Place(connection=config.name),
            mend="Its package must keep connectors.base.Connector; connectors.conformance tests that.",
        )
    return made
