"""The commands beside the plan itself: owners, overrides, follow-ups, and what a person reads about an action."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import translation
from typer.testing import CliRunner, Result

from improvement.errors import GuardRefused, InputError, PermissionMissing
from tests.workflows.build import OPENED, a_person, an_action, an_approver, an_owner, live, looked
from workflows import access
from workflows.cli.main import build
from workflows.models import Action, Connection, LedgerEntry, LookKind, Role
from workflows.web.reasons import translated

pytestmark = pytest.mark.django_db
SECRET = "a long walk in winter"
AT = (OPENED + timedelta(weeks=30)).isoformat()


def run(who: str, *arguments: str, typed: str | None = None) -> Result:
    """One command with this person's token; refusals are raised."""
    admin = access.local_admin()
    person = access.person_named(who)
    token = access.new_token(person, label="test", at=OPENED, by=admin)
    given = {"REGELKREIS_TOKEN": token}
    return CliRunner().invoke(build(), list(arguments), input=typed, env=given, catch_exceptions=False)


def said(who: str, *arguments: str) -> Any:
    return json.loads(run(who, *arguments, "--json").stdout)


@pytest.fixture
def action(home: object) -> Action:
    action = live(an_action(an_owner()), an_approver())
    for kind in (LookKind.LOOK, LookKind.LOOK, LookKind.FINAL):
        looked(action, verdict="no change", kind=kind)
    return action


def test_an_override_is_two_commands_by_two_people(action: Action) -> None:
    first = run("olga", "actions", "override", action.code, "--reason", "A strike.", "--as-of", AT)
    assert "--second" in first.stderr
    with pytest.raises(PermissionMissing):
        run("olga", "actions", "override", action.code, "--second", "--as-of", AT)
    assert said("paul", "actions", "override", action.code, "--second", "--as-of", AT)["is_overridden"] is True
    run("olga", "actions", "decide", action.code, "standardise", "--as-of", AT)
    told = run("olga", "reviews", "show", action.code).stdout
    assert "Verdict: no change" in told
    assert "Decision: standardise, by olga" in told
    assert "Overruled by olga and paul" in told
    assert "A strike." in told


def test_a_follow_up_is_noted_and_done(action: Action) -> None:
    run("olga", "reviews", "follow-up", action.code, "--what", "Ask the supplier", "--due", "2026-04-01")
    document = said("olga", "reviews", "follow-up", action.code, "--no", "1", "--done", "CHG7")
    assert [(entry["what"], entry["due"], entry["done_ref"]) for entry in document["follow_ups"]] == [
        ("Ask the supplier", "2026-04-01", "CHG7")
    ]


def test_another_change_is_marked_and_the_mark_taken_back(action: Action) -> None:
    given = ("actions", "mark-change", action.code, "CHG0042", "--as-of", AT)
    with pytest.raises(InputError, match="when the change went live"):
        run("paul", *given, "--reason", "A new mail server.")
    document = said("paul", *given, "--on", "2025-10-01", "--reason", "A new mail server.", "--scope")
    assert [(mark["number"], mark["is_for_scope"]) for mark in document["marked_changes"]] == [("CHG0042", True)]
    assert "CHG0042, live 2025-10-01, marked by paul" in run("olga", "actions", "show", action.code).stdout
    assert said("paul", *given, "--take-back")["marked_changes"] == []


def test_an_ownerless_action_gets_an_owner(home: object) -> None:
    action = an_action(None)
    a_person("ida", Role.SERVICE_OWNER)
    an_approver("adam")
    assert "actions assign" in run("ida", "actions", "show", action.code).stdout
    assert said("admin", "actions", "assign", action.code, "ida", "--as-of", AT)["owner"] == "ida"
    with pytest.raises(PermissionMissing, match="no service owner"):
        run("ida", "actions", "assign", action.code, "adam", "--as-of", AT)
    with pytest.raises(PermissionMissing, match="does not own"):
        run("adam", "actions", "assign", action.code, "ida", "--as-of", AT)


def test_an_action_is_told_as_a_story(action: Action) -> None:
    told = run("olga", "actions", "show", action.code).stdout
    for line in (
        "owner\tolga",
        "verdict\tno change",
        "went live\t2025-09-15 CHG1",
        "approve\tplanned\tplanned\tpaul",
        "final\t13",
        f"regelkreis actions decide {action.code} stop --reason …",
    ):
        assert line in told, told


def test_the_goal_is_refused_in_the_metrics_own_terms(home: object) -> None:
    action = an_action(an_owner(), goal="-10%")
    action.measurement["detectable"] = {"link": 1.3, "text": "odds ratio 0.27"}
    action.save()
    run("olga", "actions", "plan", action.code, "--hypothesis", "A shift.", "--golive", "2025-09-15", "--as-of", AT)
    with pytest.raises(GuardRefused, match=r"-10%.*odds ratio 0\.27.*give a reason") as refused:
        run("olga", "actions", "submit", action.code, "--as-of", AT)
    mend = f"regelkreis actions plan {action.code} --accept-detectable …"
    assert str(refused.value).endswith(f"(`{mend}`)")
    assert "--accept-detectable" not in "".join(refused.value.reasons)  # the web says it without the command line
    run("olga", *mend.split()[1:-1], "It is the law.", "--as-of", AT)
    assert said("olga", "actions", "submit", action.code, "--as-of", AT)["state"] == "planned"


@pytest.mark.parametrize("text", ["no effect of this kind is detectable with these numbers", "odds ratio 0.00"])
def test_a_goal_that_nothing_could_show_is_refused_in_words_in_both_languages(home: object, text: str) -> None:
    """Also in a plan that was measured when that was still written as a ratio of 0.00."""
    olga = an_owner()
    action = an_action(olga, goal="-50%")
    action.measurement["detectable"] = {"link": 5.3, "text": text}
    action.save()
    assert "effect\tno effect of this kind is detectable" in run("olga", "actions", "show", action.code).stdout
    run("olga", "actions", "plan", action.code, "--hypothesis", "A shift.", "--golive", "2025-09-15", "--as-of", AT)
    with pytest.raises(GuardRefused, match=r"detectable with these numbers, so neither is the goal \(-50%") as refused:
        run("olga", "actions", "submit", action.code, "--as-of", AT)
    assert "--accept-detectable" in str(refused.value)
    browser = Client()
    browser.force_login(olga)
    for language, said in (("en", "no effect of this kind is detectable"), ("de", "lässt sich keine solche Wirkung")):
        browser.cookies["django_language"] = language
        assert said in browser.get(f"/actions/{action.code}/").content.decode()
        with translation.override(language):
            assert said in translated(refused.value.reasons[0])


def test_a_plan_that_lacks_something_names_the_options_that_give_it(home: object) -> None:
    action = an_action(an_owner(), goal="", min_effect="")
    with pytest.raises(GuardRefused) as refused:
        run("olga", "actions", "submit", action.code, "--as-of", AT)
    for option in ("--hypothesis", "--goal", "--min-effect", "--golive"):
        assert f"{option} …" in str(refused.value)
    assert "--accept-detectable" not in str(refused.value)


def test_whoever_is_shut_out_does_nothing_any_more(action: Action) -> None:
    with pytest.raises(InputError, match="stays"):
        run("admin", "users", "disable", "admin")
    run("olga", "actions", "override", action.code, "--reason", "A strike.", "--as-of", AT)
    paul = access.person_named("paul")
    token = access.new_token(paul, label="old", at=OPENED, by=access.local_admin())
    assert said("admin", "users", "revoke", "paul", "--role", "approver")["grants"] == "1"
    with pytest.raises(PermissionMissing, match="no approver"):
        run("paul", "actions", "override", action.code, "--second", "--as-of", AT)
    run("admin", "users", "disable", "paul")
    with pytest.raises(PermissionMissing, match="not valid"):
        access.person_of_token(token)
    assert access.Accounts.of("snow").person("paul") is None
    kinds = {"user.revoked", "user.disabled"}
    assert {entry.type for entry in LedgerEntry.objects.filter(subject=paul.uid)} >= kinds


def signs_in(name: str, password: str) -> bool:
    return Client().login(username=name, password=password)


def test_the_first_administrator_gets_a_password_and_signs_in(home: object) -> None:
    admin = access.local_admin()
    assert [(row["user"], row["state"]) for row in said("admin", "users", "list")] == [("admin", "no password")]
    assert not access.somebody_has_a_password()
    told = run("admin", "users", "password", "admin", typed=f"{SECRET}\n{SECRET}\n")
    assert "admin signs in" in told.stdout
    assert SECRET not in told.output
    assert signs_in("admin", SECRET)
    assert access.somebody_has_a_password()
    assert said("admin", "users", "list")[0]["state"] == "active"
    entry = LedgerEntry.objects.get(type="user.password", subject=admin.uid)
    document = json.loads(bytes(entry.data))
    assert (document["actor"], document["payload"]) == (admin.uid, {})


def test_a_password_is_read_from_a_pipe_and_changed_by_whose_it_is_or_an_administrator(home: object) -> None:
    a_person("ida", Role.VIEWER)
    a_person("ben", Role.VIEWER)
    run("admin", "users", "password", "ida", "--stdin", typed=f"{SECRET}\n")
    browser = Client()
    assert browser.login(username="ida", password=SECRET)
    run("ida", "users", "password", "ida", "--stdin", typed="another long one\n")
    assert signs_in("ida", "another long one")
    assert not signs_in("ida", SECRET)
    assert browser.get("/").status_code == 302  # that session ended
    with pytest.raises(PermissionMissing, match="no administrator"):
        run("ben", "users", "password", "ida", "--stdin", typed=f"{SECRET}\n")
    with pytest.raises(InputError, match="too easy to guess"):
        run("admin", "users", "password", "ida", "--stdin", typed="\n")
    assert signs_in("ida", "another long one")


def test_a_name_that_is_taken_is_refused_before_a_password_is_asked(home: object) -> None:
    a_person("ida", Role.VIEWER)
    with pytest.raises(InputError, match="users password ida"):
        run("admin", "users", "add", "ida", "--password", typed="")  # nothing to read: asking would abort
    run("admin", "users", "add", "ben", "--password", typed=f"{SECRET}\n{SECRET}\n")
    assert signs_in("ben", SECRET)


def test_who_is_shut_out_is_listed_so_and_may_be_let_in_again(home: object) -> None:
    bob = a_person("bob", Role.VIEWER)
    token = access.new_token(bob, label="old", at=OPENED, by=access.local_admin())
    run("admin", "users", "password", "bob", "--stdin", typed=f"{SECRET}\n")
    run("admin", "users", "disable", "bob")
    assert "already" in run("admin", "users", "disable", "bob").stdout
    assert {row["user"]: row["state"] for row in said("admin", "users", "list")}["bob"] == "shut out"
    assert "shut out" in run("admin", "users", "list").stdout
    assert not signs_in("bob", SECRET)
    for arguments in (("token", "bob"), ("password", "bob", "--stdin")):
        with pytest.raises(InputError, match="users enable bob"):
            run("admin", "users", *arguments, typed=f"{SECRET}\n")
    assert "users token bob" in run("admin", "users", "enable", "bob").stdout
    assert "was not shut out" in run("admin", "users", "enable", "bob").stdout
    assert {row["user"]: row["state"] for row in said("admin", "users", "list")}["bob"] == "active"
    assert signs_in("bob", SECRET)
    with pytest.raises(PermissionMissing, match="not valid"):
        access.person_of_token(token)
    types = [entry.type for entry in LedgerEntry.objects.filter(subject=bob.uid).order_by("index")]
    assert types.count("user.disabled") == types.count("user.enabled") == 1


def test_users_answer_in_json(home: object) -> None:
    assert set(said("admin", "users", "add", "ida")) == {"user", "id"}
    assert (
        said("admin", "users", "grant", "ida", "--role", "viewer", "--country", "CH")["role"] == "viewer (country CH)"
    )
    with pytest.raises(InputError, match="There is no connection “snwo”"):
        run("admin", "users", "link", "ida", "snwo", "ida.x")
    Connection.objects.create(name="snow", platform="servicenow")
    assert said("admin", "users", "link", "ida", "snow", "ida.x")["account"] == "ida.x"
    assert said("admin", "users", "token", "ida")["token"].startswith("rk_")
