"""Any byte changed behind the triggers' back is found, and the entry is named."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import regelkreis

SETUP = """
import django
django.setup()
from datetime import date, timedelta
from workflows.actions import commands
from workflows.evidence import ledger
from workflows.models import LookKind
from tests.workflows.build import OPENED, an_action, an_approver, an_owner, live, looked
olga = an_owner()
action = live(an_action(olga), an_approver())
ledger.sign_checkpoint(OPENED)
looked(action, kind=LookKind.LOOK)
ledger.sign_checkpoint(OPENED + timedelta(weeks=1))
looked(action, kind=LookKind.LOOK)
"""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose log holds the first half of an action's life: two checkpoints, and entries after the last."""
    home = tmp_path_factory.mktemp("story")
    assert regelkreis(home, "init").returncode == 0
    environment = {"REGELKREIS_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.django_settings"}
    done = subprocess.run(
        [sys.executable, "-c", SETUP],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[3]), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def copy(story: Path, tmp_path: Path) -> Path:
    home = tmp_path / "copy"
    shutil.copytree(story, home)
    return home


def tampered(home: Path, *statements: str | tuple[str, tuple[object, ...]]) -> None:
    """Change the file as somebody could who owns it: without the triggers."""
    with sqlite3.connect(home / "state.sqlite3") as raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f'DROP TRIGGER "{name}"')
        for statement in statements:
            text, values = (statement, ()) if isinstance(statement, str) else statement
            assert raw.execute(text, values).rowcount > 0, text
    raw.close()


def read(home: Path, sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(home / "state.sqlite3") as raw:
        found = raw.execute(sql).fetchall()
    raw.close()
    return found


def failures(home: Path) -> list[str]:
    done = regelkreis(home, "evidence", "verify", "--json")
    said = json.loads(done.stdout)
    assert said["ok"] is False, said
    assert done.returncode == 1
    found: list[str] = said["failures"]
    return found


def test_an_untouched_log_is_proven(copy: Path) -> None:
    done = regelkreis(copy, "evidence", "verify")
    assert done.returncode == 0, done.stdout
    assert "2 signed checkpoints agree" in done.stdout
    assert "1 frozen plan, 2 review records, 2 computed looks" in done.stdout
    assert "1 action with 5 steps" in done.stdout


def entry_of(home: Path, kind: str) -> int:
    found = read(home, f"SELECT \"index\" FROM workflows_ledgerentry WHERE type = '{kind}' ORDER BY 1 LIMIT 1")
    assert isinstance(found[0][0], int)
    return found[0][0]


@pytest.mark.parametrize("position", ["first", "middle", "last"])
def test_any_byte_of_an_entry_is_found_and_the_entry_named(copy: Path, position: str) -> None:
    index = entry_of(copy, "plan.frozen")
    ((data,),) = read(copy, f'SELECT data FROM workflows_ledgerentry WHERE "index" = {index}')
    assert isinstance(data, bytes)
    at = {"first": 0, "middle": len(data) // 2, "last": len(data) - 1}[position]
    changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    tampered(copy, ('UPDATE workflows_ledgerentry SET data = ? WHERE "index" = ?', (changed, index)))
    assert any(text.startswith(f"Entry {index} (plan.frozen) was changed") for text in failures(copy))


@pytest.mark.parametrize("change", ["leaf_hash = zeroblob(32)", "type = 'user.added'", "subject = 'ACT-9'"])
def test_every_column_of_an_entry_is_checked(copy: Path, change: str) -> None:
    index = entry_of(copy, "action.transitioned")
    tampered(copy, f'UPDATE workflows_ledgerentry SET {change} WHERE "index" = {index}')
    assert any(text.startswith(f"Entry {index} (") for text in failures(copy))


def rehashed(home: Path, kind: str) -> int:
    """Forge an entry together with its hash; returns which."""
    from improvement.evidence import merkle

    index = entry_of(home, kind)
    ((data,),) = read(home, f'SELECT data FROM workflows_ledgerentry WHERE "index" = {index}')
    assert isinstance(data, bytes)
    forged = data.replace(b'"actor":"', b'"actor":"q')
    tampered(
        home,
        (
            'UPDATE workflows_ledgerentry SET data = ?, leaf_hash = ? WHERE "index" = ?',
            (forged, merkle.leaf_hash(forged), index),
        ),
    )
    return index


def test_an_entry_forged_with_its_hash_lies_between_two_checkpoints(copy: Path) -> None:
    first, second = (size for (size,) in read(copy, "SELECT size FROM workflows_checkpoint ORDER BY size"))
    assert isinstance(second, int)
    index = rehashed(copy, "review.recorded")
    assert isinstance(first, int)
    assert first <= index < second
    assert any(f"an entry between {first} and {second - 1} was changed" in text for text in failures(copy))


def test_an_entry_forged_with_its_hash_after_the_last_checkpoint_is_found_by_the_head(copy: Path) -> None:
    ((second,),) = read(copy, "SELECT max(size) FROM workflows_checkpoint")
    ((last,),) = read(copy, 'SELECT max("index") FROM workflows_ledgerentry')
    from improvement.evidence import merkle

    forged = b"{}"
    tampered(
        copy,
        (
            "UPDATE workflows_ledgerentry SET data = ?, leaf_hash = ?, type = '', subject = '' WHERE \"index\" = ?",
            (forged, merkle.leaf_hash(forged), last),
        ),
    )
    found = failures(copy)
    assert any(f"Entry {last}" in text or f"between {second} and {last}" in text for text in found)


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (('DELETE FROM workflows_ledgerentry WHERE "index" = 3',), "Entry 3 is missing"),
        (
            (
                'DELETE FROM workflows_ledgerentry WHERE "index" = (SELECT max("index") FROM workflows_ledgerentry)',
                "UPDATE workflows_ledgerhead SET size = size - 1",
            ),
            "head",
        ),
        (("UPDATE workflows_ledgerhead SET frontier = '[\"00\"]'",), "head"),
        (("UPDATE workflows_ledgerhead SET frontier = '[\"zz\"]'",), "head"),
        (("UPDATE workflows_checkpoint SET note = replace(note, 'A', 'B')",), "Checkpoint"),
        (("UPDATE workflows_checkpoint SET size = size + 1 WHERE size = (SELECT max(size) FROM workflows_checkpoint)",),
         "Checkpoint"),
        (("UPDATE workflows_plan SET document = replace(document, '-50%', '-10%')",), "Plan version 1 of ACT-1"),
        (("DELETE FROM workflows_plan",), "Plan version 1 of ACT-1"),
        (("UPDATE workflows_plan SET approved_by_id = (SELECT owner_id FROM workflows_action)",),
         "Plan version 1 of ACT-1 names another approver"),
        (("DELETE FROM workflows_action",), "ACT-1, opened by entry"),
        (("UPDATE workflows_reviewrecord SET document = replace(document, '0.4', '0.2') WHERE id = 1",), "REV-1"),
        (("UPDATE workflows_erasabletext SET text = text || '!'",), "The text sealed as"),
    ],
)  # fmt: skip
def test_what_was_removed_or_rewritten_is_named(copy: Path, statements: tuple[str, ...], named: str) -> None:
    tampered(copy, *statements)
    assert any(named in text for text in failures(copy))


def test_an_erased_text_leaves_the_log_whole(copy: Path) -> None:
    tampered(copy, "DELETE FROM workflows_erasabletext")
    assert regelkreis(copy, "evidence", "verify").returncode == 0


# --- what was kept elsewhere --------------------------------------------------------------------------------------


def test_a_checkpoint_kept_elsewhere_and_the_public_key_prove_it_without_the_homes_key(
    copy: Path, tmp_path: Path
) -> None:
    printed = regelkreis(copy, "evidence", "checkpoint")
    kept = tmp_path / "kept.txt"
    kept.write_text(printed.stdout, encoding="utf-8")
    key = json.loads(regelkreis(copy, "evidence", "checkpoint", "--json").stdout)["verifier_key"]
    assert key in printed.stderr
    (copy / "ledger.key").unlink()
    assert regelkreis(copy, "evidence", "verify").returncode != 0
    done = regelkreis(copy, "evidence", "verify", "--key", key, "--checkpoint", str(kept))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kept} fits: the log still begins with" in done.stdout
    name, _, encoded = key.split("+", 2)
    other = f"{name}+00000000+{encoded}"
    assert "does not fit its key" in regelkreis(copy, "evidence", "verify", "--key", other).stderr


def test_an_entry_that_was_rewritten_since_does_not_fit_what_was_kept(copy: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text(regelkreis(copy, "evidence", "checkpoint").stdout, encoding="utf-8")
    rehashed(copy, "plan.frozen")
    done = regelkreis(copy, "evidence", "verify", "--checkpoint", str(kept))
    assert f"✗ {kept} signs another tree of" in done.stdout


def test_a_history_that_was_written_anew_with_the_key_does_not_fit_what_was_kept(copy: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text(regelkreis(copy, "evidence", "checkpoint").stdout, encoding="utf-8")
    anew = tmp_path / "anew"
    assert regelkreis(anew, "init").returncode == 0
    shutil.copy(copy / "ledger.key", anew / "ledger.key")
    (copy / "state.sqlite3").unlink()
    shutil.copy(anew / "state.sqlite3", copy / "state.sqlite3")
    assert regelkreis(copy, "evidence", "verify").returncode == 0, "in itself it is whole"
    done = regelkreis(copy, "evidence", "verify", "--checkpoint", str(kept))
    assert done.returncode == 1
    assert f"{kept} signs" in done.stdout
    kept.write_text("nonsense", encoding="utf-8")
    assert f"✗ {kept}: " in regelkreis(copy, "evidence", "verify", "--checkpoint", str(kept)).stdout
    assert regelkreis(copy, "evidence", "verify", "--checkpoint", str(tmp_path / "none")).returncode == 2
