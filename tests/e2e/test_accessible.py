"""What a screen reader and a checker would say about every room, in both languages."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Open
from tests.e2e.test_site import ROOMS

# Each returns what is wrong, as short outer HTML; nothing wrong is an empty list.
UNNAMED = """() => {
  const name = node => (node.getAttribute('aria-label') || node.getAttribute('title') || node.textContent || '').trim()
    || [...node.querySelectorAll('[alt]')].map(image => image.alt).join('');
  return [...document.querySelectorAll('a[href], button, summary')].filter(node => !name(node))
    .map(node => node.outerHTML.slice(0, 120));
}"""
UNLABELLED = """() => [...document.querySelectorAll('input:not([type=hidden]), select, textarea')]
  .filter(node => !(node.labels && node.labels.length && node.labels[0].textContent.trim())
    && !node.getAttribute('aria-label')).map(node => node.outerHTML.slice(0, 120))"""
HEADINGS = """() => {
  const levels = [...document.querySelectorAll('main h1, main h2, main h3, main h4')].map(node => +node.tagName[1]);
  const wrong = levels.filter((level, place) => place && level > levels[place - 1] + 1);
  return levels.filter(level => level === 1).length === 1 && levels[0] === 1 ? wrong : ['h1', ...levels];
}"""
DOUBLED = """() => {
  const ids = [...document.querySelectorAll('[id]')].map(node => node.id);
  return ids.filter((id, place) => ids.indexOf(id) !== place);
}"""
BROKEN = """() => [...document.querySelectorAll('[aria-labelledby], [for]')].filter(node => {
  const id = node.getAttribute('aria-labelledby') || node.getAttribute('for');
  return !document.getElementById(id);
}).map(node => node.outerHTML.slice(0, 120))"""
SILENT = """() => [...document.querySelectorAll('img:not([alt]), svg:not([aria-label]):not([aria-hidden] *)')]
  .filter(node => !node.closest('[role=img][aria-label]')).map(node => node.outerHTML.slice(0, 120))"""
LANDMARKS = """() => ['header', 'main', 'footer', 'a.skip'].filter(part => !document.querySelector(part))"""
HEADERLESS = """() => [...document.querySelectorAll('table')].filter(table => !table.querySelector('th[scope]')
  || [...table.querySelectorAll('th:not([scope])')].length).map(table => table.outerHTML.slice(0, 120))"""
SMALL = """() => [...document.querySelectorAll('button, .button, nav a, select')].filter(node => {
  const box = node.getBoundingClientRect();
  return box.width && (box.height < 24 || box.width < 24);
}).map(node => node.outerHTML.slice(0, 120))"""
UNREADABLE = """() => {
  const parts = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 :
    ((v + .055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const wrong = [];
  for (const node of document.querySelectorAll('body *')) {
    const text = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
    const box = node.getBoundingClientRect();
    if (!text || node.closest('svg, .sr, .skip, [aria-hidden], option') || !box.width) continue;
    const style = getComputedStyle(node);
    const [light, dark] = [luminance(parts(style.color)), luminance(ground(node))].sort((a, b) => b - a);
    const ratio = (light + .05) / (dark + .05);
    const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.7 && style.fontWeight >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) wrong.push(ratio.toFixed(2) + ' ' + node.outerHTML.slice(0, 100));
  }
  return wrong;
}"""
CHECKS = {
    "links and buttons have a name": UNNAMED,
    "fields have a label": UNLABELLED,
    "headings go down step by step": HEADINGS,
    "ids are unique": DOUBLED,
    "labels point to something": BROKEN,
    "pictures have words": SILENT,
    "landmarks are there": LANDMARKS,
    "tables have headers": HEADERLESS,
    "targets are large enough": SMALL,
    "text can be read": UNREADABLE,
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_room_can_be_read_by_everybody(browse: Open, scheme: str) -> None:
    visit = browse(scheme=scheme)
    page = visit.go("/login/")
    wrong = {("/login/", name): found for name, check in CHECKS.items() if (found := page.evaluate(check))}
    visit.sign_in("olga")
    for room in (*ROOMS, "/nowhere/"):
        visit.go(room)
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
        wrong |= {(room, name): found for name, check in CHECKS.items() if (found := page.evaluate(check))}
    assert wrong == {}


def test_titles_tell_the_pages_apart(browse: Open) -> None:
    visit = browse()
    page = visit.sign_in("olga")
    titles = []
    for room in (
        "/",
        "/register/",
        "/actions/ACT-4/",
        "/reviews/REV-3/",
        "/rules/",
        "/rules/sla/",
        "/targets/",
        "/breaches/",
    ):
        visit.go(room)
        titles.append(page.title())
    assert len(set(titles)) == len(titles)
    assert all(title.endswith("· Regelkreis") for title in titles)
