"""What is wrong in the settings file is told in the words of whoever wrote it, not in those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import load
from improvement.errors import RegelkreisError

SNOW = '[connections.snow]\nplatform = "servicenow"\nurl = "https://a.b"\nuser = "u"\n'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGELKREIS_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('connections = "snow"', "connections: A table is expected here: a line [connections], and its keys below."),
        ('connections.snow = "x"', "connections.snow: A table is expected here: a line [connections.snow]"),
        ("metrics = 7", "metrics: A table is expected here: a line [metrics]"),
        ("[metrics]\nrepeat_dayz = 7", "metrics.repeat_dayz: This key is unknown. Did you mean repeat_days?"),
        ("[metrics]\nrepeat_days = -7", "metrics.repeat_days: Input should be greater than or equal to 1."),
        ('[zones]\nSwitzerland = "Europe/Zurich"', "zones: “Switzerland” is no country code; did you mean CH?"),
        ('[zones]\nsouth = "Europe/Rome"', "zones: “south” is no country code; write two capital letters, like CH."),
        ("warehouse = 5", "warehouse: A path is expected here, in quotes."),
        ('allow_own_approval = "perhaps"', "allow_own_approval: Write true or false here."),
        ('max_slip_weeks = "some"', "max_slip_weeks: A whole number is expected here."),
        (f"{SNOW}password = 12345678", "connections.snow.password: A text is expected here, in quotes."),
        (SNOW.replace('url = "https://a.b"\n', 'password = "p"\n'), "connections.snow.url: This key is missing."),
        (
            SNOW.replace("snow]", '"my desk"]') + 'password = "p"',
            "The name of a connection is made of letters, digits, dots, dashes and underscores.",
        ),
        ("\ufefflanguage = 'de'", "begins with an invisible byte order mark, which TOML does not allow. Save it as"),
    ],
)
def test_the_key_and_what_is_expected_there_are_named(home: Path, text: str, said: str) -> None:
    file = home / "regelkreis.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RegelkreisError) as refused:
        load()
    assert said in str(refused.value)
    assert str(refused.value).startswith(str(file))
    assert "12345678" not in str(refused.value)


def test_a_file_in_another_encoding_says_how_to_save_it(home: Path) -> None:
    (home / "regelkreis.toml").write_bytes('language = "dé"'.encode("latin-1"))
    with pytest.raises(RegelkreisError, match=r"is not UTF-8\. Save it as UTF-8"):
        load()
