"""What people find on the pages, and what they may not see."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.workflows.web.conftest import Visit
from tests.workflows.web.stage import NOW, TRIGGER, Stage, draw, miss, restate
from workflows.actions import commands
from workflows.models import ActionComment, Point, ReviewRecord
from workflows.steps.review import record_look, record_restated_targets

pytestmark = pytest.mark.django_db


def text(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, address
    return answer.content.decode()


def test_without_signing_in_every_page_leads_to_the_sign_in(stage: Stage) -> None:
    for address in ("/", "/register/", "/register.csv", f"/actions/{stage.code('improved')}/", "/reviews/REV-1/"):
        answer = Client().get(address)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/login/?next=")


def test_home_shows_what_waits_for_me_and_how_customers_fare(stage: Stage, as_person: Visit) -> None:
    page = text(as_person("olga"), "/")
    assert "decide: standardise, adjust or stop" in page
    assert "plan: hypothesis, goal, go-live" in page
    assert "Acme" in page
    assert "Globex" not in page
    assert "Satisfaction 4.30 of 5, target 3.80, 20 answers" in page
    assert "↗" in page  # against thirteen weeks earlier


def test_home_tells_whoever_only_looks_on_whom_it_waits(as_person: Visit) -> None:
    for looker in ("audrey", "vera"):
        page = text(as_person(looker), "/")
        assert "Waits for its owner" in page
        assert "owner <bdi>Olga Owner</bdi>" in page
        assert "Waits for you" not in page
    assert "Wartet auf die Eigner" in text(as_person("audrey", language="de"), "/")
    assert "Waits for you" in text(as_person("gustav"), "/")  # who owns none, and may


def test_an_approver_finds_the_plans_of_others(as_person: Visit) -> None:
    assert "approve the plan or send it back" in text(as_person("paul"), "/")


def test_the_action_page_tells_the_story_in_order(stage: Stage, as_person: Visit) -> None:
    draw(stage.actions["improved"])
    page = text(as_person("olga"), f"/actions/{stage.code('improved')}/")
    order = [
        "percentage points",  # the effect
        "<s>",  # the naive number, struck
        "Before and after",
        "Why it was opened",
        "A second shift takes over.",
        "odds ratio 0.67",  # the detectable effect
        "Train the night shift",
        "provisional",
        "What has to hold before an improvement",
        "The verdict is in: the owner decides.",
        "final look computed",
        "regelkreis evidence verify",
    ]
    places = [page.find(words) for words in order]
    assert -1 not in places, dict(zip(order, places, strict=True))
    assert places == sorted(places)
    assert 'href="https://snow.example/Mail"' in page
    assert page.count("<svg") > 4
    assert "Expected without the action" in page
    assert "n = " in page


def test_what_later_data_make_of_the_trigger_stands_beside_it(stage: Stage, as_person: Visit) -> None:
    action = stage.actions["improved"]
    page = f"/actions/{action.code}/"
    assert "Later data" not in text(as_person("olga"), page)
    Point.objects.filter(finding=action.finding, week=TRIGGER[1]).update(later_value=0.12, later_at=NOW)
    assert "the value to 6 July 2025, 20.0 %, would be 12.0 % today" in text(as_person("olga"), page)
    assert "<b>24.0 %</b>" in text(as_person("olga"), page)
    assert "der Wert bis 6. Juli 2025, 20,0 %, wäre heute 12,0 %" in text(as_person("olga", language="de"), page)


def test_the_review_shows_the_verdict_above_the_decision_and_the_receipt(stage: Stage, as_person: Visit) -> None:
    client = as_person("audrey")
    review = ReviewRecord.objects.get(action=stage.actions["closed"], kind="final")
    page = text(client, f"/reviews/{review.code}/")
    assert review.look is not None
    assert 0 < page.find(f"</span> {review.look.verdict}<") < page.find(">Decision<") < page.find("<b>stop</b>")
    with_receipt = ReviewRecord.objects.get(action=stage.actions["improved"], kind="final")
    assert "HTTP 201" in text(client, f"/reviews/{with_receipt.code}/")
    document = client.get(f"/reviews/{review.code}.json").json()
    assert document["verdict_sha256"] == review.verdict_sha256
    assert document["decision"]["decision"] == "stop"


def test_a_sustaining_look_says_who_acknowledged_it_and_before_that_nobody_did(stage: Stage, as_person: Visit) -> None:
    action, olga = stage.actions["improved"], stage.people["olga"]
    final = action.looks.get(kind="final")
    commands.decide(olga, action.code, "standardise", at=NOW)
    look = action.looks.filter(kind="sustain").order_by("due_at").first()
    assert look is not None
    look.result, look.verdict, look.computed_at, look.data_as_of = final.result, final.verdict, look.due_at, look.due_at
    look.save()
    address = f"/reviews/{record_look(look, at=look.due_at).code}/"
    assert "has not acknowledged it yet" in text(as_person("olga"), address)
    assert "noch nicht zur Kenntnis genommen" in text(as_person("olga", language="de"), address)
    commands.acknowledge(olga, action.code, at=look.due_at)
    for language, word in (("en", "acknowledged"), ("de", "zur Kenntnis genommen")):
        page = text(as_person("olga", language=language), address)
        said = page.find(f"<b>{word}</b>")
        assert 0 < said < page.find(f"<bdi>{olga}</bdi>", said)


def test_a_missed_review_is_shown_as_missed(stage: Stage, as_person: Visit) -> None:
    miss(stage.actions["checking"].looks.get(week_no=4))
    review = ReviewRecord.objects.get(kind="missed")
    assert "A later review does not erase this record" in text(as_person("olga"), f"/reviews/{review.code}/")
    assert "missed" in text(as_person("olga"), f"/actions/{stage.code('checking')}/")


def test_an_addendum_shows_what_later_data_found_and_leads_to_the_review_it_restates(
    stage: Stage, as_person: Visit
) -> None:
    published = ReviewRecord.objects.get(action=stage.actions["improved"], kind="final")
    addendum = restate(stage.actions["improved"])
    page = text(as_person("audrey"), f"/reviews/{addendum.code}/")
    assert f'href="/reviews/{published.code}/"' in page
    assert addendum.document["verdict"] != published.document["verdict"]
    assert f"</span> {addendum.document['verdict']}<" in page
    assert addendum.document["sentence"].split(":")[0] in page
    assert "Missed." not in page
    assert "An addendum asks for no decision." in page
    assert "1 December 2025" in page  # data as of
    before = text(as_person("audrey"), f"/reviews/{published.code}/")
    assert f'href="/reviews/{addendum.code}/"' in before
    assert f"</span> {published.document['verdict']}<" in before
    assert ">addendum<" in text(as_person("olga"), f"/actions/{stage.code('improved')}/")
    german = text(as_person("audrey", language="de"), f"/reviews/{addendum.code}/")
    assert "Nachtrag." in german


@pytest.mark.parametrize("name", ["olga", "vera"])
def test_what_one_may_not_see_does_not_exist(stage: Stage, as_person: Visit, name: str) -> None:
    client = as_person(name)
    foreign = stage.code("foreign")
    page = text(client, f"/actions/{foreign}/", 404)
    assert "There is nothing here" in page
    assert "Shop" not in page
    assert client.post(f"/actions/{foreign}/hold/", {"hold-reason": "x"}).status_code == 404
    assert "Globex" not in text(client, "/register/?view=table")
    assert "Globex" not in text(client, "/register.csv")
    assert "No action matches" in text(client, "/register/?customer=Globex&view=table")


def test_reviews_of_others_do_not_exist_either(stage: Stage, as_person: Visit) -> None:
    review = ReviewRecord.objects.filter(action=stage.actions["improved"]).first()
    assert review is not None
    for address in (f"/reviews/{review.code}/", f"/reviews/{review.code}.json"):
        assert text(as_person("audrey"), address)
        assert text(as_person("gustav"), address, 404)


@pytest.mark.parametrize("address", ["/actions/ACT-99999/", "/actions/x/", "/reviews/REV-9/", "/actions/ACT-²/", "/no"])
def test_an_unknown_address_is_a_styled_page(as_person: Visit, address: str) -> None:
    page = text(as_person("olga"), address, 404)
    assert "regelkreis.css" in page
    assert "<h1>" in page


HTML = '<img src=x onerror="alert(1)"><script>alert(2)</script> & "quotes"'
ARABIC = "\u202eتحسين الخدمة\u202c 🚑"


@pytest.mark.parametrize("title", [HTML, ARABIC, "=HYPERLINK(1)", "x" * 10_000])
def test_titles_from_a_platform_stay_text(stage: Stage, as_person: Visit, title: str) -> None:
    action = stage.actions["improved"]
    action.title = title
    action.save()
    ActionComment.objects.update(text=title)
    client = as_person("olga")
    review = ReviewRecord.objects.get(action=action, kind="final")
    for address in ("/", "/register/", "/register/?view=table", f"/actions/{action.code}/", f"/reviews/{review.code}/"):
        page = text(client, address)
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert len(page) < 200_000
    board = text(client, "/register/")
    assert "x" * 600 not in board
    page = text(client, f"/actions/{action.code}/")
    assert len(title) < 1000 or "Show the whole title" in page


def test_an_address_that_is_no_web_address_is_no_link(stage: Stage, as_person: Visit) -> None:
    action = stage.actions["improved"]
    action.platform_url = "javascript:alert(1)"
    action.save()
    assert "javascript:" not in text(as_person("olga"), f"/actions/{action.code}/")


def test_the_pages_forbid_foreign_scripts_and_frames(as_person: Visit) -> None:
    answer = as_person("olga").get("/")
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_an_addendum_shows_which_targets_were_dated_back(stage: Stage, as_person: Visit) -> None:
    published = ReviewRecord.objects.get(action=stage.actions["improved"], kind="final")
    told = {"scope": {}, "week": "2025-W22", "value": 0.05, "old_target": "max 15%", "new_target": "max 2%"}
    judged = [{"was_breaching": False, "would_be_breaching": True}, {"was_breaching": None, "would_be_breaching": None}]
    addendum = record_restated_targets(published, [told | one for one in judged], at=NOW)
    page = text(as_person("audrey"), f"/reviews/{addendum.code}/")
    assert "A target was dated back: values" in page
    assert [page.count(part) for part in ("<td>max 15%</td>", "<td>the other way</td>", "<td>alike</td>")] == [2, 1, 1]
    assert "Data that came later" not in page
    assert "A target was dated back since." in text(as_person("audrey"), f"/reviews/{published.code}/")
    assert "Zurückdatierte Ziele" in text(as_person("audrey", language="de"), f"/reviews/{addendum.code}/")
