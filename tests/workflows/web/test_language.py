"""German is complete: the catalogue, its compiled form, and every page."""

from __future__ import annotations

import gettext
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import workflows.web
from improvement.check.words import REASONS
from improvement.review_words import KINDS, WORDS
from tests.workflows.web.conftest import Visit
from tests.workflows.web.stage import Stage, draw, figures, miss, restate
from workflows.deliveries.notes import NOTES
from workflows.models import ReviewRecord

WEB = Path(workflows.web.__file__).parent
CATALOGUE = WEB / "locale" / "de" / "LC_MESSAGES"
TRANS = re.compile(r"""{%\s*trans(?:late)?\s+(?:"([^"]*)"|'([^']*)')(?:\s+context\s+"([^"]*)")?""")
SPOKEN = re.compile(r"""(?:_|gettext(?:_lazy)?)\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)""")
BLOCK = re.compile(
    r"{%\s*blocktrans(?:late)?[^%]*%}(.*?)(?:{%\s*plural\s*%}(.*?))?{%\s*endblocktrans(?:late)?\s*%}", re.S
)


def test_the_catalogue_is_complete_and_compiled() -> None:
    with (CATALOGUE / "django.po").open("rb") as file:
        messages = [message for message in read_po(file) if message.id]
    with (CATALOGUE / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    assert len(messages) > 300
    for message in messages:
        assert not message.fuzzy, message.id
        if isinstance(message.id, tuple):
            forms = tuple(compiled.ngettext(*message.id, number) for number in (1, 2))
            assert all(message.string), message.id
            assert forms == tuple(message.string)
            continue
        assert message.string, message.id
        found = compiled.pgettext(message.context, message.id) if message.context else compiled.gettext(message.id)
        assert found == message.string


def test_every_text_of_templates_and_rooms_is_in_the_catalogue() -> None:
    with (CATALOGUE / "django.po").open("rb") as file:
        known = {
            part for message in read_po(file) for part in ([message.id] if isinstance(message.id, str) else message.id)
        }
    asked = set()
    for template in (WEB / "templates").rglob("*.html"):
        source = template.read_text(encoding="utf-8")
        asked |= {double or single for double, single, _context in TRANS.findall(source)}
        for parts in BLOCK.findall(source):
            asked |= {re.sub(r"{{\s*(\w+)\s*}}", r"%(\1)s", part) for part in parts if part}
    for room in WEB.rglob("*.py"):
        for texts in SPOKEN.findall(room.read_text(encoding="utf-8")):
            asked.add("".join(re.findall(r'"((?:[^"\\]|\\.)*)"', texts)))
    assert len(asked) > 300
    assert asked - known == set()


RETIRED = re.compile(r"Urteil|Livegang|Nachhaltigkeitsprüfung|Überprüfung|\b[Dd]er Check\b|Kontrollgruppe")


def test_one_thing_has_one_german_name() -> None:
    """Verdict: Befund. Look: Blick. Review and check: Prüfung. Go-live: Go-live. Control: Vergleichsgruppe."""
    with (CATALOGUE / "django.po").open("rb") as file:
        told = [message.string for message in read_po(file) if isinstance(message.string, str)]
    told += [said.de for said in (*NOTES.values(), *KINDS.values(), *WORDS.values())]
    told += [german for _english, german in REASONS.values()]
    assert [text for text in told if RETIRED.search(text)] == []


class Visible(HTMLParser):
    """The texts a reader sees or hears, without what people typed, code, and drawings."""

    SKIPPED = ("bdi", "code", "script", "style", "svg", "pre", "textarea")
    EMPTY = ("meta", "link", "input", "img", "br", "circle", "rect", "line", "path", "polyline")

    def __init__(self) -> None:
        super().__init__()
        self.skipping: list[str] = []
        self.texts: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if not self.skipping:
            heard = [given.get(name) for name in ("aria-label", "title", "placeholder", "alt")]
            is_data = tag == "svg" or given.get("role") == "img"
            self.texts |= {text for text in heard if text and not is_data and given.get("translate") != "no"}
        if tag in self.EMPTY:
            return
        if self.skipping or tag in self.SKIPPED or given.get("translate") == "no":
            self.skipping.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.skipping and self.skipping[-1] == tag:
            self.skipping.pop()

    def handle_data(self, data: str) -> None:
        if not self.skipping and data.strip():
            self.texts.add(" ".join(data.split()))


# The same in both languages: names, numbers, ids, and words German took over.
SHARED = re.compile(
    r"Regelkreis|Register|Go-live|live|(ACT|REV)-\d+|(ACT-\d+ .*|REV-\d+|Register) · Regelkreis|CIM-\w+|SHA-256|"
    r"HTTP \d+|n = [\d ]+·?|\d{4}-W\d\d.*|φ.*|[\W\d]*|.{0,3}"
)
PAGES = (
    *("/", "/register/", "/register/?view=table", "/actions/improved/", "/actions/planned/", "/actions/closed/"),
    *("/rules/", "/rules/sla/", "/targets/", "/breaches/"),
)


@pytest.mark.django_db
def test_no_page_has_a_text_that_german_readers_get_in_english(stage: Stage, as_person: Visit) -> None:
    draw(stage.actions["improved"])
    figures()
    miss(stage.actions["checking"].looks.get(week_no=4))
    restate(stage.actions["improved"])
    addresses = [
        re.sub(r"/actions/(\w+)/", lambda found: f"/actions/{stage.code(found[1])}/", address) for address in PAGES
    ]
    addresses += [f"/reviews/{review.code}/" for review in ReviewRecord.objects.all()]
    for who in ("olga", "paul", "admin"):
        for address in addresses:
            english, german = (texts(as_person(who, language), address) for language in ("en", "de"))
            same = {text for text in english & german if not SHARED.fullmatch(text)}
            assert not same, f"{address} for {who}"


@pytest.mark.django_db
def test_the_sign_in_page_and_the_error_pages_speak_german(as_person: Visit) -> None:
    client = as_person("olga", "de")
    assert "Hier ist nichts" in client.get("/nowhere/").content.decode()
    client.logout()
    client.cookies["django_language"] = "de"
    assert "Sind unsere Verbesserungen echt?" in client.get("/login/").content.decode()
    answer = client.post("/login/", {"username": "olga", "password": "wrong"})
    assert 'role="alert"' in answer.content.decode()


@pytest.mark.django_db
def test_language_and_theme_are_remembered(stage: Stage, as_person: Visit) -> None:
    client = as_person("olga")
    answer = client.post("/preferences/", {"language": "de", "theme": "dark", "next": "/register/?phase=P"})
    assert answer["Location"] == "/register/?phase=P"
    page = client.get("/register/").content.decode()
    assert '<html lang="de" data-theme="dark">' in page
    stage.people["olga"].refresh_from_db()
    assert stage.people["olga"].language == "de"


@pytest.mark.django_db
def test_preferences_lead_nowhere_else_and_know_their_values(as_person: Visit) -> None:
    client = as_person("olga")
    answer = client.post("/preferences/", {"theme": '"><script>', "language": "xx", "next": "https://evil.example/"})
    assert answer["Location"] == "/"
    assert "theme" not in answer.cookies
    client.cookies["theme"] = '"><script>alert(1)</script>'
    assert "<script>alert" not in client.get("/").content.decode()


@pytest.mark.django_db
def test_german_numbers_have_a_comma(stage: Stage, as_person: Visit) -> None:
    page = as_person("olga", "de").get(f"/actions/{stage.code('improved')}/").content.decode()
    assert "24,0 %" in page
    assert "Prozentpunkte" in page
    assert "percentage points" not in page


def texts(client: object, address: str) -> set[str]:
    reader = Visible()
    reader.feed(client.get(address).content.decode())  # type: ignore[attr-defined]
    return reader.texts
