"""Files come in whole or not at all, once however often they come, and every complaint has its line and column."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config.settings import load
from improvement.errors import ManyErrors, PermissionMissing, RegelkreisError
from improvement.metrics import CellQuery
from improvement.records import RecordKind
from improvement.weeks import week_of
from tests.workflows.build import a_connection, a_person
from tests.workflows.platform import MemoryPlatform
from workflows import access
from workflows.importing.layouts import LAYOUTS
from workflows.importing.loading import Imported, import_files
from workflows.models import Connection, LedgerEntry, PullReport
from workflows.steps.pull import pull
from workflows.warehouse import Warehouse

pytestmark = pytest.mark.django_db
AT = datetime(2025, 6, 30, 12, tzinfo=UTC)
CONTACTS = """at,kind,customer,country,service
2025-03-03T10:00+01:00,review,Acme,CH,
2025-03-05T10:00+01:00,call,Acme,Schweiz,Mail
2025-04-01T10:00+02:00,visit,Globex,AT,
"""
SNOW = """
[connections.snow]
platform = "servicenow"
url = "https://acme.service-now.com"
user = "regelkreis"
password = "sandbox"
"""


@pytest.fixture(autouse=True)
def snow(home: Path, settings: Any) -> Path:
    """A home with one connection."""
    (home / "regelkreis.toml").write_text(SNOW)
    settings.REGELKREIS = load()
    a_connection()
    return home


def a_file(folder: Path, text: str | bytes, name: str = "contacts.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def imported(*paths: Path, **options: Any) -> list[Imported]:
    return import_files(access.local_admin(), list(paths), "snow", at=AT, **options)


def refused(*paths: Path, **options: Any) -> list[str]:
    with pytest.raises(RegelkreisError) as caught:
        imported(*paths, **options)
    errors = caught.value.errors if isinstance(caught.value, ManyErrors) else [caught.value]
    return [str(error) for error in errors]


def stored(kind: RecordKind, home: Path) -> list[dict[str, Any]]:
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        table = {"contact": "live_contacts", "survey": "surveys", "outage": "live_outages"}[kind.value]
        return warehouse.arrow(f"SELECT * FROM {table} WHERE vanished_at IS NULL ORDER BY id").to_pylist()


def entries(kind: str = "import.loaded") -> list[dict[str, Any]]:
    return [json.loads(bytes(entry.data)) for entry in LedgerEntry.objects.filter(type=kind)]


# --- what comes in ------------------------------------------------------------------------------------------------


def gap(home: Path, customer: str, day: datetime) -> float:
    """Days since a customer was last spoken to, at the end of a week."""
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        query, week = CellQuery("contact_gap", "snow", by=("customer",)), week_of(day.date())
        cells = warehouse.cells(query, as_of=AT, first_week=week, last_week=week).to_pylist()
    return next(float(cell["numerator"]) for cell in cells if cell["customer"] == customer)


def test_an_imported_contact_closes_the_gap_to_its_customer(tmp_path: Path, snow: Path) -> None:
    platform = MemoryPlatform(weeks=8, per_week=3, scopes={"Mail": {0: 0.1}})
    with Warehouse.open(snow / "warehouse.duckdb") as warehouse:
        pull(platform, warehouse, as_of=datetime(2024, 3, 1, tzinfo=UTC))
    friday = datetime(2024, 2, 16, tzinfo=UTC)
    assert gap(snow, "Acme", friday) > 30
    (done,) = imported(a_file(tmp_path, "at,kind,customer,country\n2024-02-15T10:00Z,call,Acme,CH\n"))
    assert (done.kind, done.rows, done.new, done.changed) == ("contacts", 1, 1, 0)
    assert gap(snow, "Acme", friday) < 7


def test_an_import_for_a_moment_that_was_restated_already_is_late_all_the_same(tmp_path: Path, snow: Path) -> None:
    file, held = a_file(tmp_path, "customer,at,kind\nAcme,2025-02-20T10:00Z,visit\n"), AT + timedelta(hours=1)
    Connection.objects.update(points_restated_until=held, restated_until=AT)
    row = Connection.objects.get()
    imported(file, dry_run=True)
    row.refresh_from_db()
    assert (row.points_restated_until, row.restated_until) == (held, AT)
    imported(file)
    row.refresh_from_db()
    assert row.points_restated_until < AT
    assert row.restated_until < AT


def test_the_same_file_again_changes_nothing(tmp_path: Path, snow: Path) -> None:
    file = a_file(tmp_path, CONTACTS)
    imported(file)
    before, logged = stored(RecordKind.CONTACT, snow), len(LedgerEntry.objects.all())
    (again,) = imported(file)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 3)
    assert (stored(RecordKind.CONTACT, snow), len(LedgerEntry.objects.all())) == (before, logged)


def test_a_longer_file_brings_only_what_is_new(tmp_path: Path) -> None:
    imported(a_file(tmp_path, CONTACTS))
    longer = CONTACTS + "2025-05-05T09:00Z,call,Acme,CH,\n"
    (done,) = imported(a_file(tmp_path, longer, "contacts-2.csv"))
    assert (done.new, done.unchanged) == (1, 3)


def test_with_an_id_a_row_can_be_corrected(tmp_path: Path, snow: Path) -> None:
    imported(a_file(tmp_path, "id,at,kind,customer\nC-1,2025-03-03T10:00Z,call,Acm\n"))
    (done,) = imported(a_file(tmp_path, "id,at,kind,customer\nC-1,2025-03-03T10:00Z,call,Acme\n"))
    assert (done.new, done.changed) == (0, 1)
    assert [row["customer"] for row in stored(RecordKind.CONTACT, snow)] == ["Acme"]


def test_the_ledger_tells_the_files_digest_and_no_name(tmp_path: Path) -> None:
    imported(a_file(tmp_path, CONTACTS, "contacts of Mr Smith.csv"))
    (entry,) = entries()
    assert (entry["subject"], entry["payload"]["rows"], entry["payload"]["new"]) == ("snow/contact", 3, 3)
    assert "Smith" not in json.dumps(entry)
    assert "Acme" not in json.dumps(entry)


def test_an_entry_that_a_crash_prevented_is_made_by_the_next_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = a_file(tmp_path, CONTACTS)
    with monkeypatch.context() as patched:
        patched.setattr("workflows.evidence.ledger.append", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            imported(file)
    assert entries() == []
    (again,) = imported(file)
    assert (again.new, len(entries())) == (0, 1)


def test_a_dry_run_says_what_would_happen_and_does_nothing(tmp_path: Path, snow: Path) -> None:
    (done,) = imported(a_file(tmp_path, CONTACTS), dry_run=True)
    assert done.new == 3
    assert (stored(RecordKind.CONTACT, snow), entries()) == ([], [])
    imported(a_file(tmp_path, CONTACTS))
    (again,) = imported(a_file(tmp_path, CONTACTS), dry_run=True)
    assert (again.new, again.unchanged) == (0, 3)


def test_surveys_find_their_ticket_by_its_number(tmp_path: Path, snow: Path) -> None:
    platform = MemoryPlatform(weeks=2, per_week=3, scopes={"Mail": {0: 0.1}})
    with Warehouse.open(snow / "warehouse.duckdb") as warehouse:
        pull(platform, warehouse, as_of=datetime(2024, 2, 1, tzinfo=UTC))
    text = (
        "kind;ticket;customer;sent_at;answered_at;score;scale_min;scale_max\n"
        "csat;Mail-0-0;;2024-01-05;2024-01-06;4,5;1;5\n"
        "nps;;Acme;2024-01-05;2024-01-06;9;;\n"
        "csat;Mail-0-1;;2024-01-05;;;1;5\n"
    )
    (done,) = imported(a_file(tmp_path, text, "surveys.csv"), zone="Europe/Zurich")
    assert done.new == 3
    rows = stored(RecordKind.SURVEY, snow)
    assert sorted((row["kind"], row["ticket_id"], row["score"], row["scale_max"]) for row in rows if row["score"]) == [
        ("csat", "Mail-0-0", 4.5, 5.0),
        ("nps", None, 9.0, 10.0),
    ]
    (error,) = refused(a_file(tmp_path, text.replace("Mail-0-1", "Mail-0-I"), "surveys.csv"), zone="Europe/Zurich")
    assert "surveys.csv:4:2, ticket: There is no ticket “Mail-0-I” of snow here. Did you mean Mail-0-" in error


def test_an_outage_may_end_later_and_be_planned_ahead(tmp_path: Path, snow: Path) -> None:
    head = "begin_at,end_at,kind,service\n"
    imported(a_file(tmp_path, head + "2025-03-03T10:00Z,,outage,Mail\n", "outages.csv"))
    (done,) = imported(a_file(tmp_path, head + "2025-03-03T10:00Z,2025-03-03T12:00Z,outage,Mail\n", "outages.csv"))
    assert (done.new, done.changed) == (0, 1)
    (ahead,) = imported(a_file(tmp_path, head + "2025-09-01T10:00Z,,planned,Mail\n", "outages.csv"))
    assert ahead.new == 1
    (error,) = refused(a_file(tmp_path, head + "2025-09-01T10:00Z,,outage,Mail\n", "outages.csv"))
    assert "lies in the future" in error


# --- what does not come in ----------------------------------------------------------------------------------------


def test_one_bad_row_and_nothing_of_any_file_comes_in(tmp_path: Path, snow: Path) -> None:
    good = a_file(tmp_path, CONTACTS)
    bad = a_file(tmp_path, "begin_at,kind,service\n2025-03-03T10:00Z,outage,Mail\nnever,outag,Mail\n", "outages.csv")
    errors = refused(good, bad)
    assert errors[0].startswith(f"{bad}:3:2, kind: kind is “outag”. Did you mean outage?")
    assert (stored(RecordKind.CONTACT, snow), stored(RecordKind.OUTAGE, snow), entries()) == ([], [], [])


def test_every_bad_row_is_told_with_its_line_and_column(tmp_path: Path) -> None:
    text = (
        "at,kind,customer,country\n"
        "2025-03-03 10:00,call,Acme,CH\n"
        "2025-03-03T10:00Z,call,=1+1,CH\n"
        '2025-03-03T10:00Z,call,"Ac\nme",CH\n'
        "2025-03-03T10:00Z,call,,CH\n"
        "2025-03-03T10:00Z,call,Acme,Atlantis\n"
        "2125-03-03T10:00Z,call,Acme,CH\n"
        "2025-03-03T10:00Z,call,Acme,CH,more\n"
    )
    errors = refused(a_file(tmp_path, text))
    places = [error.removeprefix(str(tmp_path / "contacts.csv:")).split(":")[:2] for error in errors]
    assert [place[0] for place in places] == ["2", "3", "4", "6", "7", "8", "9"]
    assert [error.partition(": ")[0].rpartition(":")[2] for error in errors[:3]] == [
        "1, at",
        "3, customer",
        "3, customer",
    ]
    assert "customer is empty" in errors[3]


def test_the_same_row_twice_needs_ids(tmp_path: Path) -> None:
    row = "2025-03-03T10:00Z,call,Acme\n"
    (error,) = refused(a_file(tmp_path, "at,kind,customer\n" + row + row))
    assert "stands in line 2 already" in error
    text = "id,at,kind,customer\nA,2025-03-03T10:00Z,call,Acme\nB,2025-03-03T10:00Z,call,Acme\n"
    assert imported(a_file(tmp_path, text))[0].new == 2


def test_the_same_record_in_two_files_is_refused(tmp_path: Path) -> None:
    (error, *_) = refused(a_file(tmp_path, CONTACTS), a_file(tmp_path, CONTACTS, "contacts-copy.csv"))
    assert "stands in" in error


def test_many_errors_are_cut_with_a_count(tmp_path: Path) -> None:
    errors = refused(a_file(tmp_path, "at,kind,customer\n" + "x,call,Acme\n" * 200))
    assert (len(errors), "… and 150 more errors." in errors[-1]) == (51, True)


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (",4,1,5", "answered_at"), ("2025-03-04T10:00Z,7,1,5", "outside its scale"),
        ("2025-03-04T10:00Z,4,,", "scale is missing"), ("2025-03-04T10:00Z,4,5,1", "before it begins"),
        ("2025-03-02T10:00Z,4,1,5", "before sent_at"), ("2025-03-04T10:00Z,four,1,5", "not a number"),
    ],
)  # fmt: skip
def test_an_answer_and_its_scale_must_fit(tmp_path: Path, score: str, said: str) -> None:
    text = f"kind,customer,sent_at,answered_at,score,scale_min,scale_max\ncsat,Acme,2025-03-03T10:00Z,{score}\n"
    (error,) = refused(a_file(tmp_path, text, "surveys.csv"))
    assert said in error


def test_only_an_administrator_imports_and_only_to_a_known_connection(tmp_path: Path) -> None:
    file = a_file(tmp_path, CONTACTS)
    with pytest.raises(PermissionMissing):
        import_files(a_person("vera"), [file], "snow", at=AT)
    with pytest.raises(RegelkreisError, match="no connection “sno”"):
        import_files(access.local_admin(), [file], "sno", at=AT)


# --- how files are written ----------------------------------------------------------------------------------------

GERMAN = "at;kind;customer;country\n03.03.2025 10:00;call;Müller & Söhne;Schweiz\n"


@pytest.mark.parametrize(
    "data",
    [
        GERMAN.encode("utf-8"), GERMAN.encode("utf-8-sig"), GERMAN.encode("utf-16"), ("sep=;\n" + GERMAN).encode(),
        GERMAN.replace("\n", "\r\n").encode("utf-8-sig"), GERMAN.replace(";", "\t").encode(),
        GERMAN.replace("at;", "AT ;").encode(),
    ],
    ids=["utf-8", "bom", "utf-16", "sep", "crlf", "tabs", "capitals"],
)  # fmt: skip
def test_a_spreadsheets_file_comes_in_as_it_was_saved(tmp_path: Path, snow: Path, data: bytes) -> None:
    assert imported(a_file(tmp_path, data), zone="Europe/Zurich")[0].new == 1
    (row,) = stored(RecordKind.CONTACT, snow)
    assert (row["customer"], row["country"]) == ("Müller & Söhne", "CH")
    assert row["at"].astimezone(UTC) == datetime(2025, 3, 3, 9, tzinfo=UTC)


def test_an_old_encoding_is_never_guessed_but_shown(tmp_path: Path, snow: Path) -> None:
    file = a_file(tmp_path, GERMAN.encode("windows-1252"))
    (error,) = refused(file, zone="Europe/Zurich")
    assert f"{file}:2" in error
    assert "In windows-1252 it says “Müller” there." in error
    assert imported(file, zone="Europe/Zurich", encoding="windows-1252")[0].new == 1
    assert stored(RecordKind.CONTACT, snow)[0]["customer"] == "Müller & Söhne"
    assert "no encoding “winows”" in refused(file, zone="Europe/Zurich", encoding="winows")[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\x03\x04 a workbook", "workbook"), (b"", "file is empty"), (b"at,kind,customer\n", "no row"),
        (b"at,kind\n", "Missing columns: customer"), (b'at,kind,customer\n"x', "no valid CSV"),
        (b"at,kind,customer,at\n", "stand twice"),
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    assert said in refused(a_file(tmp_path, data))[0]


def test_a_file_says_by_its_name_or_its_kind_what_it_holds(tmp_path: Path) -> None:
    file = a_file(tmp_path, CONTACTS, "export.csv")
    assert "What does this file hold?" in refused(file)[0]
    assert imported(file, kind="contacts")[0].new == 3


def test_columns_that_nobody_reads_and_names_nobody_knows_are_remarked(tmp_path: Path, snow: Path) -> None:
    platform = MemoryPlatform(weeks=1, per_week=3, scopes={"Mail": {0: 0.1}})
    with Warehouse.open(snow / "warehouse.duckdb") as warehouse:
        pull(platform, warehouse, as_of=datetime(2024, 2, 1, tzinfo=UTC))
    text = "at,kind,customer,mood\n2024-01-03T10:00Z,call,Acmee,good\n"
    (done,) = imported(a_file(tmp_path, text))
    assert [remark.partition(": ")[2] or remark for remark in done.remarks] == [
        "columns that are not read: mood.",
        "customer “Acmee” is not in any ticket of this connection. Did you mean Acme?",
    ]


# --- living beside a platform -------------------------------------------------------------------------------------


def test_what_was_imported_is_not_taken_for_deleted_by_the_platform(tmp_path: Path, snow: Path) -> None:
    imported(a_file(tmp_path, CONTACTS))
    import pyarrow as pa

    with Warehouse.open(snow / "warehouse.duckdb") as warehouse:
        stones = warehouse.tombstones
        assert stones.unlisted(RecordKind.CONTACT, "snow", pa.array([], pa.string())) == []
        assert warehouse.count(RecordKind.CONTACT, "snow") == 0
    assert len(stored(RecordKind.CONTACT, snow)) == 3


def test_a_file_can_be_taken_back_and_brought_again(tmp_path: Path, snow: Path) -> None:
    file = a_file(tmp_path, CONTACTS)
    imported(file)
    assert imported(file, withdraw=True, dry_run=True)[0].withdrawn == 3
    assert len(stored(RecordKind.CONTACT, snow)) == 3
    assert imported(file, withdraw=True)[0].withdrawn == 3
    assert stored(RecordKind.CONTACT, snow) == []
    assert entries("import.withdrawn")[0]["payload"]["withdrawn"] == 3
    assert imported(file, withdraw=True)[0].withdrawn == 0
    assert len(entries("import.withdrawn")) == 1
    imported(file)
    assert len(stored(RecordKind.CONTACT, snow)) == 3


def test_the_documented_columns_are_those_that_are_read() -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "import-files.md").read_text(encoding="utf-8")
    for layout in LAYOUTS.values():
        section = page.partition(f"### {layout.plural}.csv\n")[2].partition("\n### ")[0]
        for column in layout.columns:
            need = "yes" if column.is_needed else ""
            assert f"| `{column.name}` | {need} | {column.meaning} |".replace("|  |", "| |") in section


# --- the report beside those of pulls -----------------------------------------------------------------------------


def reports() -> list[dict[str, Any]]:
    return [report.as_dict() for report in PullReport.objects.order_by("id")]


def counts(report: dict[str, Any]) -> tuple[int, ...]:
    return tuple(report[name] for name in ("read", "new", "changed", "unchanged", "rejected", "deleted"))


def test_an_import_leaves_a_report_like_a_pull(tmp_path: Path) -> None:
    file = a_file(tmp_path, CONTACTS)
    imported(file)
    imported(file)
    imported(file, withdraw=True)
    first, again, back = reports()
    assert (first["connection"], first["kind"], first["as_of"]) == ("snow", "contact", AT.isoformat())
    assert [counts(one) for one in (first, again, back)] == [(3, 3, 0, 0, 0, 0), (3, 0, 0, 3, 0, 0), (3, 0, 0, 0, 0, 3)]
    assert first["notes"][0] == "imported from contacts.csv"
    assert first["error"] == ""


def test_a_refused_import_leaves_a_report_with_the_reasons(tmp_path: Path, snow: Path) -> None:
    bad = CONTACTS + "2025-05-05T09:00,call,Acme,CH,\n2025-05-06T09:00Z,song,Acme,CH,\n"
    other = a_file(tmp_path, CONTACTS.replace("Acme", "Initech"), "contacts-2.csv")
    refused(a_file(tmp_path, bad), other)
    first, beside = reports()
    assert (counts(first), counts(beside)) == ((5, 0, 0, 0, 2, 0), (3, 0, 0, 0, 0, 0))
    assert sum(first["reasons"].values()) == 2
    assert any(reason.startswith("at: ") for reason in first["reasons"])
    assert any(reason.startswith("kind: ") for reason in first["reasons"])
    assert "Nothing was loaded" in first["error"]
    assert "Nothing was loaded" in beside["error"]
    assert stored(RecordKind.CONTACT, snow) == []


def test_the_same_record_in_two_files_is_told_in_both_reports(tmp_path: Path) -> None:
    refused(a_file(tmp_path, CONTACTS), a_file(tmp_path, CONTACTS, "contacts-2.csv"))
    assert all("stands in" in report["error"] for report in reports())


def test_a_dry_run_leaves_no_report(tmp_path: Path) -> None:
    imported(a_file(tmp_path, CONTACTS), dry_run=True)
    refused(a_file(tmp_path, "at,kind,customer\nnever,call,Acme\n", "contacts-2.csv"), dry_run=True)
    assert reports() == []
