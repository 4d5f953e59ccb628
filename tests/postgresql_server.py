"""A PostgreSQL server of the session's own, from Debian's package, on a free loopback port (see pyproject.toml).

Where the server program is missing the tests that ask for it are skipped; in CI (``CI`` is set) they fail.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

USER, PASSWORD = "regelkreis", "a-p@ss/word:of it"  # what an address has to escape is in it
START_S = 30
NOT_INSTALLED = "PostgreSQL's server programs are not installed (Debian: apt-get install postgresql)"
#: Fast and forgetful: the data ends with the tests.
OPTIONS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60", "shared_buffers=32MB")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server and its superuser."""

    host: str
    port: int
    numbers: count[int]

    def address(self, database: str = "postgres", *, user: str = USER, password: str = PASSWORD) -> str:
        """An address as the setting ``database`` takes it."""
        from urllib.parse import quote

        return f"postgresql://{user}:{quote(password, safe='')}@{self.host}:{self.port}/{database}"

    def new_database(self) -> str:
        """The address of a new, empty database."""
        name = f"state_{os.getpid()}_{next(self.numbers)}"
        with psycopg.connect(self.address(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.address(name)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresServer]:
    """The server of this test process, started when the first test asks for it."""
    programs = server_programs()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail(NOT_INSTALLED)
        pytest.skip(NOT_INSTALLED)
    with running_server(programs) as server:
        yield server


def server_programs() -> Path | None:
    """The folder of ``initdb`` and ``postgres``: Debian keeps each version in one of its own."""
    found = shutil.which("initdb")
    if found and shutil.which("postgres"):
        return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((file.parent for file in versions), key=lambda folder: float(folder.parent.name), default=None)


@contextmanager
def running_server(programs: Path) -> Iterator[PostgresServer]:
    """A server with an empty cluster while the block runs."""
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="regelkreis-postgresql-"))
    data, secret = folder / "data", folder / "password"
    secret.write_text(PASSWORD)
    if account is not None:
        for path in (folder, secret):
            os.chown(path, account.pw_uid, account.pw_gid)
    as_account = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account is not None else {}
    initialise = [programs / "initdb", "-D", data, "-U", USER, "--auth=scram-sha-256", "--pwfile", secret]
    initialise += ["--encoding=UTF8", "--locale=C", "--no-sync"]
    subprocess.run(initialise, cwd=folder, check=True, capture_output=True, timeout=120, **as_account)
    port = _free_port()
    settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", *OPTIONS]
    command = [programs / "postgres", "-D", data, *(part for setting in settings for part in ("-c", setting))]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **as_account)
    try:
        server = PostgresServer("127.0.0.1", port, count(1))
        _await(server, process, folder / "log")
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # "fast": sessions are ended, not waited for
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> pwd.struct_passwd | None:
    """Whose server it is: PostgreSQL refuses root, so then Debian's ``postgres``; else our own (None)."""
    return pwd.getpwnam("postgres") if os.geteuid() == 0 else None


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _await(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(server.address(), connect_timeout=2).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                told = log.read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start:\n{told}") from None
            time.sleep(0.05)
        else:
            return
