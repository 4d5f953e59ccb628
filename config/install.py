"""`regelkreis init`: make the home directory, its keys, the commented settings file and the starter rules."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

TEMPLATE = """# Settings of this Regelkreis. Every key can also be set in the environment: REGELKREIS_LANGUAGE=de,
# REGELKREIS_CONNECTIONS__SNOW__PASSWORD=…; or as a file in secrets/: connections__snow__password.

# language = "en"                     # en | de: the language of work notes; the site follows the browser
# public_url = "http://127.0.0.1:8600"  # how people reach the site; links in work notes begin with it
# database = "sqlite"                 # or postgresql://user@host:5432/regelkreis
# default_zone = "UTC"                # whose weeks count where a scope has no country
# log_format = "auto"                 # auto | console | json
# log_level = "warning"               # debug | info | warning | error
# ledger_origin = "acme.example/regelkreis"  # the name of your ledger; it stands in every checkpoint

# [zones]                             # in which zone a country's weeks are counted
# US = "America/Chicago"

# [connections.snow]
# platform = "servicenow"
# url = "https://acme.service-now.com"
# user = "regelkreis"                 # its password: secrets/connections__snow__password

# [connections.jira]
# platform = "jira"
# url = "https://acme.atlassian.net"
# user = "regelkreis@acme.example"    # its API token: secrets/connections__jira__token
# improvement_project = "CIP"         # where improvement actions are written
"""


def init_command() -> None:
    """Make the home directory with settings, keys, starter rules and database. Keeps what is already there."""
    from config.settings import home

    made = make_home(home())
    import django
    import typer

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from workflows import access

    access.local_admin()
    for line in made or ["everything was there already"]:
        typer.echo(line)
    typer.echo(f"Ready: {home()}. Next: describe a connection in regelkreis.toml, then `regelkreis doctor`.")


def make_home(home: Path) -> list[str]:
    """Create what is missing in a home directory; returns a line for each thing made. Never overwrites."""
    made: list[str] = []
    for folder, mode in ((home, 0o750), (home / "secrets", 0o700), (home / "rules", 0o750)):
        if not folder.exists():
            folder.mkdir(parents=True, mode=mode)
            made.append(f"made {folder}")
    file = home / "regelkreis.toml"
    if not file.exists():
        file.write_text(TEMPLATE, encoding="utf-8")
        made.append(f"wrote {file}")
    made.extend(_copy_rules(home / "rules"))
    made.extend(_make_keys(home))
    return made


def _copy_rules(target: Path) -> list[str]:
    made = []
    for source in sorted(resources.files("config").joinpath("rules").iterdir(), key=lambda item: item.name):
        if source.name.endswith(".yaml") and not (target / source.name).exists():
            (target / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
            made.append(f"copied {target / source.name}")
    return made


def _make_keys(home: Path) -> list[str]:
    from config.secret_files import read_or_make_secret
    from improvement.evidence import checkpoint

    made = []
    if not (home / "ledger.key").exists():
        checkpoint.new_key(home / "ledger.key")
        made.append(f"made {home / 'ledger.key'} (signs the ledger: back it up)")
    if not (home / "secret.key").exists():
        read_or_make_secret(home / "secret.key")
        made.append(f"made {home / 'secret.key'} (signs web sessions)")
    return made
