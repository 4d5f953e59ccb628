"""The files that take longest come first, so that the last ones are short and no core waits for another.

Loaded with `-p`, see pyproject.toml. It matters where whole files are dealt to several processes (`make test`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

#: By the processor seconds they take, from about a hundred down to six or, where much is waited for, less.
LONG = (
    "tests/e2e/test_demo.py",
    "tests/connectors/faults/test_matrix.py",
    "tests/workflows/rules/test_two_years_live_and_replayed.py",
    "tests/postgresql/test_several_processes.py",
    "tests/workflows/rules/test_versions_of_a_rule.py",
    "tests/improvement/metrics/test_against_slow.py",
    "tests/connectors/jira/test_pull.py",
    "tests/workflows/warehouse/test_kept.py",
    "tests/postgresql/test_loop.py",
    "tests/workflows/rules/test_starter_pack_on_the_world.py",
    "tests/workflows/steps/test_another_mapping.py",
    "tests/e2e/test_site.py",
    "tests/connectors/test_conformance.py",
    "tests/workflows/actions/test_loop.py",
    "tests/workflows/steps/test_platforms_show_and_hide.py",
    "tests/workflows/cli/test_startup.py",
    "tests/workflows/restating/test_restated_points.py",
    "tests/workflows/steps/test_late_cycles.py",
    "tests/workflows/deliveries/test_two_homes.py",
    "tests/workflows/warehouse/test_passes.py",
    "tests/packaging/test_wheel.py",
    "tests/workflows/deliveries/test_killed_delivery.py",
    "tests/workflows/rules/test_backtest_is_the_live_history.py",
    "tests/workflows/rules/test_untreated_lines.py",
    "tests/workflows/steps/test_reading_ahead.py",
    "tests/connectors/jira/test_exactly_once.py",
    "tests/workflows/checks/test_exposures.py",
    "tests/postgresql/test_versions.py",
    "tests/workflows/actions/test_adopting.py",
    "tests/connectors/jira/test_changed_mapping.py",
    "tests/connectors/jira/test_coming_along.py",
    "tests/improvement/rules/test_futile.py",
    "tests/workflows/steps/test_older_warehouse.py",
    "tests/workflows/restating/test_read_by.py",
    "tests/postgresql/test_one_action.py",
    "tests/workflows/restating/test_counted_otherwise.py",
    "tests/workflows/clocks/test_breaches_on_two_platforms.py",
    "tests/workflows/steps/test_pulling.py",
    "tests/workflows/rules/test_targets_in_force.py",
    "tests/workflows/steps/test_coming_along.py",
    "tests/improvement/metrics/test_metrics.py",
    "tests/improvement/metrics/test_business_hours.py",
    "tests/workflows/warehouse/test_by_hand.py",
    "tests/workflows/warehouse/test_file.py",
    "tests/workflows/clocks/test_minutes.py",
    "tests/workflows/actions/test_rolling_up.py",
    "tests/workflows/cli/test_people_commands.py",
    "tests/workflows/warehouse/test_kept_moves_on.py",
    "tests/connectors/servicenow/test_pull.py",
    "tests/workflows/evidence/test_verifying.py",
    "tests/workflows/cli/test_connect.py",
    "tests/e2e/test_accessible.py",
    "tests/workflows/importing/test_importing.py",
    "tests/workflows/cli/test_doctor.py",
    "tests/connectors/jira/test_writing.py",
    "tests/connectors/sandbox/test_generator.py",
    "tests/workflows/restating/test_backdated_reviews.py",
    "tests/connectors/jira/test_pull_properties.py",
    "tests/workflows/actions/test_any_order.py",
    "tests/connectors/servicenow/test_pull_properties.py",
    "tests/connectors/sandbox/test_served_truth.py",
    "tests/workflows/deliveries/test_no_secret_is_kept.py",
    "tests/workflows/evidence/test_logged_state.py",
    "tests/config/test_security_board.py",
    "tests/workflows/cli/test_bad_homes.py",
    "tests/workflows/cli/test_interrupted_cycles.py",
)
_ROOT = Path(__file__).parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by file; what is not long keeps its order."""
    if gone := [name for name in LONG if not (_ROOT / name).exists()]:
        raise pytest.UsageError(f"tests/long_first.py names files that are not there: {', '.join(gone)}")
    place = {_ROOT / name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path, len(LONG)))
