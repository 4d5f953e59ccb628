"""What the pages stand on: a light process, files of our own, colours that can be read."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

import workflows.web
from tests.workflows.web.conftest import Visit
from tests.workflows.web.stage import Stage

WEB = Path(workflows.web.__file__).parent
STATIC = WEB / "static" / "web"
HEAVY = ("statsmodels", "vl_convert", "altair", "ibis", "duckdb", "pandas", "scipy")


def test_the_web_process_loads_no_statistics_no_charts_and_no_warehouse(tmp_path: Path) -> None:
    """Serve the pages in a process of its own, and look at what it has loaded."""
    program = f"""
import sys
from config.install import make_home
from pathlib import Path
make_home(Path({str(tmp_path)!r}))
import config.wsgi
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.test import Client
from workflows import access
from workflows.models import Action
from datetime import datetime, UTC
now = datetime(2025, 7, 7, tzinfo=UTC)
action = Action.objects.create(origin="person", connection="x", scope_key="service=Mail", scope={{"service": "Mail"}},
    metric="sla_breach_rate", title="t", state="proposed", opened_at=now, last_moved_at=now,
    trigger={{"from_week": 2890, "to_week": 2897}})
client = Client(headers={{"host": "localhost"}})
client.force_login(access.local_admin())
for address in ("/", "/register/", "/rules/", "/targets/", "/breaches/", f"/actions/{{action.code}}/"):
    assert client.get(address).status_code == 200, address
assert client.post(f"/actions/{{action.code}}/submit/").status_code == 422
assert client.post(f"/actions/{{action.code}}/hold/", {{"hold-reason": "x"}}).status_code == 302
print(",".join(name for name in {HEAVY!r} if name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120,
        env={"REGELKREIS_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, cwd=WEB.parents[1], check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_the_static_files_are_there_and_ours() -> None:
    sizes = {file.name: file.stat().st_size for file in STATIC.iterdir()}
    assert sizes["htmx.min.js"] > 40_000
    assert min(sizes.values()) > 200
    for file in (*STATIC.glob("*.css"), STATIC / "charts.js"):
        assert not re.search(r"https?://|@import|url\((?!['\"]?data:)", file.read_text(encoding="utf-8")), file.name
    for template in (WEB / "templates").rglob("*.html"):
        loaded = re.findall(r"""(?:src|href)=["'](https?:)?//""", template.read_text(encoding="utf-8"))
        assert loaded == [], template.name


@pytest.mark.django_db
def test_the_pages_use_htmx_and_serve_it(stage: Stage, as_person: Visit) -> None:
    page = as_person("olga").get("/register/").content.decode()
    assert 'src="/static/web/htmx.min.js"' in page
    assert 'hx-get="/register/"' in page
    script = Client().get("/static/web/htmx.min.js")
    assert script.status_code == 200
    assert b"htmx" in b"".join(script.streaming_content) if script.streaming else script.content


def colours(selector: str) -> dict[str, tuple[float, float, float]]:
    """The colour tokens of one rule, as red, green and blue from 0 to 1."""
    sheet = (STATIC / "tokens.css").read_text(encoding="utf-8")
    body = sheet.split(selector + " {", 1)[1].split("}", 1)[0]
    return {
        name: (int(value[0:2], 16) / 255, int(value[2:4], 16) / 255, int(value[4:6], 16) / 255)
        for name, value in re.findall(r"--([\w-]+): #([0-9a-f]{6})", body)
    }


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """The contrast ratio of WCAG 2.2."""

    def luminance(colour: tuple[float, float, float]) -> float:
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


TEXT_ON = [
    *((text, ground) for text in ("text", "muted", "link") for ground in ("bg", "card", "sunk", "accent-soft")),
    *((text, ground) for text in ("text", "muted") for ground in ("reference", "trigger", "confirmation", "after")),
    ("good", "good-bg"), ("bad", "bad-bg"), ("soft", "soft-bg"), ("flat", "flat-bg"), ("accent-text", "accent"),
    ("good", "card"), ("bad", "card"), ("soft", "card"), ("target", "card"), ("card", "text"),
]  # fmt: skip
SHAPES_ON = [(shape, ground) for shape in ("line-strong", "accent", "spark", "volume") for ground in ("card", "bg")]


@pytest.mark.parametrize("selector", [":root", ":root[data-theme=dark]"])
def test_every_text_can_be_read_on_its_ground(selector: str) -> None:
    tokens = colours(selector)
    assert {pair: round(contrast(tokens[pair[0]], tokens[pair[1]]), 2) for pair in TEXT_ON
            if contrast(tokens[pair[0]], tokens[pair[1]]) < 4.5} == {}  # fmt: skip
    assert {pair: round(contrast(tokens[pair[0]], tokens[pair[1]]), 2) for pair in SHAPES_ON
            if contrast(tokens[pair[0]], tokens[pair[1]]) < 3.0} == {}  # fmt: skip


def test_dark_is_the_same_whether_chosen_or_inherited() -> None:
    assert colours(":root[data-theme=dark]") == colours("  :root[data-theme=auto]")
    assert set(colours(":root")) == set(colours(":root[data-theme=dark]"))
