"""A home of their own for all tests, set before Django reads its settings (loaded with `-p`, see pyproject.toml)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_HOME = Path(tempfile.mkdtemp(prefix="regelkreis-tests-"))
os.environ["REGELKREIS_HOME"] = str(_HOME)
for name in [name for name in os.environ if name.startswith("REGELKREIS_") and name != "REGELKREIS_HOME"]:
    del os.environ[name]
