"""Settings from environment, secrets directory and file; a wrong key or value is named where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import load
from connectors.sealed_files import seal_plain
from connectors.sealing import Seal, keys_in, new_key
from improvement.errors import ManyErrors, RegelkreisError, SettingsError

SNOW = """
[connections.snow]
platform = "servicenow"
url = "https://acme.service-now.com/"
user = "regelkreis"
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGELKREIS_HOME", str(tmp_path))
    (tmp_path / "secrets").mkdir()
    return tmp_path


def written(home: Path, text: str) -> Path:
    file = home / "regelkreis.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refusal() -> RegelkreisError:
    with pytest.raises(RegelkreisError) as caught:
        load()
    return caught.value


def test_an_empty_home_has_sensible_defaults(home: Path) -> None:
    settings = load()
    assert settings.warehouse == home / "warehouse.duckdb"
    assert settings.rules == home / "rules"
    assert settings.ledger_key == home / "ledger.key"
    assert settings.database == "sqlite"
    assert settings.zones["CH"] == "Europe/Zurich"
    assert settings.connections == {}


def test_the_environment_wins_over_secrets_and_those_over_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(home, f'language = "de"\ndefault_zone = "Europe/Berlin"\nlog_level = "info"\n{SNOW}password = "in-file"\n')
    (home / "secrets" / "connections__snow__password").write_text("in-secrets\n")
    (home / "secrets" / "default_zone").write_text("Asia/Tokyo")
    monkeypatch.setenv("REGELKREIS_DEFAULT_ZONE", "America/New_York")
    settings = load()
    password = settings.connections["snow"].password
    assert password is not None
    assert password.get_secret_value() == "in-secrets"
    assert (settings.default_zone, settings.language, settings.log_level) == ("America/New_York", "de", "info")
    assert settings.connections["snow"].url == "https://acme.service-now.com"
    assert settings.connections["snow"].name == "snow"


def test_a_password_in_the_environment_reaches_its_connection(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(home, SNOW)
    monkeypatch.setenv("REGELKREIS_CONNECTIONS__SNOW__PASSWORD", "hidden-in-env")
    assert load().secrets() == ("hidden-in-env",)


def test_the_address_of_the_database_may_be_a_secret_file_and_its_password_is_known_as_a_secret(home: Path) -> None:
    (home / "secrets" / "database").write_text("postgresql://rk:p%40ss-word@db.acme.example/state\n")
    settings = load()
    assert settings.database.startswith("postgresql://rk:")
    assert settings.secrets() == ("p@ss-word", "p%40ss-word")
    assert "ss-word" not in repr(settings)


def test_paths_below_the_home_and_elsewhere(home: Path) -> None:
    written(home, 'rules = "/srv/rules"\nwarehouse = "data/w.duckdb"\n')
    assert (load().rules, load().warehouse) == (Path("/srv/rules"), home / "data" / "w.duckdb")


def test_own_zones_add_to_the_defaults(home: Path) -> None:
    written(home, '[zones]\nUS = "America/Chicago"\nBR = "America/Sao_Paulo"\n')
    zones = load().zones
    assert (zones["US"], zones["BR"], zones["DE"]) == ("America/Chicago", "America/Sao_Paulo", "Europe/Berlin")


def test_hosts_in_the_environment_are_listed_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGELKREIS_ALLOWED_HOSTS", "a.example, b.example")
    assert load().allowed_hosts == ["a.example", "b.example"]


def test_a_misspelt_key_is_named_with_file_and_guess(home: Path) -> None:
    file = written(home, 'langauge = "de"\n')
    error = refusal()
    assert isinstance(error, SettingsError)
    assert str(error) == f"{file}, langauge: This key is unknown. Did you mean language?"


def test_a_misspelt_key_of_a_connection_too(home: Path) -> None:
    written(home, SNOW.replace("user", "usr") + 'token = "t"\n')
    assert "connections.snow.usr: This key is unknown. Did you mean user?" in str(refusal())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('language = "fr"', "language: Input should be 'en' or 'de'."),
        ('default_zone = "CET/Wrong"', "write one like Europe/Zurich"),
        ('public_url = "regelkreis"', "rite an address like https://"),
        ('warehouse_memory = "much"', "rite it like 96MB or 1GB"),
        ('warehouse_memory = "24MB"', "need at least 64MB"),
        ("warehouse_threads = 0", "greater than or equal to 1"),
        ('database = "mysql://x"', "postgresql://user:password@host:port/name"),
        ('database = "postgresql://rk:hidden@db:port/state"', "ost or port cannot be read"),
        ('database = "postgresql://rk:hid/den@db/state"', "percent-encoded"),
        ('database = "postgresql://rk:hidden@[db/state"', "ost or port cannot be read"),
        ('database = "postgresql://rk:hidden@db:5432"', "name of the database is missing"),
        ('database = "postgresql://rk:hidden@db/state?sslmod=require"', "nknown option sslmod"),
        ("max_slip_weeks = -1", "greater than or equal to 0"),
        ('ledger_origin = "two words"', "without spaces"),
        ('[zones]\nCH = "Zurich"', "write one like Europe/Zurich"),
        ('[connections.snow]\nplatform = "remedy"\nurl = "https://a.b"\ntoken = "t"', "'servicenow' or 'jira'"),
        ('[connections.snow]\nplatform = "jira"\nurl = "acme"\ntoken = "t"', "ust be an address like https://"),
    ],
)
def test_a_wrong_value_names_key_and_allowed_form(home: Path, line: str, said: str) -> None:
    file = written(home, line)
    assert str(file) in str(refusal())
    assert said in str(refusal())
    assert "hid" not in str(refusal())


def test_several_wrong_values_are_told_at_once(home: Path) -> None:
    written(home, 'language = "fr"\nlog_level = "loud"\nnonsense = 1\n')
    error = refusal()
    assert isinstance(error, ManyErrors)
    assert len(error.errors) == 3


def test_broken_toml_has_a_line_and_a_column(home: Path) -> None:
    file = written(home, 'language = "de"\nlog_level = warning\n')
    assert str(refusal()).startswith(f"{file}:2:13: The file is no valid TOML")


def test_a_variable_that_sets_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGELKREIS_LANGAUGE", "de")
    assert "Did you mean REGELKREIS_LANGUAGE?" in str(refusal())


def test_a_wrong_variable_is_named_instead_of_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(home, 'language = "de"\n')
    monkeypatch.setenv("REGELKREIS_LANGUAGE", "fr")
    assert str(refusal()).startswith("environment REGELKREIS_LANGUAGE, language:")
    monkeypatch.setenv("REGELKREIS_LANGUAGE", "en")
    monkeypatch.setenv("REGELKREIS_ZONES", "CH=Zurich")
    assert str(refusal()).startswith("environment REGELKREIS_ZONES, zones:")


def test_a_misnamed_secret_file_is_named(home: Path) -> None:
    written(home, SNOW + 'password = "p"\n')
    secret = home / "secrets" / "connections__snow__pasword"
    secret.write_text("hidden")
    message = str(refusal())
    assert message.startswith(f"{secret}, connections.snow.pasword")
    assert "Did you mean password?" in message


def test_a_secret_of_a_connection_that_nobody_describes_is_named_with_its_mend(home: Path) -> None:
    written(home, SNOW + 'password = "p"\n')
    secret = home / "secrets" / "connections__dead__password"
    secret.write_text("hidden")
    assert str(refusal()) == (
        f"{secret}: This is for a connection “dead”, and regelkreis.toml describes none of that name. "
        "Describe it there under [connections.dead], or take this away."
    )
    secret.unlink()
    assert set(load().connections) == {"snow"}


def test_a_variable_of_a_connection_that_nobody_describes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGELKREIS_CONNECTIONS__DEAD__PASSWORD", "hidden")
    message = str(refusal())
    assert message.startswith("environment REGELKREIS_CONNECTIONS__DEAD__PASSWORD: This is for a connection “dead”")
    assert "hidden" not in message


def test_a_described_connection_that_lacks_a_key_is_told_of_in_the_settings_file(home: Path) -> None:
    file = written(home, '[connections.snow]\nplatform = "servicenow"\n')
    (home / "secrets" / "connections__snow__password").write_text("hidden")
    assert str(refusal()) == f"{file}, connections.snow.url: This key is missing."


def test_no_message_ever_shows_a_secret(home: Path) -> None:
    written(home, '[connections.snow]\nplatform = "jira"\nurl = "https://u:hunter2-long@a.b"\npassword = 12345678\n')
    assert "hunter2" not in str(refusal())
    assert "12345678" not in str(refusal())


def test_the_settings_do_not_print_their_secrets(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(home, SNOW + 'password = "hidden-in-file"\n')
    monkeypatch.setenv("REGELKREIS_DATABASE", "postgresql://rk:hidden-in-url@db/state")
    settings = load()
    assert "hidden" not in repr(settings)
    assert set(settings.secrets()) == {"hidden-in-file", "hidden-in-url"}


# --- keys that seal tokens --------------------------------------------------------------------------------------

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


def test_rotating_tokens_get_a_place_and_the_key_of_the_home(home: Path) -> None:
    written(home, CLOUD)
    key = new_key()
    (home / "token.key").write_text(key + "\n")
    oauth = load().connections["cloud"].oauth
    assert oauth is not None
    assert oauth.token_file == home / "tokens" / "cloud.token"
    assert [item.get_secret_value() for item in oauth.token_keys] == [key]
    assert key not in repr(load())
    assert key in load().secrets()


def test_a_key_from_the_environment_or_a_secret_file_counts_more_than_the_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(home, CLOUD)
    (home / "token.key").write_text(new_key())
    old, newer = new_key(), new_key()
    (home / "secrets" / "token_key").write_text(old)
    assert [key.get_secret_value() for key in load().token_keys()] == [old]
    monkeypatch.setenv("REGELKREIS_TOKEN_KEY", f"{newer},{old}")
    assert [key.get_secret_value() for key in load().token_keys()] == [newer, old]


@pytest.mark.parametrize("place", ["environment", "secret file", "table", "home"])
def test_a_sealed_file_is_opened_with_the_key_in_force(home: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    key = new_key()
    (home / "secrets" / "default_zone").write_text("Asia/Tokyo")
    seal_plain(home / "secrets", Seal(keys_in(key)))
    others = {"home": home / "token.key", "secret file": home / "secrets" / "token_key"}
    if place == "environment":
        monkeypatch.setenv("REGELKREIS_TOKEN_KEY", f"{new_key()} {key}")
    elif place == "table":
        written(home, f'token_key = "{key}"\n')
    else:
        others[place].write_text(key)
    assert load().default_zone == "Asia/Tokyo"


def test_a_folder_that_cannot_be_written_keeps_its_secret(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = home / "secrets" / "default_zone"
    file.write_text("Asia/Tokyo")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("connectors.sealed_files.os.fsync", full)
    done = seal_plain(home / "secrets", Seal(keys_in(new_key())))
    assert (done.files, done.left) == ([], {"default_zone": "No space left on device"})
    assert [one.name for one in (home / "secrets").iterdir()] == ["default_zone"]
    assert file.read_text() == "Asia/Tokyo"


def test_what_the_environment_says_instead_need_not_be_opened(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "secrets" / "default_zone").write_text("\ufeffAsia/Tokyo\r\n")
    assert load().default_zone == "Asia/Tokyo", "as an editor of Windows writes it"
    seal_plain(home / "secrets", Seal(keys_in(new_key())))
    with pytest.raises(SettingsError, match="there is no key to open it"):
        load()
    monkeypatch.setenv("REGELKREIS_DEFAULT_ZONE", "Europe/Paris")
    assert load().default_zone == "Europe/Paris"
    monkeypatch.delenv("REGELKREIS_DEFAULT_ZONE")
    monkeypatch.setenv("REGELKREIS_TOKEN_KEY", "short")
    with pytest.raises(SettingsError, match="has not the right form"):
        load()


def test_a_key_of_the_wrong_form_is_named_by_its_place_and_not_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(home, CLOUD)
    (home / "token.key").write_text("hunter22-is-no-key")
    assert str(home / "token.key") in str(refusal())
    monkeypatch.setenv("REGELKREIS_TOKEN_KEY", "hunter23-is-no-key")
    error = refusal()
    assert "REGELKREIS_TOKEN_KEY" in str(error)
    assert "has not the right form" in str(error)
    assert "hunter2" not in str(error)
