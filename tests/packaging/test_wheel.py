"""Built as a wheel and installed away from the checkout, everything is there: rules, pages, German, migrations."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).parents[2]
SOURCES = ("config", "connectors", "improvement", "workflows", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a build leaves folders behind."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "tests" / "packaging", source / "tests" / "packaging")  # to be left out
    pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", target, source)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`regelkreis` in an environment of its own that borrows the pinned libraries, but not our checkout."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=60)
    python = environment / "bin" / "python"
    pip("--python", python, "install", "--no-deps", "--no-index", "--ignore-installed", wheel)
    packages = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    # A path line in a .pth file adds a folder without reading the .pth files in it: the editable install stays out.
    Path(packages, "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return environment / "bin" / "regelkreis"


def pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and nothing in the environment that leads elsewhere."""
    for name in [name for name in os.environ if name.startswith(("REGELKREIS_", "PYTHON", "DJANGO_", "VIRTUAL_ENV"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(program: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@contextmanager
def serving(program: Path, *arguments: str, until: str) -> Iterator[None]:
    """A command that serves, until this address answers; ended with the block."""
    process = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                requests.get(until, timeout=5)
                break
            except requests.ConnectionError:
                assert process.poll() is None, process.stderr and process.stderr.read()
                assert time.monotonic() < deadline, f"{until} does not answer"
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_the_wheel_holds_what_runs_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {
        "config",
        "connectors",
        "improvement",
        "workflows",
    }
    for folder, pattern in (
        ("config/rules", ".yaml"),
        ("workflows/web/templates", ".html"),
        ("workflows/web/static", ".css"),
        ("workflows/web/locale", ".mo"),
        ("workflows/migrations", ".py"),
    ):
        here = {file.relative_to(ROOT).as_posix() for file in (ROOT / folder).rglob(f"*{pattern}")}
        assert here
        assert here <= set(names)


def test_it_runs_from_its_own_environment(program: Path, empty: Path) -> None:
    python = program.with_name("python")
    where = (
        "import config, workflows, connectors, improvement as i; print(config.__file__, workflows.__file__, i.__file__)"
    )
    found = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True).stdout.split()
    assert all(path.startswith(str(program.parents[1])) for path in found)
    assert "regelkreis 0." in run(program, "--version")


def test_from_an_empty_directory_it_makes_a_home_and_serves_german_pages(program: Path, empty: Path) -> None:
    assert "Ready" in run(program, "init")
    assert "0 errors" in run(program, "rules", "check")
    told = run(program, "doctor", "--json", code=1)
    failing = [line["check"] for line in json.loads(told) if not line["is_ok"]]
    assert failing == ["connections"]  # none is configured yet, and nothing else is missing
    port = free_port()
    site = f"http://127.0.0.1:{port}"
    with serving(program, "serve", "--port", str(port), "--workers", "1", until=f"{site}/healthz"):
        page = requests.get(f"{site}/login/", headers={"Accept-Language": "de"}, timeout=30)
        assert page.status_code == 200
        assert 'lang="de"' in page.text
        assert "Passwort" in page.text
        style = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
        answer = requests.get(f"{site}{style}", timeout=30)
        assert answer.headers["Content-Type"].startswith("text/css")
        assert "{" in answer.text
        english = requests.get(f"{site}/login/", headers={"Accept-Language": "en"}, timeout=30)
        assert "Password" in english.text


def test_it_serves_a_sandbox_and_runs_a_cycle_against_it(program: Path, empty: Path) -> None:
    run(program, "init")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    (empty / "regelkreis-home" / "regelkreis.toml").write_text(
        f'[connections.snow]\nplatform = "servicenow"\nurl = "{address}"\nuser = "regelkreis"\npassword = "sandbox"\n'
    )
    options = ("--servicenow-port", str(port), "--jira-cloud-port", "0", "--jira-dc-port", "0", "--size", "small")
    with serving(program, "sandbox", *options, until=f"{address}/sandbox/clock"):
        now = requests.get(f"{address}/sandbox/clock", timeout=30).json()["now"]
        summary = json.loads(run(program, "cycle", "--as-of", now, "--json"))
    assert summary["errors"] == []
    assert summary["new_tickets"] > 1000
    assert summary["points"] > 0
