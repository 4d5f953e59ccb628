"""A person at the browser: sign in, find an action, read its story, act on it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import NARROW, WIDE, Open

DARK, LIGHT = "rgb(14, 20, 26)", "rgb(243, 246, 248)"  # the ground of tokens.css
ROOMS = (
    *("/", "/register/", "/register/?view=table", "/actions/ACT-4/", "/actions/ACT-2/", "/reviews/REV-3/"),
    *("/rules/", "/rules/sla/", "/targets/", "/breaches/"),
)


def test_a_person_signs_in_and_out(browse: Open) -> None:
    visit = browse()
    page = visit.go("/register/")
    expect(page).to_have_url(re.compile("/login/"))
    page.get_by_label("User name").fill("olga")
    page.get_by_label("Password").fill("not it")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    page.get_by_label("Password").fill("sandbox")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/register/$"))
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert visit.is_clean()


def test_the_register_filters_as_one_types_and_chooses(browse: Open) -> None:
    visit = browse()
    page = visit.sign_in("audrey")
    visit.go("/register/")
    body = page.locator("#register-body")
    expect(body.locator(".ticket")).to_have_count(6)
    page.evaluate("window.isSamePage = true")
    page.get_by_label("Search").press_sequentially("mail", delay=30)
    expect(body.locator(".ticket")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"[?&]q=mail"))
    page.get_by_label("Search").fill("")
    page.get_by_label("State").select_option("checking")
    expect(body.locator(".ticket")).to_have_count(1)
    expect(body).to_contain_text("Fewer breaches for Checking")
    assert page.evaluate("window.isSamePage") is True  # htmx changed the part, not the page
    page.reload()
    expect(page.get_by_label("State")).to_have_value("checking")
    expect(body.locator(".ticket")).to_have_count(1)
    page.get_by_role("link", name="Table").click()
    expect(page.get_by_role("table")).to_contain_text("Fewer breaches for Checking")
    assert visit.is_clean()


def test_the_action_page_shows_the_chart_and_reads_it_out(browse: Open) -> None:
    visit = browse()
    page = visit.sign_in("olga")
    visit.go("/actions/ACT-4/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Fewer breaches for Mail")
    expect(page.get_by_label("Verdict", exact=True)).to_contain_text("improved")
    chart = page.locator('[data-chart="before-after"]')
    expect(chart.locator(".chart-light svg")).to_be_visible()
    expect(chart.locator(".chart-dark")).to_be_hidden()
    chart.locator('.chart-light path[aria-label*="n ="]').nth(5).dispatch_event("pointerover")
    expect(chart.locator(".tip")).to_contain_text("n =")
    chart.get_by_text("The chart in words and numbers").click()
    expect(chart.get_by_role("table")).to_be_visible()
    struck = page.locator(".naive s").evaluate("node => getComputedStyle(node).backgroundImage")
    assert struck.startswith("linear-gradient")  # from corner to corner
    assert visit.is_clean()


def test_an_owner_fills_in_a_plan_and_reads_the_refusal(browse: Open) -> None:
    visit = browse()
    page = visit.sign_in("gustav")
    visit.go("/actions/ACT-6/")
    page.get_by_role("button", name="Hand in for approval").click()
    expect(page.get_by_role("alert")).to_contain_text("the hypothesis is missing")
    visit.complaints.clear()  # the refusal itself is an answer of 422
    page.get_by_text("Plan", exact=True).locator("visible=true").last.click()
    page.get_by_label("Hypothesis").fill("A queue of its own for the shop.")
    page.get_by_label("Planned go-live").fill("2027-01-11")
    page.locator(".deed form").filter(has=page.get_by_label("Hypothesis")).get_by_role("button").click()
    expect(page.get_by_role("status")).to_contain_text("Done: Plan")
    expect(page.locator(".hypothesis")).to_have_text("A queue of its own for the shop.")
    assert visit.is_clean()


def test_a_page_that_one_comes_back_to_sets_back_no_date_that_was_changed_since(browse: Open) -> None:
    """Chromium shows the newest page it has, and fills in its dates as they stood when one left."""
    visit = browse()
    page = visit.sign_in("gustav")
    visit.go("/actions/ACT-6/")
    form = page.locator(".deed form").filter(has=page.locator("[name=plan-goal]"))

    def save(**fields: str) -> None:
        form.locator("..").evaluate("deed => { deed.open = true }")
        for name, text in fields.items():
            form.locator(f"[name=plan-{name}]").fill(text)
        form.get_by_role("button").click()
        expect(page.get_by_role("status")).to_contain_text("Done: Plan")

    save(due="2035-03-01")
    visit.go("/register/")
    visit.go("/actions/ACT-6/")
    save(due="2035-04-01")
    for _ in range(3):
        page.go_back()
    save(goal="-45%")
    assert form.locator("[name=plan-due]").input_value() == "2035-04-01"
    assert visit.is_clean()


def test_language_and_colours_are_switched_and_stay(browse: Open) -> None:
    visit = browse()
    page = visit.sign_in("paul")
    page.get_by_role("button", name="Deutsch").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Heute")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.get_by_role("button", name="Dunkle Farben").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("body")).to_have_css("background-color", DARK)
    visit.go("/actions/ACT-4/")
    expect(page.locator('[data-chart="before-after"] .chart-dark svg')).to_be_visible()
    expect(page.locator('[data-chart="before-after"] .chart-dark')).to_contain_text("Bestätigung")
    expect(page.locator("body")).to_have_css("background-color", DARK)
    page.get_by_role("button", name="Helle Farben").click()
    expect(page.locator("body")).to_have_css("background-color", LIGHT)
    assert visit.is_clean()


def test_a_dark_system_gets_dark_pages_unasked(browse: Open) -> None:
    for scheme, ground in (("dark", DARK), ("light", LIGHT)):
        page = browse(scheme=scheme).go("/login/")
        expect(page.locator("body")).to_have_css("background-color", ground)


@pytest.mark.parametrize("width", [NARROW, 768, WIDE])
def test_no_page_scrolls_sideways(browse: Open, width: int) -> None:
    visit = browse(width=width)
    page = visit.go("/login/")
    assert page.evaluate(OVERFLOW) == []
    visit.sign_in("olga")
    for room in ROOMS:
        visit.go(room)
        assert page.evaluate(OVERFLOW) == [], f"{room} at {width}"
    assert visit.is_clean()


def test_the_keyboard_reaches_the_content_first(browse: Open) -> None:
    visit = browse()
    page = visit.sign_in("olga")
    visit.go("/register/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    assert skip.bounding_box()["x"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Board")).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_paper_gets_the_light_chart_and_no_controls(browse: Open) -> None:
    visit = browse(scheme="dark")
    page = visit.sign_in("olga")
    visit.go("/actions/ACT-4/")
    page.emulate_media(media="print")
    expect(page.locator('[data-chart="before-after"] .chart-light')).to_be_visible()
    expect(page.locator('[data-chart="before-after"] .chart-dark')).to_be_hidden()
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    struck = page.locator(".naive s").evaluate("node => getComputedStyle(node).textDecorationLine")
    assert struck == "line-through"  # paper prints no grounds


def test_what_does_not_exist_has_a_page(browse: Open) -> None:
    visit = browse()
    page = visit.sign_in("olga")
    visit.go("/actions/ACT-999/")
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    page.get_by_role("link", name="To the register").click()
    expect(page).to_have_url(re.compile("/register/$"))


OVERFLOW = """() => document.documentElement.scrollWidth <= document.documentElement.clientWidth ? [] :
  [...document.querySelectorAll('body *')].filter(node => node.getBoundingClientRect().right >
    document.documentElement.clientWidth + 1).slice(0, 5).map(node => node.outerHTML.slice(0, 120))"""
