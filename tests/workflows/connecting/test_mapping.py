"""What is added, what is asked about, what is left alone: the plan of changes, without a platform."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from config.settings import load
from connectors.discovery import Candidate, SourceSample
from connectors.mapping import PlatformMapping, SourceMap
from improvement.errors import InputError, PermissionMissing
from improvement.records import RecordKind
from tests.workflows.build import a_connection, a_person
from tests.workflows.platform import MemoryPlatform
from workflows import access
from workflows.connecting import mapping
from workflows.models import Connection, LedgerEntry

pytestmark = pytest.mark.django_db
SNOW = """[connections.snow]
platform = "servicenow"
url = "https://acme.service-now.com"
user = "regelkreis"
password = "sandbox"
"""
DEFAULT = PlatformMapping(
    sources={
        "incident": SourceMap.model_validate(
            {
                "kind": "ticket",
                "source": "incident",
                "fields": {"customer": "company.name", "country": "location.country"},
            }
        ),
        "visit": SourceMap.model_validate({"kind": "contact", "source": "u_visit", "fields": {"at": "u_at"}}),
    }
)


@dataclass
class Discoverable(MemoryPlatform):
    """A platform in memory that tells its fields."""

    mapping: PlatformMapping = DEFAULT
    samples: list[SourceSample] = field(default_factory=list)

    def discover(self, *, sample: int) -> Sequence[SourceSample]:
        return self.samples


def a_sample(**parts: Any) -> SourceSample:
    candidates = (
        Candidate(
            path="company.name", label="Company", type="reference", names=("company",), hops=1, texts=("Acme", "B")
        ),
        Candidate(path="location.country", label="Country", type="string", names=("country",), texts=("CH", None)),
    )
    whole = {"name": "incident", "kind": RecordKind.TICKET, "source": "incident", "rows": 2, "candidates": candidates}
    return SourceSample(**{**whole, **parts})


@pytest.fixture
def snow(home: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Discoverable:
    a_connection(may_write=False)
    platform = Discoverable(samples=[a_sample()])
    monkeypatch.setattr(mapping, "connector", lambda config: platform)
    told(home, settings)
    return platform


def told(home: Path, settings: Any, more: str = "") -> None:
    (home / "regelkreis.toml").write_text(SNOW + more, encoding="utf-8")
    settings.REGELKREIS = load()


def mapped(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((home / "regelkreis.toml").read_text())["connections"]["snow"]["mapping"]
    return found


def test_a_first_mapping_is_written_with_its_coverage_and_writing_stays_off(
    home: Path, snow: Discoverable, monday: datetime
) -> None:
    found = mapping.plan("snow")
    made = mapping.edit(found, replace=False, at=monday)
    mapping.apply(made, "snow", access.local_admin(), at=monday)
    assert mapped(home) == {"incident": {"fields": {"customer": "company.name", "country": "location.country"}}}
    assert "filled in 50 % of 2; e.g. CH" in (home / "regelkreis.toml").read_text()
    assert not Connection.objects.get(name="snow").may_write
    (entry,) = LedgerEntry.objects.filter(type="connection.mapped")
    assert b'"keys":2' in bytes(entry.data)
    assert b"Acme" not in bytes(entry.data)


def test_what_says_the_same_in_other_words_is_no_difference(home: Path, snow: Discoverable, settings: Any) -> None:
    told(home, settings, '[connections.snow.mapping.incident.fields]\ncustomer = { field = ["company.name"] }\n')
    found = mapping.plan("snow")
    assert [change.key for change in found.additions] == [("fields", "country")]
    assert found.replacements == ()


def test_a_broken_line_of_a_person_is_asked_about(
    home: Path, snow: Discoverable, settings: Any, monday: datetime
) -> None:
    told(home, settings, '[connections.snow.mapping.incident.fields]\ncustomer = "compny.name"\n')
    broken = {"incident": {**DEFAULT.sources["incident"].model_dump(), "fields": {"customer": "compny.name"}}}
    snow.mapping = PlatformMapping.model_validate({"sources": broken})
    snow.samples = [a_sample(wrong={"compny.name": "incident has no field “compny”."})]
    found = mapping.plan("snow")
    (change,) = found.replacements
    assert (change.yours, change.value) == ("compny.name", "company.name")
    kept = mapping.edit(found, replace=False, at=monday)
    assert 'customer = "compny.name"' in kept.after
    assert 'customer = "company.name"' in mapping.edit(found, replace=True, at=monday).after


def test_what_is_set_in_the_environment_is_left_alone(
    home: Path, snow: Discoverable, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGELKREIS_CONNECTIONS__SNOW__MAPPING", '{"incident": {"fields": {"customer": "u_c"}}}')
    settings.REGELKREIS = load()
    assert mapping.plan("snow").changes(replace=True) == ()


def test_what_is_absent_new_or_renamed_becomes_a_line(home: Path, snow: Discoverable, monday: datetime) -> None:
    snow.samples = [
        a_sample(source="Störung"),
        SourceSample(name="visit", kind=RecordKind.CONTACT, source="u_visit", problem="Invalid table", is_absent=True),
        SourceSample(
            name="fix", kind=RecordKind.SLA, source="Lösungszeit", is_new=True,
            constants={"target": "resolution", "agreement": "sla"},
        ),
        SourceSample(name="odd", kind=RecordKind.SLA, source="Odd", is_new=True, problem="say its target"),
    ]  # fmt: skip
    found = mapping.plan("snow")
    made = mapping.edit(found, replace=False, at=monday)
    mapping.apply(made, "snow", access.local_admin(), at=monday)
    assert mapped(home)["incident"]["source"] == "Störung"
    assert mapped(home)["visit"] == {"is_enabled": False}
    assert mapped(home)["fix"] == {
        "kind": "sla",
        "source": "Lösungszeit",
        "fields": {"target": {"constant": "resolution"}, "agreement": {"constant": "sla"}},
    }
    assert "odd" not in mapped(home)


def test_only_an_administrator_writes_and_nothing_over_a_change_made_meanwhile(
    home: Path, snow: Discoverable, monday: datetime
) -> None:
    made = mapping.edit(mapping.plan("snow"), replace=False, at=monday)
    with pytest.raises(PermissionMissing):
        mapping.apply(made, "snow", a_person("vera"), at=monday)
    (home / "regelkreis.toml").write_text(SNOW + "# somebody else\n")
    with pytest.raises(InputError, match="changed by somebody else"):
        mapping.apply(made, "snow", access.local_admin(), at=monday)
    assert not LedgerEntry.objects.filter(type="connection.mapped").exists()
    assert (home / "regelkreis.toml").read_text() == SNOW + "# somebody else\n"


def test_a_platform_that_does_not_tell_its_fields_says_so(
    home: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(home, settings)
    monkeypatch.setattr(mapping, "connector", lambda config: MemoryPlatform())
    found = mapping.plan("snow")
    assert (found.sources, found.changes(replace=True)) == ((), ())
    assert "map them by hand" in found.note


def test_shares_are_never_rounded_to_none_or_all() -> None:
    assert [mapping.percent(share) for share in (0, 0.001, 0.934, 0.999, 1)] == ["0 %", "1 %", "93 %", "99 %", "100 %"]
