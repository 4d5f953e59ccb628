"""Processes, ports and the control API."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from typing import Any

import pytest
import requests

from connectors.sandbox.launch import Children
from connectors.sandbox.plugin import SandboxConfig
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from improvement.errors import ConnectionFailed

pytestmark = pytest.mark.usefixtures("started_anew")


def test_every_flavour_answers_at_the_root_of_its_port() -> None:
    with running_sandbox() as sandbox:
        admin: dict[str, Any] = {"auth": ("admin", "sandbox"), "timeout": 30}
        cloud: dict[str, Any] = {"auth": ("admin@example.com", "sandbox"), "timeout": 30}
        assert requests.get(f"{sandbox.servicenow_url}/api/now/table/incident", **admin).status_code == 200
        info = requests.get(f"{sandbox.jira_cloud_url}/rest/api/2/serverInfo", **cloud).json()
        assert info["deploymentType"] == "Cloud"
        assert (
            requests.get(f"{sandbox.jira_dc_url}/rest/api/2/serverInfo", **admin).json()["deploymentType"] == "Server"
        )


def test_a_port_in_use_is_said_and_nothing_is_left_running() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = SandboxConfig(servicenow_port=taken.getsockname()[1], jira_cloud_port=None, jira_dc_port=None)

        with pytest.raises(ConnectionFailed, match="servicenow did not start"), Children(config):
            pass


def test_children_end_with_their_parent() -> None:
    program = (
        "from connectors.sandbox.testing import running_sandbox\n"
        "import os\n"
        "with running_sandbox(platforms=('servicenow',)) as sandbox:\n"
        "    print(sandbox.servicenow_url, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    url = parent.stdout.strip()

    for _ in range(100):
        try:
            requests.get(f"{url}/sandbox/clock", timeout=1)
        except requests.ConnectionError:
            return
        time.sleep(0.05)
    pytest.fail("the sandbox outlived its parent")


def test_unknown_options_and_bad_clocks_are_refused(small: RunningSandbox) -> None:
    with pytest.raises(ValueError, match="Not an option that can change: colour"):
        small.set_options("servicenow", colour="red")
    with pytest.raises(ValueError, match="Of another type than its default: max_rows"):
        small.set_options("servicenow", max_rows="many")
    with pytest.raises(ValueError, match="Invalid isoformat"):
        small.control("servicenow", "POST", "clock", {"now": "yesterday"})
    with pytest.raises(ValueError, match="out of range"):
        small.control("servicenow", "POST", "clock", {"now": "9999-12-31T23:59:59-14:00"})
    for name in ("clock", "options", "events"):
        with pytest.raises(ValueError, match="has to be a JSON object"):
            small.control("servicenow", "POST", name, ["now"])


def test_statistics_name_records(small: RunningSandbox) -> None:
    stats = small.stats("servicenow")

    assert stats["records"]["incident"] > 3_000
    assert stats["records"]["task_sla"] > stats["records"]["incident"]
    assert stats["requests"] >= 0
