"""A fresh state, home and rules folder for every story about the loop."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.beginnings import Beginnings

RULE = """
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: sla, title: Resolution SLA, owner: service-owner}
spec:
  mode: open
  metric: sla_breach_rate
  where: {kind: incident, sla.target: resolution, sla.agreement: sla}
  by: [customer, country, service]
  window: 4w
  every: 1w
  target: {max: 15%}
  trigger: {for: 2w, min_samples: 30}
action: {title: "Fewer breaches for {service}"}
check: {goal: -50%}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Path]:
    """A home directory with one rule and keys; the settings look there."""
    from config.install import make_home
    from config.settings import load

    monkeypatch.setenv("REGELKREIS_HOME", str(tmp_path))
    make_home(tmp_path)
    settings.REGELKREIS = load()
    for file in (tmp_path / "rules").glob("*"):
        file.unlink()
    (tmp_path / "rules" / "sla.yaml").write_text(RULE, encoding="utf-8")
    assert settings.REGELKREIS.home == tmp_path.resolve()
    return tmp_path


@pytest.fixture(scope="module")
def beginnings(tmp_path_factory: pytest.TempPathFactory) -> Beginnings:
    """Beginnings that the stories of a file share."""
    return Beginnings(tmp_path_factory.mktemp("beginnings"))


@pytest.fixture
def monday() -> datetime:
    """The first cycle: 78 weeks after the start."""
    return datetime(2025, 6, 30, 12, tzinfo=UTC)
