"""A running sandbox for tests, benches and the demo: real processes, real HTTP, free loopback ports."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from connectors.sandbox.launch import Children
from connectors.sandbox.plugin import FLAVOURS, Flavour, SandboxConfig, Size
from connectors.sandbox.world import World, no_garbage_collection

CLOCK_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """The addresses of a running sandbox and its controls. An address is empty where the flavour is not served."""

    urls: Mapping[Flavour, str]

    @property
    def servicenow_url(self) -> str:
        """The root of the ServiceNow API."""
        return self.urls.get("servicenow", "")

    @property
    def jira_cloud_url(self) -> str:
        """The root of the Jira Cloud API."""
        return self.urls.get("jira_cloud", "")

    @property
    def jira_dc_url(self) -> str:
        """The root of the Jira Data Center API."""
        return self.urls.get("jira_dc", "")

    def set_clock(self, now: datetime) -> None:
        """Move every platform's clock forward to ``now`` (aware)."""
        text = now.astimezone(UTC).isoformat()
        with ThreadPoolExecutor(max_workers=len(self.urls)) as pool:
            for moved in [pool.submit(self.control, flavour, "POST", "clock", {"now": text}) for flavour in self.urls]:
                moved.result()

    def clock(self) -> datetime:
        """Where the clock of the first platform stands (UTC)."""
        flavour = next(iter(self.urls))
        return datetime.fromisoformat(self.control(flavour, "GET", "clock")["now"])

    def set_faults(self, flavour: Flavour, *rules: Mapping[str, Any]) -> None:
        """Replace the fault rules of one platform; none clears them."""
        self.control(flavour, "POST", "faults", list(rules))

    def set_options(self, flavour: Flavour, **options: Any) -> None:
        """Change options of one platform while it serves."""
        self.control(flavour, "POST", "options", options)

    def happen(self, flavour: Flavour, kind: str, **event: Any) -> dict[str, Any]:
        """Let something happen to many records; answers which."""
        answer: dict[str, Any] = self.control(flavour, "POST", "events", {"kind": kind, **event})
        return answer

    def stats(self, flavour: Flavour) -> dict[str, Any]:
        """Records, requests, memory of one platform."""
        answer: dict[str, Any] = self.control(flavour, "GET", "stats")
        return answer

    def control(self, flavour: Flavour, method: str, name: str, body: Any = None) -> Any:
        """One call of the control API; raises :class:`ValueError` with its message when it refuses."""
        with requests.Session() as session:
            session.trust_env = False
            response = session.request(
                method, f"{self.urls[flavour]}/sandbox/{name}", json=body, timeout=CLOCK_TIMEOUT_S
            )
        answer = response.json()
        if response.status_code >= 400:
            raise ValueError(answer["error"])
        return answer


@contextmanager
def running_sandbox(
    *,
    platforms: Sequence[Flavour] = FLAVOURS,
    seed: int = 7,
    size: Size = "small",
    now: datetime | None = None,
    replay: Path | None = None,
    worlds: Mapping[str, World] | None = None,
    **options: Any,
) -> Iterator[RunningSandbox]:
    """Serve these platforms while the block runs.

    Parameters
    ----------
    platforms
        Which flavours to serve.
    seed, size, now, replay
        As in :class:`SandboxConfig`.
    worlds
        Worlds of the caller's own, by platform (``servicenow``, ``jira``), instead of generated ones.
    options
        Further fields of :class:`SandboxConfig`, such as ``cim=False`` or ``load_records=100_000``.
    """
    port = {flavour: 0 if flavour in platforms else None for flavour in FLAVOURS}
    config = SandboxConfig(
        servicenow_port=port["servicenow"],
        jira_cloud_port=port["jira_cloud"],
        jira_dc_port=port["jira_dc"],
        seed=seed,
        size=size,
        now=now,
        replay=replay,
        **options,
    )
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        if worlds is not None:
            file = Path(folder) / "worlds.pickle"
            with no_garbage_collection():
                file.write_bytes(pickle.dumps(dict(worlds)))
            config = replace(config, world_file=file)
        with Children(config) as children:
            yield RunningSandbox(urls=dict(children.urls))
