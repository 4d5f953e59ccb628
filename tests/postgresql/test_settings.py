"""The setting `database` on a real server: what works, and what is said when it does not."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.command import regelkreis
from tests.postgresql_server import PASSWORD, PostgresServer


def run(home: Path, address: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return regelkreis(home, *arguments, REGELKREIS_DATABASE=address)


def test_init_makes_the_state_there_and_a_second_one_changes_nothing(
    tmp_path: Path, postgresql_server: PostgresServer
) -> None:
    address = postgresql_server.new_database()
    assert run(tmp_path, address, "init").returncode == 0
    again = run(tmp_path, address, "init", "--json")
    assert json.loads(again.stdout)["made"] == []
    assert run(tmp_path, address, "users", "add", "olga").returncode == 0
    listed = json.loads(run(tmp_path, address, "users", "list", "--json").stdout)
    assert [person["user"] for person in listed] == ["admin", "olga"]
    assert not (tmp_path / "state.sqlite3").exists()


def test_before_init_a_command_says_what_to_do(tmp_path: Path, postgresql_server: PostgresServer) -> None:
    done = run(tmp_path, postgresql_server.new_database(), "actions", "list")
    assert done.returncode == 2
    assert "Run `regelkreis init`" in done.stderr


def without_rights(server: PostgresServer) -> str:
    address = server.new_database()
    with psycopg.connect(server.address(), autocommit=True) as connection:
        connection.execute("CREATE USER guest PASSWORD 'guest-password'")
    return server.address(address.rpartition("/")[2], user="guest", password="guest-password")


def at_a_closed_port(_: PostgresServer) -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"postgresql://rk:hidden-words@127.0.0.1:{listener.getsockname()[1]}/state"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (lambda server: server.address(password="wrong-password"), "Correct user and password"),
        (lambda server: server.address("nowhere"), "createdb"),
        (lambda server: server.address(user="nobody"), "Correct user and password"),
        (lambda server: server.address() + "?sslmode=require", "sslmode"),
        (at_a_closed_port, "Is the server running"),
        (lambda _: "postgresql://rk:hidden-words@no.such.host.invalid/state", "Correct the host"),
        (without_rights, "owner of the database"),
    ],
    ids=["password", "database", "user", "ssl", "port", "host", "rights"],
)
def test_what_does_not_work_is_told_in_one_line_without_secrets(
    tmp_path: Path, postgresql_server: PostgresServer, address: object, said: str
) -> None:
    assert callable(address)
    done = run(tmp_path, address(postgresql_server), "init")
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    for secret in (PASSWORD, "wrong-password", "hidden-words", "guest-password"):
        assert secret not in done.stderr
