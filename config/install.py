"""`regelkreis init`: make the home directory, its keys, the commented settings file and the starter rules."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from config.secret_files import read_or_make_secret
from improvement.errors import InputError, Place

TEMPLATE = """# Settings of this Regelkreis. Every key can also be set in the environment: REGELKREIS_LANGUAGE=de,
# REGELKREIS_CONNECTIONS__SNOW__PASSWORD=…; or as a file in secrets/: connections__snow__password.

# language = "en"                     # en | de: the language of work notes; the site follows the browser
# public_url = "http://127.0.0.1:8600"  # how people reach the site; links in work notes begin with it
# database = "sqlite"                 # or postgresql://user@host:5432/regelkreis
# allowed_hosts = ["regelkreis.acme.example"]  # further names of the site; that of public_url is known
# default_zone = "UTC"                # whose weeks count where a scope has no country
# log_format = "auto"                 # auto | console | json
# log_level = "warning"               # debug | info | warning | error
# ledger_origin = "acme.example/regelkreis"  # the name of your ledger; it stands in every checkpoint
# max_slip_weeks = 4                  # how late a change may go live before its plan is approved again
# allow_own_approval = false          # true: a small team may approve its own plans; every use is logged
# warehouse = "warehouse.duckdb"      # where the records live; relative paths are below this folder
# warehouse_memory = "96MB"           # for its buffers; about the size of the file makes cycles a quarter faster
# warehouse_threads = 2               # that count one query; 1 where a cycle reads little and cores are shared
# rules = "rules"                     # the folder of your rules
# exposure = "exposure.csv"           # how many users or assets customers have: counts are told per these

# [zones]                             # in which zone a country's weeks are counted
# US = "America/Chicago"

# [metrics]
# repeat_days = 7                     # a repeated incident follows one on the same subject within so many days
# mood_weights = { nps = 0, complaints = 20 }  # 0 leaves a part out; `regelkreis metrics show mood_index` lists them
# business = ["time_to_resolve"]      # counted in business hours where a country has a calendar

# [calendars.US]                      # when a country works; its zone is that of [zones]
# hours = { mon-fri = "08:00-12:00, 13:00-17:00" }
# subdivision = "CA"                  # whose public holidays; holidays = false: none
# days = { 2026-12-24 = "08:00-12:00", 2026-12-31 = "closed" }

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


def init_command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Make the home directory with settings, keys, starter rules and database. Keeps what is already there."""
    from config.settings import home

    made = make_files(home())
    import django

    django.setup()
    made += _migrate()
    from workflows import access
    from workflows.models import Checkpoint

    admin = access.local_admin()
    made += make_ledger_key(home(), has_checkpoints=Checkpoint.objects.exists())
    if as_json:
        typer.echo(json.dumps({"home": str(home()), "made": made}, ensure_ascii=False, indent=2))
        return
    for line in made or ["everything was there already"]:
        typer.echo(line)
    typer.echo(f"Ready: {home()}. Next: describe a connection in regelkreis.toml, then `regelkreis doctor`.")
    if not admin.has_usable_password():
        typer.echo(f"To sign in to the site as {admin.username}: `regelkreis users password {admin.username}`.")


def _migrate() -> list[str]:
    """Bring the state's tables up to this version; a line where they were of an older one."""
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    is_older = bool(executor.loader.applied_migrations)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    call_command("migrate", verbosity=0)
    return [f"brought the state up to this version ({len(missing)} migrations)"] if is_older and missing else []


def make_home(folder: Path) -> list[str]:
    """Create what is missing in a home directory, without a database; a line for each thing made."""
    return make_files(folder) + make_ledger_key(folder, has_checkpoints=False)


def make_files(folder: Path) -> list[str]:
    """Create the folders, the commented settings file, two keys and the starter rules where they are missing.

    Never overwrites. The starter rules are copied once, together with their folder: a rule that somebody deleted
    stays deleted.
    """
    from connectors.sealing import new_key  # loads pydantic

    has_rules = (folder / "rules").is_dir()
    made = [f"made {path}" for path, mode in _folders(folder) if _make_folder(path, mode)]
    file = folder / "regelkreis.toml"
    if not file.exists():
        file.touch(mode=0o600)  # people will write passwords into it
        file.write_text(TEMPLATE, encoding="utf-8")
        made.append(f"wrote {file}")
    if not (folder / "secret.key").exists():
        read_or_make_secret(folder / "secret.key")
        made.append(f"made {folder / 'secret.key'} (signs web sessions)")
    if not (folder / "token.key").exists():
        read_or_make_secret(folder / "token.key", new_key)
        made.append(f"made {folder / 'token.key'} (seals what is kept of platforms' tokens)")
    return made if has_rules else made + _copy_rules(folder / "rules")


def make_ledger_key(folder: Path, *, has_checkpoints: bool) -> list[str]:
    """Create the ledger's signing key (mode 0600) where it is missing.

    Raises :class:`InputError` when the ledger was signed already and its key is gone: a new one could not verify it.
    """
    from improvement.evidence import checkpoint

    key = folder / "ledger.key"
    if key.exists():
        return []
    if has_checkpoints:
        raise InputError(
            "The ledger's signing key is gone, but checkpoints were signed with it.",
            where=Place(file=str(key)),
            mend="Restore it from your backup.",
        )
    checkpoint.new_key(key)
    return [f"made {key} (signs the ledger: back it up)"]


def _folders(folder: Path) -> tuple[tuple[Path, int], ...]:
    return (folder, 0o750), (folder / "secrets", 0o700), (folder / "rules", 0o750)


def _make_folder(path: Path, mode: int) -> bool:
    if path.is_dir():
        return False
    path.mkdir(parents=True, mode=mode)
    return True


def _copy_rules(target: Path) -> list[str]:
    made = []
    for source in sorted(resources.files("config").joinpath("rules").iterdir(), key=lambda item: item.name):
        if source.name.endswith((".yaml", ".yml")):
            (target / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
            made.append(f"copied {target / source.name}")
    return made
