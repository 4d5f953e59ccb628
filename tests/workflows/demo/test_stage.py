"""How long the demo goes on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from workflows.demo.setting import FIRST_CYCLE
from workflows.demo.stage import Show, span


@pytest.mark.parametrize("weeks", [0, 1, 52])
def test_the_last_cycle_is_as_many_weeks_after_the_first_as_were_asked_for(weeks: int) -> None:
    show = Show(
        application=print, home=Path("home"), is_served=False, as_json=True, json_file=None, replay=None, seed=7,
        port=8600, weeks=weeks,
    )  # fmt: skip
    assert span(show) == (FIRST_CYCLE, FIRST_CYCLE + timedelta(weeks=weeks))
