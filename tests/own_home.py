"""A home of their own for all tests, set before Django reads its settings (loaded with `-p`, see pyproject.toml).

Every process has one in a folder of the run, which the process that began the run takes away.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_RUN = "TESTS_OF_REGELKREIS"
if _RUN not in os.environ:
    os.environ[_RUN] = tempfile.mkdtemp(prefix="regelkreis-tests-")
    atexit.register(shutil.rmtree, os.environ[_RUN], ignore_errors=True)
_HOME = Path(os.environ[_RUN]) / str(os.getpid())
_HOME.mkdir()
for name in [name for name in os.environ if name.startswith("REGELKREIS_")]:
    del os.environ[name]
os.environ["REGELKREIS_HOME"] = str(_HOME)
