"""Dependencies are pinned with hashes, the same everywhere, and nothing says where to fetch them from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements/runtime.txt", "requirements/dev.txt", "requirements/audit.txt", "requirements/uv.txt")
PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)(?:\[[\w,]+\])?==([^\s;\\]+)", re.MULTILINE)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pins(name: str) -> dict[str, str]:
    return dict(PIN.findall(text(name)))


def wanted(lines: list[str]) -> set[str]:
    return {line.replace(" ", "") for line in lines if line and not line.startswith(("#", "-r "))}


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_with_hashes(name: str) -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", text(name).strip())
    assert len(blocks) > (50 if name.endswith(("runtime.txt", "dev.txt")) else 0)
    for block in blocks:
        assert PIN.match(block), block.splitlines()[0]
        assert "--hash=sha256:" in block, block.splitlines()[0]


@pytest.mark.parametrize("name", [*LOCKS, "constraints.txt", *(name.replace(".txt", ".in") for name in LOCKS)])
def test_no_file_says_where_to_fetch_packages_from(name: str) -> None:
    words = text(name).split()
    assert not {word for word in words if word.startswith("--") and not word.startswith("--hash=")}
    assert not {"-i", "-f"} & set(words)
    assert "://" not in text(name)


def test_the_same_versions_everywhere() -> None:
    development, constrained = pins("requirements/dev.txt"), pins("constraints.txt")
    assert constrained == development
    assert pins("requirements/runtime.txt").items() <= development.items()


def test_the_package_asks_for_what_is_locked() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    assert wanted(project["dependencies"]) == wanted(text("requirements/runtime.in").splitlines())
    development = wanted(text("requirements/dev.in").splitlines())
    for extra in project["optional-dependencies"].values():
        assert wanted(extra) <= development
