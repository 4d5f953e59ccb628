"""Who acts in the stories about actions: an owner and an approver."""

from __future__ import annotations

import pytest

from tests.workflows.build import an_approver, an_owner
from workflows.models import Person


@pytest.fixture
def olga(home: object) -> Person:
    return an_owner()


@pytest.fixture
def paul(olga: Person) -> Person:
    return an_approver()
