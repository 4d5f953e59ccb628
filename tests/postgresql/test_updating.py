"""On PostgreSQL a state of the version before is brought up to this one in the same way."""

from __future__ import annotations

from pathlib import Path

from tests.postgresql_server import PostgresServer
from tests.workflows.deliveries.test_updating import MAY_STAND_UNNAMED, updated
from tests.workflows.rules.test_updating import RULES


def test_all_that_is_not_known_to_be_sent_is_looked_for_as_it_was_marked_then(
    tmp_path: Path, postgresql_server: PostgresServer
) -> None:
    found = updated(tmp_path, REGELKREIS_DATABASE=postgresql_server.new_database())
    assert found["flagged"] == MAY_STAND_UNNAMED
    assert found["ours"] == found["identity"]


def test_findings_go_on_and_values_name_their_version(tmp_path: Path, postgresql_server: PostgresServer) -> None:
    found = updated(tmp_path, RULES, REGELKREIS_DATABASE=postgresql_server.new_database())
    assert (found["renamed"], found["versions"]) == ([True, True], [[found["own"]], [None]])
