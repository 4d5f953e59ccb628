"""A home that the real command made, for stories that run it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.command import regelkreis


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home as `init` makes it; stories copy it, because that is quicker."""
    made = tmp_path_factory.mktemp("fresh") / "home"
    assert regelkreis(made, "init").returncode == 0
    return made


@pytest.fixture
def copied_home(fresh: Path, tmp_path: Path) -> Path:
    """A copy of the fresh home, for one story."""
    return shutil.copytree(fresh, tmp_path / "home")
