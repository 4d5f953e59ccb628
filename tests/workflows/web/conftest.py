"""The stage, and people who look at it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from tests.workflows.beginnings import Beginnings
from tests.workflows.web.stage import Stage, a_stage

Visit = Callable[..., Client]


@pytest.fixture
def stage(db: None, beginnings: Beginnings) -> Stage:
    """People, actions in every phase, looks and reviews; no charts."""
    return beginnings.begin("stage", None, a_stage)


@pytest.fixture
def as_person(stage: Stage) -> Visit:
    """A browser without scripts in which somebody is signed in: ``as_person("olga", language="de")``."""

    def sign_in(name: str, language: str = "en") -> Client:
        client = Client()
        client.force_login(stage.people[name])
        client.cookies["django_language"] = language
        return client

    return sign_in
