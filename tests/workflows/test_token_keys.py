"""A key that seals tokens can be replaced: nothing is lost, and nothing opens with the old one any more."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from config.settings import load
from connectors.sealed_files import Sealed, secret_in
from connectors.sealing import Seal, keys_in, new_key
from connectors.tokens import Token, TokenFile
from improvement.errors import PermissionMissing, Place, SettingsError
from tests.workflows.build import a_person
from workflows import access, token_keys
from workflows.models import LedgerEntry

pytestmark = pytest.mark.django_db
CLOUD = """
[connections.cloud]
platform = "jira"
url = "https://api.atlassian.com/ex/jira/1"
[connections.cloud.oauth]
client_id = "id"
client_secret = "s3cret-of-client"
grant = "refresh_token"
refresh_token = "first-refresh"
"""
TOKEN = Token(access="acc-ess", refresh="ref-resh", renew_at=1.0, seed="s")


@pytest.fixture
def kept(home: Path, settings: Any) -> TokenFile:
    """A token kept under the key that `init` made."""
    (home / "regelkreis.toml").write_text(CLOUD)
    settings.REGELKREIS = load()
    file = TokenFile(home / "tokens" / "cloud.token", Seal(settings.REGELKREIS.token_keys()))
    with file.locked():
        file.write(TOKEN)
    return file


@pytest.fixture
def folder(home: Path) -> Path:
    """Where files with secrets lie."""
    found = home / "secrets"
    found.mkdir(exist_ok=True)
    return found


def opened(file: Path, keys: str) -> Token | None:
    return TokenFile(file, Seal(keys_in(keys))).read()


def test_the_key_of_the_home_is_replaced(home: Path, kept: TokenFile, monday: datetime) -> None:
    old = (home / "token.key").read_text()
    done = token_keys.rotate(access.local_admin(), at=monday)
    new = (home / "token.key").read_text()
    assert (done.connections, done.is_key_new) == (("cloud",), True)
    assert len(keys_in(new)) == 1
    assert new.strip() != old.strip()
    assert (home / "token.key").stat().st_mode & 0o777 == 0o600
    assert opened(kept.path, new) == TOKEN
    with pytest.raises(SettingsError, match="sealed with another key"):
        opened(kept.path, old)


def test_a_given_key_seals_again_and_the_older_one_can_go(
    home: Path, kept: TokenFile, monday: datetime, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    old, new = (home / "token.key").read_text(), new_key()
    monkeypatch.setenv("REGELKREIS_TOKEN_KEY", f"{new} {old}")
    settings.REGELKREIS = load()
    assert not token_keys.rotate(access.local_admin(), at=monday).is_key_new
    assert opened(kept.path, new) == TOKEN
    assert (home / "token.key").read_text() == old


def test_killed_half_way_nothing_is_locked_in(
    home: Path, kept: TokenFile, monday: datetime, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    def killed(self: TokenFile, token: Token) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(TokenFile, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            token_keys.rotate(access.local_admin(), at=monday)
    assert opened(kept.path, (home / "token.key").read_text()) == TOKEN
    settings.REGELKREIS = load()
    token_keys.rotate(access.local_admin(), at=monday)
    assert opened(kept.path, (home / "token.key").read_text()) == TOKEN


def test_the_ledger_tells_who_and_when_but_no_key_and_no_token(home: Path, kept: TokenFile, monday: datetime) -> None:
    old = (home / "token.key").read_text().strip()
    token_keys.rotate(access.local_admin(), at=monday)
    new = (home / "token.key").read_text().strip()
    (entry,) = LedgerEntry.objects.filter(type="secrets.rotated")
    written = bytes(entry.data)
    assert b'"connections":["cloud"]' in written
    assert not any(secret.encode() in written for secret in (old, new, "acc-ess", "ref-resh"))


def test_only_an_administrator_replaces_it(home: Path, kept: TokenFile, monday: datetime) -> None:
    before = (home / "token.key").read_bytes()
    with pytest.raises(PermissionMissing):
        token_keys.rotate(a_person("vera"), at=monday)
    assert (home / "token.key").read_bytes() == before


def test_files_with_secrets_are_sealed_in_their_place(
    home: Path, folder: Path, kept: TokenFile, monday: datetime, settings: Any
) -> None:
    (folder / "connections__cloud__hook_secret").write_text("sixteen-letters-or-more\n")
    (folder / "database").write_text("postgresql://rk:pass-word@db.acme.example/state")
    assert token_keys.seal_files(access.local_admin(), at=monday) == ("connections__cloud__hook_secret", "database")
    assert token_keys.seal_files(access.local_admin(), at=monday) == ()
    for file in folder.iterdir():
        assert file.read_text().startswith("regelkreis-sealed:")
        assert file.stat().st_mode & 0o007 == 0
    now = load()
    assert now.connections["cloud"].hook_secrets == ("sixteen-letters-or-more",)
    assert now.database == "postgresql://rk:pass-word@db.acme.example/state"
    assert "pass-word" in now.secrets()
    (entry,) = LedgerEntry.objects.filter(type="secrets.sealed")
    assert b'"files":["connections__cloud__hook_secret","database"]' in bytes(entry.data)


def test_a_new_key_seals_files_again_and_plain_ones_stay_plain(
    home: Path, folder: Path, kept: TokenFile, monday: datetime
) -> None:
    (folder / "connections__cloud__hook_secret").write_text("sixteen-letters-1-or-more")
    token_keys.seal_files(access.local_admin(), at=monday)
    (folder / "default_zone").write_text("Asia/Tokyo")
    old = (home / "token.key").read_text()
    assert token_keys.rotate(access.local_admin(), at=monday).files == ("connections__cloud__hook_secret",)
    assert load().connections["cloud"].hook_secrets == ("sixteen-letters-1-or-more",)
    assert load().default_zone == (folder / "default_zone").read_text() == "Asia/Tokyo"
    (home / "token.key").write_text(old)
    with pytest.raises(SettingsError, match="sealed with another key") as caught:
        load()
    assert caught.value.where == Place(file=str(folder / "connections__cloud__hook_secret"))


def test_many_at_once_seal_each_file_once(home: Path, folder: Path, kept: TokenFile, monday: datetime) -> None:
    """Real processes: one that finds a file plain must not seal what another one sealed meanwhile."""
    for number in range(40):
        (folder / f"zones__x{number}").write_text(f"secret {number}")
    code = (
        "import sys; from pathlib import Path; from connectors.sealed_files import locked, seal_plain; "
        "from connectors.sealing import Seal, keys_in; home = Path(sys.argv[1]); keys = home / 'token.key'\n"
        "with locked(keys): seal_plain(home / 'secrets', Seal(keys_in(keys.read_text())))"
    )
    several = [subprocess.Popen([sys.executable, "-c", code, str(home)]) for _ in range(3)]
    assert [one.wait(timeout=60) for one in several] == [0, 0, 0]
    seal = Seal(keys_in((home / "token.key").read_text()))
    for number in range(40):
        assert secret_in(folder / f"zones__x{number}", lambda: seal) == f"secret {number}"


def test_what_cannot_be_sealed_is_told_and_the_rest_is_sealed(
    home: Path, folder: Path, kept: TokenFile, monday: datetime, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").write_text("plain")
    (folder / "a").symlink_to(tmp_path / "elsewhere")
    (folder / "b").write_text("plain too")
    (folder / "b").chmod(0o644)
    with pytest.raises(SettingsError, match=r"1 could not be sealed \(a: it is a link.*Sealed: b"):
        token_keys.seal_files(access.local_admin(), at=monday)
    assert (folder / "a").read_text() == "plain"
    assert (folder / "b").read_text().startswith("regelkreis-sealed:")
    assert (folder / "b").stat().st_mode & 0o777 == 0o640, "who could read it by its group still can"


def test_a_rotation_that_was_stopped_goes_on_with_its_new_key(
    home: Path, folder: Path, kept: TokenFile, monday: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "default_zone").write_text("Asia/Tokyo")
    token_keys.seal_files(access.local_admin(), at=monday)
    with monkeypatch.context() as patched:
        patched.setattr("connectors.sealed_files._replace", _full)
        with pytest.raises(SettingsError, match="No space left"):
            token_keys.rotate(access.local_admin(), at=monday)
    both = keys_in((home / "token.key").read_text())
    assert len(both) == 2
    assert load().default_zone == "Asia/Tokyo"
    token_keys.rotate(access.local_admin(), at=monday)
    (left,) = keys_in((home / "token.key").read_text())
    assert left == both[0]
    assert load().default_zone == "Asia/Tokyo"


def _full(file: Path, plain: str, seal: Seal, done: Sealed) -> None:
    done.left[file.name] = "No space left on device"


def test_the_ledger_knows_of_a_sealing_that_was_killed(
    home: Path, folder: Path, kept: TokenFile, monday: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "default_zone").write_text("Asia/Tokyo")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(token_keys, "seal_plain", killed)
    with pytest.raises(KeyboardInterrupt):
        token_keys.seal_files(access.local_admin(), at=monday)
    assert LedgerEntry.objects.filter(type="secrets.sealed").count() == 1


def test_without_a_key_nothing_is_sealed_and_what_is_sealed_says_so(
    home: Path, folder: Path, monday: datetime, settings: Any
) -> None:
    file = folder / "default_zone"
    file.write_text("Asia/Tokyo")
    key = (home / "token.key").read_text()
    (home / "token.key").unlink()
    with pytest.raises(SettingsError, match="no key"):
        token_keys.seal_files(access.local_admin(), at=monday)
    assert file.read_text() == "Asia/Tokyo"
    (home / "token.key").write_text(key)
    token_keys.seal_files(access.local_admin(), at=monday)
    (home / "token.key").unlink()
    with pytest.raises(SettingsError, match="no key"):
        load()


def test_only_an_administrator_seals_files(home: Path, folder: Path, monday: datetime) -> None:
    (folder / "default_zone").write_text("Asia/Tokyo")
    with pytest.raises(PermissionMissing):
        token_keys.seal_files(a_person("vera"), at=monday)
    assert (folder / "default_zone").read_text() == "Asia/Tokyo"


def test_a_seal_that_does_not_fit_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"not sealed at all")
    with pytest.raises(SettingsError) as caught:
        TokenFile(tmp_path / "x", Seal(keys_in(new_key()))).read()
    assert caught.value.where == Place(file=str(tmp_path / "x"))
