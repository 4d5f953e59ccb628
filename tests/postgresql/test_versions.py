"""Stories about edited and removed rules once more, told on PostgreSQL."""

from __future__ import annotations

from tests.workflows.rules.test_versions_of_a_rule import (  # noqa: F401 - each story is collected here again
    lived,
    pytestmark,
    test_a_finding_ends_with_its_rule_and_holds_no_later_breach,
    test_a_rule_that_was_away_is_held_against_the_version_before,
    test_evidence_that_is_told_is_looked_for_in_one_query,
    test_values_of_another_series_are_compared_with_nothing,
)
