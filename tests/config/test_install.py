"""`init`: everything a fresh machine needs, made once and never overwritten."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from config.databases import database
from config.install import TEMPLATE, make_home, make_ledger_key
from config.secret_files import read_or_make_secret
from config.settings import load
from improvement.errors import InputError


def test_a_fresh_home_has_settings_keys_and_rules(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = make_home(home)
    assert any("regelkreis.toml" in line for line in made)
    assert {path.name for path in home.iterdir()} == {
        "regelkreis.toml",
        "secrets",
        "rules",
        "ledger.key",
        "secret.key",
        "token.key",
    }
    assert list((home / "rules").glob("*.yaml"))


def test_what_is_secret_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    make_home(tmp_path / "home")
    for name in ("ledger.key", "secret.key", "token.key", "regelkreis.toml"):
        assert stat.S_IMODE((tmp_path / "home" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "home" / "secrets").stat().st_mode) == 0o700


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home)
    (home / "regelkreis.toml").write_text('language = "de"\n')
    rule, gone = sorted((home / "rules").glob("*.yaml"))[:2]
    rule.write_text("# mine\n")
    gone.unlink()
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert make_home(home) == []
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_a_home_of_an_older_version_is_told_to_be_brought_up_to_this_one(tmp_path: Path) -> None:
    older = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'config.django_settings'\n"
        "from config.install import make_files; from config.settings import home; make_files(home())\n"
        "import django; django.setup()\n"
        "from django.core.management import call_command; call_command('migrate', 'workflows', '0010', verbosity=0)"
    )
    init = "import sys; sys.argv = ['regelkreis', 'init']; from config.entry import main; main()"
    environment = {**os.environ, "REGELKREIS_HOME": str(tmp_path / "home")}
    told = []
    for code in (older, init, init):
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        told.append(done.stdout)
    assert "brought the state up to this version (" in told[1]
    assert told[2].startswith("everything was there already")


def test_the_written_settings_are_comments_and_every_commented_line_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tomllib.loads(TEMPLATE) == {}
    meant = "\n".join(
        line.removeprefix("# ") for line in TEMPLATE.splitlines() if re.match(r"# (\[[A-Za-z.]+\]|[A-Za-z_]+ = )", line)
    )
    (tmp_path / "regelkreis.toml").write_text(meant, encoding="utf-8")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "connections__snow__password").write_text("p")
    (tmp_path / "secrets" / "connections__jira__token").write_text("t")
    monkeypatch.setenv("REGELKREIS_HOME", str(tmp_path))
    settings = load()
    assert set(settings.connections) == {"snow", "jira"}
    assert settings.zones["US"] == "America/Chicago"
    assert settings.business_calendars()["US"].zone == "America/Chicago"


def test_a_signed_ledger_never_gets_a_new_key_silently(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Restore it from your backup"):
        make_ledger_key(tmp_path, has_checkpoints=True)
    assert make_ledger_key(tmp_path, has_checkpoints=False)
    assert make_ledger_key(tmp_path, has_checkpoints=True) == []


def test_processes_that_start_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    found: list[str] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(read_or_make_secret(tmp_path / "secret.key"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(found[0]) > 40
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_sqlite_waits_for_other_writers(tmp_path: Path) -> None:
    options = database("sqlite", home=tmp_path)["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert options["timeout"] >= 10
    assert "journal_mode=WAL" in options["init_command"]


def test_a_postgresql_address_is_taken_apart(tmp_path: Path) -> None:
    found = database("postgresql://rk:p%40ss@db.acme:5433/state?sslmode=require", home=tmp_path)
    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"]) == ("rk", "p@ss", "db.acme", "5433")
    assert (found["NAME"], found["OPTIONS"]) == ("state", {"sslmode": "require", "connect_timeout": "10"})
