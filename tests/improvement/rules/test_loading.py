"""Every mistake is told with file, line, column and what to do, all at once."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from improvement.errors import ManyErrors
from improvement.rules import check_paths, load_pack, rule_from_document
from tests.improvement.rules.build import HEAD, a_file, a_rule

GOOD = """\
apiVersion: regelkreis/v1
kind: Rule
metadata:
  id: sla
  title: Too many
spec:
  metric: sla_breach_rate
  where: {kind: incident}
  by: [customer, country]
  target: {max: 5%}
"""


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join(['*' + before] * 10)}]\n" for before, after in pairwise("abcdefgh")
)


def told(path: Path) -> list[tuple[int | None, int | None, str, str]]:
    """(line, column, what, mend) of every error."""
    found = []
    for error in check_paths([path]).errors:
        assert error.where is not None
        assert error.where.file == str(path)
        found.append((error.where.line, error.where.column, error.what, error.mend))
    return found


def changed(old: str, new: str) -> str:
    """The good rule with one line changed."""
    assert old in GOOD
    return GOOD.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "what", "mend"),
    [
        ("{max: 5%}", "{max: 5 percent}", 10, 17, '"5 percent" is not a number', "Did you mean 5%?"),
        ("{max: 5%}", "{max: '5,5%'}", 10, 17, '"5,5%" is not a number', "Did you mean 5.5%?"),
        ("{max: 5%}", "{max: 5}", 10, 17, "5 lies outside 0% and 100%", "Did you mean 5%?"),
        ("{max: 5%}", "{max: 1e308}", 10, 17, "is not a number", "Write it like 5%"),
        ("{max: 5%}", "{max: 5h}", 10, 17, "is a share and has no unit", "Write it like 5%"),
        ("{max: 5%}", "{min: 5%}", 10, 12, "min would fire on good ones", "Did you mean max: 5%?"),
        ("{max: 5%}", "{max: 5%, min: 1%}", 10, 11, "here: max and min", "Keep one of them"),
        ("{max: 5%}", "{}", 10, 11, "here: nothing", "Keep one"),
        ("{max: 5%}", "{maxx: 5%}", 10, 12, "There is no “maxx” here", "Did you mean max?"),
        (
            "sla_breach_rate",
            "sla_breach_rat",
            7,
            11,
            "There is no metric “sla_breach_rat”",
            "Did you mean sla_breach_rate?",
        ),
        ("kind: incident", "knd: incident", 8, 11, "cannot be filtered by “knd”", "Did you mean kind?"),
        ("kind: incident", "kind: incidnet", 8, 17, "“incidnet” is no kind", "Did you mean incident?"),
        ("kind: incident", "priority: [1, 9]", 8, 21, "from 1 (critical) to 5", "[1, 2, 3]"),
        ("kind: incident", "caller: bob", 8, 11, "“caller” is a person", "People are never scopes"),
        ("[customer, country]", "[customer, assignee]", 9, 18, "“assignee” is a person", "People are never scopes"),
        ("[customer, country]", "[customer, cuntry]", 9, 18, "no dimension “cuntry”", "Did you mean country?"),
        ("[customer, country]", "[customer, customer]", 9, 7, "there twice", "once"),
        ("id: sla", "id: My Rule", 4, 7, "“My Rule” is not an id", "small letters"),
        ("id: sla", "id: sla@supplier", 4, 7, "The @ is for derived rules", ""),
        ("title: Too many", "title: 5", 5, 10, "“5” should be a text", "quotes"),
        ("  title: Too many\n", "", 3, 1, "“title” is missing", "Add it"),
        (
            "  title: Too many\n",
            "  title: a\n  title: b\n",
            6,
            3,
            "“title” is there twice (first at line 5",
            "Remove one",
        ),
        ("kind: Rule", "kind: Rul", 2, 7, "There is no kind “Rul”", "Did you mean Rule?"),
        ("apiVersion: regelkreis/v1", "apiVersion: v2", 1, 13, "“v2” is no version we read", "regelkreis/v1"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, old: str, new: str, line: int, column: int, what: str, mend: str
) -> None:
    errors = told(a_file(tmp_path, changed(old, new)))
    assert len(errors) == 1, errors
    assert errors[0][:2] == (line, column), errors
    assert what in errors[0][2]
    assert mend in errors[0][3]


@pytest.mark.parametrize(
    ("spec", "line", "column", "what", "mend"),
    [
        ("window: 28", 9, 11, '"28" is not a duration', "Did you mean 28w"),
        ("window: 10d", 9, 11, "10d are no whole weeks", "Did you mean 1w?"),
        ("window: 3 months", 9, 11, "not a duration", "differ in length"),
        ("window: 90w", 9, 11, "90w is out of bounds", "1w to 52w"),
        ("every: 1d", 9, 10, "1d needs metrics counted by day", "Use 1w"),
        ("every: 2w\n  trigger: {for: 3w}", 10, 18, "no multiple of every", "Use 2w"),
        ("overrides: [{when: {country: CH}, target: {max: 1%}, from: 9999-01-01}]", 9, 62, "lies outside", ""),
        ("mode: auto", 9, 9, "“auto” is not allowed here", "observe"),
        ("clear: {max: 6%}", 9, 16, "still breaks its target", "stricter"),
        ("clear: {ratio: 1.5}", 9, 18, "1.5", ""),
        ("trigger: {min_samples: many}", 9, 26, "should be a whole number", "30"),
        ("while: [{metric: csat, min: 3}]", 9, 20, "There is no metric “csat”", "Did you mean csat_mean?"),
        ("while: [{metric: csat_mean, min: 30%}]", 9, 36, "measured in points", "a number from 1 to 5."),
        ("flow_down: {by: country}", 9, 19, "itself groups by this", "Use supplier"),
        ("flow_down: {by: supplier, agreement: [olla]}", 9, 41, "“olla” is no agreement", "Did you mean ola?"),
        ("overrides: [{when: {planet: Mars}, target: {max: 1%}}]", 9, 23, "no dimension “planet”", "customer"),
        ("overrides: [{when: {service: Mail}, target: {max: 1%}}]", 9, 23, "can never apply", "Add service to by"),
        (
            "overrides: [{when: {country: CH}, target: {max: 1%}, from: soon}]",
            9,
            62,
            '"soon" is not a date',
            "2026-01-31",
        ),
        ("overrides: [{when: {country: CH}, target: {max: 1%}, from: 2026-02-30}]", 9, 62, "not a date", ""),
    ],
)
def test_a_mistake_in_a_line_of_spec_is_told(
    tmp_path: Path, spec: str, line: int, column: int, what: str, mend: str
) -> None:
    errors = told(a_file(tmp_path, changed("  by:", f"  {spec}\n  by:")))
    assert len(errors) == 1, errors
    assert errors[0][:2] == (line, column), errors
    assert what in errors[0][2]
    assert mend in errors[0][3]


@pytest.mark.parametrize(
    ("line", "column", "more", "what"),
    [
        (12, 9, "check:\n  goal: +50%\n", "makes sla_breach_rate worse"),
        (12, 9, "check:\n  goal: -0.05\n", "is a share of what it was before"),
        (12, 9, "check:\n  goal: -100%\n", "more than there is"),
        (13, 15, "check:\n  goal: -20%\n  min_effect: -30%\n", "beyond the goal (-20%)"),
        (12, 10, "check:\n  looks: [8w, 4w]\n", "must rise"),
        (12, 21, "check:\n  controls: {same: [services]}\n", "cannot be the same in “services”"),
        (12, 10, "action:\n  title: 'Better {servce}'\n", "“{servce}” is not known here"),
        (12, 10, "action:\n  title: 'Better {customer'\n", "A brace is open or closed alone"),
        (12, 13, "action:\n  register: jira-emea\n", "not to “jira-emea”"),
        (12, 14, "action:\n  playbook: [{a: b}]\n", "a colon makes it a mapping"),
        (12, 8, "action:\n  due: 2 weeks\n", "is not a duration"),
    ],
)
def test_a_mistake_in_action_or_check_is_told(tmp_path: Path, line: int, column: int, more: str, what: str) -> None:
    errors = told(a_file(tmp_path, GOOD + more))
    assert [(error[0], what in error[2]) for error in errors] == [(line, True)], errors
    if "playbook" not in more:
        assert errors[0][1] == column


@pytest.mark.parametrize(
    ("metric", "by", "mend"),
    [
        ("sla_breach_rate", "1.5", "Stay below 100%."),
        ("sla_breach_rate", "150%", None),  # two and a half times a small share is still one
        ("csat_mean", "4", "Stay below 4."),
        ("csat_mean", "80%", "Stay below 80%."),
        ("csat_mean", "30%", None),
        ("survey_response_rate", "100%", "Stay below 100%."),
        ("incident_count", "500%", None),
    ],
)
def test_a_tolerance_no_value_can_leave_is_refused_where_it_stands(
    tmp_path: Path, metric: str, by: str, mend: str | None
) -> None:
    text = changed("metric: sla_breach_rate", f"metric: {metric}")
    text = re.sub(r"  where: .*\n", "", text).replace("{max: 5%}", f"{{worse_than_own: {{by: {by}, reference: 26w}}}}")
    errors = told(a_file(tmp_path, text))
    if mend is None:
        assert errors == []
    else:
        ((line, _, what, told_mend),) = errors
        assert text.splitlines()[line - 1].lstrip().startswith("target:")
        assert f"No value of {metric} can be {by} worse than its own past" in what
        assert told_mend == mend


def test_all_mistakes_of_all_files_come_at_once(tmp_path: Path) -> None:
    a_file(tmp_path, changed("max: 5%", "max: 5 percent").replace("country]", "caller]"), "a.yaml")
    a_file(tmp_path, changed("sla_breach_rate", "sla") + "foo: [1\n", "b.yaml")
    a_file(tmp_path, GOOD, "c.yaml")
    with pytest.raises(ManyErrors) as caught:
        load_pack([tmp_path])
    places = [(Path(error.where.file).name, error.where.line) for error in caught.value.errors]
    assert places == [("a.yaml", 9), ("a.yaml", 10), ("b.yaml", 12)]
    assert [rule.id for rule in check_paths([tmp_path]).rules] == ["sla"]  # what is right is still loaded


def test_an_error_reads_as_one_line(tmp_path: Path) -> None:
    path = a_file(tmp_path, changed("5%", "5 percent"), "sla.yaml")
    (error,) = check_paths([path]).errors
    expected = f'{path}:10:17, target.max: "5 percent" is not a number or a percentage. Did you mean 5%?'
    assert str(error) == expected


def test_two_rules_with_one_id_are_refused(tmp_path: Path) -> None:
    (line, column, what, _), *_ = told(a_file(tmp_path, GOOD + "---\n" + GOOD))
    assert (line, column) == (15, 7)
    assert "There is a rule “sla” already" in what
    assert ":4:7" in what


def test_overrides_that_leave_two_winners_are_refused(tmp_path: Path) -> None:
    text = (
        GOOD
        + """\
  overrides:
    - {when: {customer: "Auto*"}, target: {max: 1%}}
    - {when: {customer: "*haus"}, target: {max: 2%}}
    - {when: {customer: Autohaus}, target: {max: 3%}}
"""
    )
    errors = told(a_file(tmp_path, text))
    assert len(errors) == 1  # the exact one beats both
    assert errors[0][:2] == (13, 7)
    assert "the one at line 12" in errors[0][2]


def test_overrides_may_follow_each_other_in_time(tmp_path: Path) -> None:
    text = (
        GOOD
        + """\
  overrides:
    - {when: {country: CH}, target: {max: 1%}, to: 2025-12-31}
    - {when: {country: CH}, target: {max: 2%}, from: 2026-01-01}
"""
    )
    assert told(a_file(tmp_path, text)) == []


def test_missing_empty_and_unreadable_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("title: ok\nname: Müller\n".encode("latin-1"))
    errors = check_paths([tmp_path / "nothing.yaml", tmp_path / "empty", latin]).errors
    texts = [error.what for error in errors]
    assert any("no such file" in text for text in texts)
    assert any("holds no rules" in text for text in texts)
    (encoding,) = [error for error in errors if "UTF-8" in error.what]
    assert encoding.where is not None
    assert (encoding.where.line, encoding.where.column) == (2, 8)


def test_defaults_hold_for_a_folder_and_those_below(tmp_path: Path) -> None:
    a_file(tmp_path, """
        apiVersion: regelkreis/v1
        kind: Defaults
        metadata: {owner: desk, tags: {practice: it}}
        spec:
          window: 6w
          trigger: {min_samples: 30}
          limits: {budget: 3}
        check: {goal: -30%}
        """, "defaults.yaml")  # fmt: skip
    a_file(tmp_path / "near", """
        apiVersion: regelkreis/v1
        kind: Defaults
        spec: {window: 8w, limits: {group_above: 9}}
        """, "defaults.yaml")  # fmt: skip
    a_file(tmp_path, GOOD, "far.yaml")
    a_file(tmp_path / "near", GOOD.replace("id: sla", "id: near") + "  trigger: {for: 2w}\n", "near.yaml")
    pack = load_pack([tmp_path])
    far, near = pack.rule("sla"), pack.rule("near")
    assert (far.window_weeks, near.window_weeks) == (6, 8)
    assert (far.min_samples, near.min_samples, near.for_values) == (30, 30, 2)
    assert (far.owner, far.tags, far.check.goal) == ("desk", {"practice": "it"}, "-30%")
    assert pack.limits.budget == 3
    assert (near.limits.budget, near.limits.group_above, far.limits.group_above) == (3, 9, 3)


def test_a_mistake_in_the_defaults_is_told_there(tmp_path: Path) -> None:
    path = a_file(
        tmp_path, "apiVersion: regelkreis/v1\nkind: Defaults\nspec:\n  windw: 6w\n  limits: {budget: x}\n", "d.yaml"
    )
    assert [(error[0], error[1]) for error in told(path)] == [(4, 3), (5, 20)]


def test_a_default_that_breaks_a_rule_is_told_at_the_default(tmp_path: Path) -> None:
    defaults = a_file(
        tmp_path, "apiVersion: regelkreis/v1\nkind: Defaults\nspec:\n  where: {knd: incident}\n", "d.yaml"
    )
    a_file(tmp_path, GOOD.replace("  where: {kind: incident}\n", ""), "r.yaml")
    (error,) = check_paths([tmp_path]).errors
    assert error.where is not None
    assert (error.where.file, error.where.line, error.where.column) == (str(defaults), 4, 11)


def test_the_digest_names_the_meaning_not_the_spelling(tmp_path: Path) -> None:
    one = a_rule(tmp_path, "target: {max: 5%}\nwindow: 4w")
    same = a_rule(tmp_path, "window:   28d\ntarget: {max: 0.05}\nmode: propose")
    other = a_rule(tmp_path, "target: {max: 6%}")
    moved = a_rule(tmp_path, "window: 5w")
    assert one.sha256 == same.sha256
    assert one.sha256 != other.sha256
    assert one.series_sha256 == other.series_sha256  # only the target changed: the same series is judged again
    assert one.series_sha256 != moved.series_sha256


def test_a_canonical_form_loads_to_the_same_rule(tmp_path: Path) -> None:
    spec = """
        overrides: [{when: {country: CH, customer: "Auto*"}, target: {max: 3%}, from: 2026-01-01}]
        while: [{metric: csat_mean, min: 3.5, where: {survey.kind: csat}}]
        flow_down: {by: supplier, tighten: 0.9}
        cooldown: 3w
        """
    more = """
        check: {goal: -50%, min_effect: -20%, looks: [4w, 8w]}
        action: {title: 'x {customer}', priority: {urgency: high}}
        """
    rule = a_rule(tmp_path, spec, more)
    again = rule_from_document(rule.canonical())
    assert again == rule
    assert again.sha256 == rule.sha256


def test_norway_is_a_country(tmp_path: Path) -> None:
    rule = a_rule(tmp_path, "where: {kind: incident, country: NO}")
    assert rule.where["country"] == ("NO",)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: " + "[" * 200 + "]" * 200, "nested too deeply"),
        (LAUGHS, "too many values"),
        ("a: &a [*a]", "refers to nothing above it"),
        ("a: !!python/object:os.system x", "Tags are not read"),
        ("a: &a {b: 1}\nc:\n  <<: *a", "Merge keys"),
        ("? [a, b]\n: c", "A key must be a plain text"),
        ("a: b: c", "not YAML"),
        ("a:\n\t- b", "not YAML"),
        ("a: 'open", "not YAML"),
        ("a: \x07", "a character that YAML does not allow"),
        ("a:\n  " + "- " * 3000, "nested too deeply"),
        ("x" * 600_000, "too large"),
        ('a: "\\ud800"', "a control character"),
        ('"\\0": a', "a control character"),
    ],
    ids=[
        "deep",
        "laughs",
        "itself",
        "tag",
        "merge",
        "complex key",
        "colon",
        "tab",
        "quote",
        "bell",
        "dashes",
        "large",
        "surrogate",
        "nul",
    ],
)
def test_hostile_files_are_refused_quickly(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    errors = told(path)
    assert any(what in error[2] for error in errors), errors
    assert all(error[0] is not None and error[1] is not None for error in errors)


@pytest.mark.parametrize(
    ("spec", "is_refused"),
    [
        ("metric: csat_mean\nwhere: {}\ntarget: {min: 4}\ntrigger: {for: 2w, min_samples: 4}", True),
        ("metric: csat_mean\nwhere: {}\ntarget: {min: 4}\ntrigger: {for: 2w, min_samples: 5}", False),
        ("metric: csat_mean\nwhere: {}\ntarget: {min: 4}\ntrigger: {for: 2w}", False),
        ("by: [customer, assignment_group]\ntrigger: {for: 2w, min_samples: 2}", True),
        ("where: {assignment_group: [Desk]}\ntrigger: {for: 2w, min_samples: 2}", True),
        ("where: {assignment_group: [Desk]}\ntrigger: {for: 2w, min_samples: 5}", False),
        ("trigger: {for: 2w, min_samples: 2}", False),
        ("while: [{metric: sla_breach_rate, where: {assignment_group: [A]}, max: 3%, min_samples: 4}]", True),
        ("while: [{metric: csat_mean, where: {}, min: 4, min_samples: 4}]", True),
        ("while: [{metric: csat_mean, where: {}, min: 4, min_samples: 5}]", False),
        ("while: [{metric: reopen_rate, where: {}, max: 3%, min_samples: 4}]", False),
    ],
)
def test_no_value_may_be_that_of_one_person(tmp_path: Path, spec: str, is_refused: bool) -> None:
    if not is_refused:
        assert a_rule(tmp_path, spec)
        return
    with pytest.raises(ManyErrors, match=r"can be that of one person; at least 5 are needed. Use 5 or more"):
        a_rule(tmp_path, spec)


def test_a_rule_is_passed_on_to_no_groups_that_can_be_one_person(tmp_path: Path) -> None:
    spec = "metric: incident_count\nby: [customer]\ntarget: {max: 50}\nflow_down: {by: [supplier, assignment_group]}"
    with pytest.raises(ManyErrors, match=r"On 0 samples a value can be that of one person; at least 5 are needed"):
        a_rule(tmp_path, f"{spec}\ntrigger: {{for: 2w}}")
    a_rule(tmp_path, f"{spec}\ntrigger: {{for: 2w, min_samples: 5}}")


def test_a_folder_may_ask_for_more_people(tmp_path: Path) -> None:
    a_file(
        tmp_path,
        "apiVersion: regelkreis/v1\nkind: Defaults\nspec: {limits: {min_people: 8}}\n",
        name="defaults.yaml",
    )
    spec = "metric: csat_mean\nwhere: {}\ntarget: {min: 4}\ntrigger: {for: 2w, min_samples: 7}"
    with pytest.raises(ManyErrors, match="at least 8"):  # a file given alone has its folder's defaults too
        a_rule(tmp_path, spec)
    (refused,) = check_paths([tmp_path]).errors
    assert "at least 8" in str(refused)


def test_a_file_given_alone_means_what_it_means_in_its_folder(tmp_path: Path) -> None:
    a_file(tmp_path, "apiVersion: regelkreis/v1\nkind: Defaults\nspec: {window: 6w}\n", name="defaults.yaml")
    above = "apiVersion: regelkreis/v1\nkind: Defaults\nspec: {cooldown: 3w}\n"
    rule = "apiVersion: regelkreis/v1\nkind: Rule\nmetadata: {id: sla, title: T}\n"
    rule += "spec: {metric: sla_breach_rate, target: {max: 5%}}\n"
    file = a_file(tmp_path, rule, name="below/sla.yaml")
    a_file(tmp_path, above, name="below/all.yaml")
    whole = load_pack([tmp_path]).rules[0]
    alone = load_pack([file], within=tmp_path).rules[0]
    assert (alone.window_weeks, alone.cooldown_weeks, alone.sha256) == (6, 3, whole.sha256)
    assert load_pack([file]).rules[0].window_weeks == 4  # nobody said how far up the folders belong together
