"""The real site under gunicorn on a free loopback port, and Chromium to look at it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.workflows.web.stage import PASSWORD

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SERVE = "from config.entry import main; main()"  # what the console script `regelkreis` does
WIDE, NARROW = 1440, 390
Open = Callable[..., "Visit"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need the browser."""
    for item in items:
        if "browse" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the site, served by `regelkreis serve` from a prepared home."""
    home = tmp_path_factory.mktemp("site")
    environment = {**_without_ours(), "REGELKREIS_HOME": str(home)}
    port = _free_port()
    prepared = subprocess.run(
        [sys.executable, "-m", "tests.e2e.prepare"], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert prepared.returncode == 0, prepared.stderr
    command = [sys.executable, "-c", SERVE, "serve", "--port", str(port), "--workers", "1"]
    log = (home / "serve.log").open("w")
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/healthz", server)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=20)
        log.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium; where it is missing, tests are skipped, except in CI, where that is a failure.

    Not for the whole session: while Playwright runs, its event loop makes Django refuse the database to every other
    test of the process.
    """
    if not Path(CHROMIUM).exists() and shutil.which("chromium") is None:
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is missing: CI installs it, see .ci/run")
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=shutil.which("chromium") or CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Visit:
    """One tab, and everything it asked for or complained about."""

    def __init__(self, page: Page, site: str) -> None:
        self.page, self.site = page, site
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asked)
        page.on("response", self._answered)

    def go(self, path: str) -> Page:
        """Open a page of the site."""
        self.page.goto(self.site + path)
        return self.page

    def sign_in(self, name: str) -> Page:
        """Sign in with the stage's password."""
        self.go("/login/")
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.site}/")
        return self.page

    def is_clean(self) -> bool:
        """No error in the console, no failed answer, no request to another host."""
        assert self.complaints == []
        assert self.foreign == []
        return True

    def _said(self, message: object) -> None:
        if getattr(message, "type", "") in ("error", "warning"):
            self.complaints.append(str(getattr(message, "text", message)))

    def _asked(self, request: object) -> None:
        url = str(getattr(request, "url", ""))
        if not url.startswith((self.site, "data:")):
            self.foreign.append(url)

    def _answered(self, response: object) -> None:
        if getattr(response, "status", 0) >= 400:
            self.complaints.append(f"{getattr(response, 'status', 0)} {getattr(response, 'url', '')}")


@pytest.fixture
def browse(chromium: Browser, site: str) -> Iterator[Open]:
    """Open tabs: ``browse(width=390, scheme="dark")``; each has cookies of its own."""
    contexts = []

    def opened(*, width: int = WIDE, scheme: str = "light") -> Visit:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            locale="en-GB",
        )
        context.set_default_timeout(20_000)
        contexts.append(context)
        return Visit(context.new_page(), site)

    yield opened
    for context in contexts:
        context.close()


def _without_ours() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("REGELKREIS_")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        assert server.poll() is None, "the server ended; see serve.log in the home"
        try:
            with urlopen(address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.25)
    pytest.fail(f"{address} did not answer in a minute")
