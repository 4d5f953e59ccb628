"""In this folder the state is a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from config.databases import database
from tests.postgresql_server import PostgresServer
from tests.workflows.conftest import beginnings, home, monday

__all__ = ["beginnings", "home", "monday"]


@pytest.fixture(scope="package", autouse=True)
def state_on_postgresql(postgresql_server: PostgresServer, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Put a migrated PostgreSQL database in the place of the SQLite one while this folder's tests run."""
    described = database(postgresql_server.new_database(), home=Path())
    before, connection = connections.settings["default"], connections["default"]
    connections.settings["default"] = connections.configure_settings({"default": described})["default"]
    connections["default"] = connections.create_connection("default")
    with django_db_blocker.unblock():
        call_command("migrate", verbosity=0, interactive=False)
    yield
    with django_db_blocker.unblock():
        connections["default"].close()
    connections.settings["default"] = before
    connections["default"] = connection


@pytest.fixture(scope="package")
def django_db_setup(state_on_postgresql: None) -> None:
    """Nothing is left to set up: the state is there, migrated."""
