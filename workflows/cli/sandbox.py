"""`sandbox`: a local ServiceNow and Jira to try things on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def run(
    servicenow_port: Annotated[int, typer.Option(help="Port of the ServiceNow API; 0: none.")] = 8601,
    jira_cloud_port: Annotated[int, typer.Option(help="Port of the Jira Cloud API; 0: none.")] = 8602,
    jira_dc_port: Annotated[int, typer.Option(help="Port of the Jira Data Center API; 0: none.")] = 8603,
    seed: Annotated[int, typer.Option(help="Same seed, same world.")] = 7,
    size: Annotated[Literal["small", "demo", "large"], typer.Option(help="How much there is.")] = "demo",
    now: Annotated[str | None, typer.Option(help="Where its clock stands (ISO 8601, UTC).")] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Serve this incident event log instead of the generated world.")
    ] = None,
) -> None:
    """Serve a sandbox ITSM: user `admin` (Jira Cloud: `admin@example.com`), password and token `sandbox`."""
    from connectors.sandbox.plugin import SandboxConfig
    from connectors.sandbox.server import serve
    from improvement.errors import InputError, Place
    from workflows.cli.session import moment

    if replay is not None and not replay.is_file():
        raise InputError("There is no such file.", where=Place(file=str(replay)), mend="Give the event log's CSV file.")
    if not (servicenow_port or jira_cloud_port or jira_dc_port):
        raise InputError("Every port is 0, so there is nothing to serve.", mend="Give at least one port.")

    serve(
        SandboxConfig(
            servicenow_port=servicenow_port or None,
            jira_cloud_port=jira_cloud_port or None,
            jira_dc_port=jira_dc_port or None,
            seed=seed,
            size=size,
            now=moment(now, "--now") if now else None,
            replay=replay,
        )
    )
