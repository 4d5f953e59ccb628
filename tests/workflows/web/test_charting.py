"""The cycle draws charts and keeps them; pages only show what was drawn."""

from __future__ import annotations

import pytest

from improvement import charts
from tests.workflows.web.conftest import Visit
from tests.workflows.web.stage import NOW, Stage, draw
from workflows.checks import charting
from workflows.checks.drawing import Studio
from workflows.models import Chart

pytestmark = pytest.mark.django_db


def test_an_action_has_both_charts_in_both_themes_and_languages(stage: Stage) -> None:
    action = stage.actions["improved"]
    draw(action)
    drawn = {(chart.kind, chart.theme, chart.language) for chart in Chart.objects.filter(action=action)}
    assert len(drawn) == 8
    for chart in Chart.objects.filter(action=action):
        assert chart.svg.startswith("<svg")
        assert chart.alternative
        assert chart.spec["usermeta"]["rows"]
        assert chart.as_of == NOW


def test_a_chart_whose_data_did_not_change_is_not_drawn_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[str] = []

    def svg(spec: dict[str, object], *, language: str = "en") -> str:
        rendered.append(language)
        return "<svg/>"

    monkeypatch.setattr(charts, "svg", svg)
    action = stage.actions["improved"]
    draw(action)
    assert sorted(rendered) == ["de", "de", "en", "en"]  # a theme is a change of colours, no drawing of its own
    draw(action)
    assert len(rendered) == 4
    stage.actions["improved"].trigger["target"] = 0.2
    draw(action)
    assert len(rendered) == 8


@pytest.mark.parametrize(
    ("kind", "english", "german"),
    [
        (charting.STILL_OPEN, "How long tickets stay open", "Wie lange Tickets offen bleiben"),
        (charting.ANSWERS, "What users answered", "Was die Nutzer antworteten"),
    ],
)
def test_the_page_shows_what_was_drawn_of_single_records(
    stage: Stage, as_person: Visit, kind: str, english: str, german: str
) -> None:
    action = stage.actions["improved"]
    address = f"/actions/{action.code}/"
    assert english not in as_person("olga").get(address).content.decode()
    for language, words in (("en", "told in English"), ("de", "auf Deutsch erzählt")):
        for theme in charts.THEMES:
            Chart.objects.create(
                action=action, kind=kind, theme=theme, language=language, alternative=words, as_of=NOW,
                svg=f"<svg data-drawn='{theme}'/>",
                spec={"usermeta": {"as_of": "2025-11-23", "columns": ["n"], "rows": [["4711"]]}},
            )  # fmt: skip
    page = as_person("olga").get(address).content.decode()
    for part in (english, "told in English", "data-drawn='light'", "data-drawn='dark'", "Data to 2025-11-23", "4711"):
        assert part in page, part
    page = as_person("olga", language="de").get(address).content.decode()
    assert german in page
    assert "auf Deutsch erzählt" in page


def test_the_legend_says_which_limits_the_chart_has(stage: Stage, as_person: Visit) -> None:
    action = stage.actions["improved"]
    draw(action)
    address = f"/actions/{action.code}/"
    firm = as_person("olga").get(address).content.decode()
    assert "mean and limits of the reference" in firm
    assert "the fewer records a week has, the wider its limits" in firm  # a share of varying n
    for chart in Chart.objects.filter(action=action, kind=charting.TRIGGER):
        chart.spec["usermeta"] |= {"has_trial_limits": True, "has_share_limits": False}
        chart.save()
    trial = as_person("olga", language="de").get(address).content.decode()
    assert "vorläufige Grenzen der Referenz, unter 12 Wochen" in trial
    assert "Mittel und Grenzen der Referenz" not in trial
    assert "je weniger Datensätze" not in trial


def test_without_data_there_is_no_chart_and_no_error(stage: Stage) -> None:
    with Studio(expected=1) as studio:
        assert charting.draw(stage.actions["proposed"], [], studio, last=2900, as_of=NOW) is False
    assert not Chart.objects.filter(action=stage.actions["proposed"]).exists()


def test_a_chart_holds_no_text_from_a_platform(stage: Stage) -> None:
    """It is shown without escaping, so nothing that people typed may be in it."""
    action = stage.actions["improved"]
    action.title = "<script>alert(1)</script>"
    action.save()
    draw(action)
    for chart in Chart.objects.filter(action=action):
        assert "<script" not in chart.svg
        assert "alert(1)" not in chart.svg
