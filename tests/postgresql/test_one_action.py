"""The stories about one action, its looks and the log once more, told on PostgreSQL."""

from __future__ import annotations

from tests.workflows.actions.test_judging import *  # noqa: F403
from tests.workflows.checks.test_sustaining import *  # noqa: F403
from tests.workflows.checks.test_sustaining import pytestmark  # noqa: F401 - "needs a database"
from tests.workflows.evidence.test_ledger import (  # noqa: F401
    test_a_checkpoint_is_signed_once_for_every_size,
    test_a_frozen_plan_is_never_changed,
    test_an_entry_commits_with_its_effect_or_not_at_all,
    test_the_database_refuses_to_change_what_is_append_only,
    test_the_same_text_is_sealed_differently_each_time_and_can_be_erased,
)
from tests.workflows.steps.test_follow import *  # noqa: F403 - each story is collected here again
