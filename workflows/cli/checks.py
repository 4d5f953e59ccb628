"""`checks` and `reviews`: verdicts, on our actions or on anybody's own weekly numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from workflows.cli.session import AS_OF_HELP, KNOWN_AT_HELP, actor, day_if_given, moment, start

group = typer.Typer(help="The check: did the action work?", no_args_is_help=True)
reviews = typer.Typer(help="Review records.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
KnownAt = Annotated[str | None, typer.Option("--as-of", help=KNOWN_AT_HELP)]
AsOf = Annotated[str | None, typer.Option("--as-of", help=AS_OF_HELP)]


@group.command()
def compute(
    plans: Annotated[
        Path,
        typer.Option(help="CSV: action,scope,metric,trigger_from,trigger_to,implemented_on,as_of,goal[,min_effect]."),
    ],
    cells: Annotated[Path, typer.Option(help="CSV: action,scope,week,numerator,denominator[,stratum].")],
    as_json: Json = False,
) -> None:
    """Run the check on your own weekly numbers; no platform is needed.

    Ends with 0 when every plan was computed, 1 when some were refused, 2 when a file cannot be read.
    """
    from workflows.checks import spreadsheet_door
    from workflows.cli.errors import say_error
    from workflows.cli.output import print_json, print_table, say, shown
    from workflows.progress import progress

    with progress() as told:
        report = spreadsheet_door.compute_files(plans, cells, told=told)
    rows = [result.as_dict() for result in report.results]
    if as_json:
        print_json(rows)
    else:
        columns = ("action", "verdict", "effect", "low", "high", "unit", "look", "goal_met", "sentence")
        names = [name.replace("_", " ") for name in columns]
        print_table("Checks", names, [[_rounded(row[name]) for name in columns] for row in rows])
    for remark in report.remarks:
        say(f"note: {shown(remark)}")
    for error in report.errors:
        say_error(shown(str(error)))
    if report.errors:
        raise typer.Exit(1)


def _rounded(value: object) -> object:
    return f"{value:.3g}" if isinstance(value, float) else value


@group.command(name="list")
def list_checks(
    quarter: Annotated[str | None, typer.Option(help="Only this calendar quarter, like 2026Q1.")] = None,
    as_of: KnownAt = None,
    as_json: Json = False,
) -> None:
    """Every final verdict, and whether it stands among the others of its quarter (Benjamini–Hochberg, 5 %)."""
    start()
    from workflows.checks.many_verdicts import final_verdicts
    from workflows.cli.output import print_json, print_table

    found = [one.as_dict() for one in final_verdicts(quarter, moment(as_of) if as_of is not None else None)]
    if as_json:
        print_json(found)
        return
    print_table(
        "Final verdicts",
        ["quarter", "action", "computed", "metric", "verdict", "effect", "p", "q", "stands"],
        [
            (
                one["quarter"],
                one["action"],
                f"{one['computed_at']:%Y-%m-%d}",
                one["metric"],
                one["verdict"],
                one["effect"],
                _rounded(one["p_value"]),
                _rounded(one["q_value"]),
                {None: "", True: "yes", False: "no"}[one["stands"]],
            )
            for one in found
        ],
    )


@group.command()
def show(
    code: Annotated[str, typer.Argument(help="The action, like ACT-7.")], as_of: KnownAt = None, as_json: Json = False
) -> None:
    """The looks of an action and what they found; of the newest, the plain figures and the untreated line."""
    start()
    from workflows.actions import commands
    from workflows.cli.output import print_json, print_table, shown
    from workflows.cli.story import LOOK_COLUMNS
    from workflows.evidence import as_it_was

    action = commands.find(code)
    if as_of is not None:
        looks = [look.as_dict() for look in as_it_was.looks_at(action, moment(as_of))]
    else:
        looks = [
            {"kind": look.kind, "week": look.week_no, "due_at": look.due_at, "computed_at": look.computed_at,
             "is_missed": look.is_missed, "is_dropped": look.is_dropped, "verdict": look.verdict or None,
             "result": look.result}
            for look in action.looks.order_by("due_at", "id")
        ]  # fmt: skip
    if as_json:
        print_json(looks)
        return
    rows = [
        (
            look["kind"],
            look["week"],
            _day(look["due_at"]),
            _day(look["computed_at"]),
            look["verdict"],
            (look["result"] or {}).get("sentence", ""),
        )
        for look in looks
    ]
    print_table(f"{action.code} {action.title}", LOOK_COLUMNS, rows)
    results = [look["result"] for look in looks if look["result"]]
    for line in _plain_lines(results[-1] if results else {}):
        print(shown(line))


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at is not None else ""


def _plain_lines(result: Mapping[str, Any]) -> list[str]:
    """The plain before–after figure of a look, and beside it what came of firings that nobody acted on."""
    told = {
        "A plain before–after comparison would have claimed": result.get("naive_text"),
        "Without any action": result.get("untreated_text"),
    }
    return [f"{what}: {text}." for what, text in told.items() if text]


@reviews.command(name="list")
def list_reviews(as_of: KnownAt = None, as_json: Json = False) -> None:
    """Every review record, newest last."""
    start()
    from workflows.cli.output import print_json, print_table
    from workflows.evidence import as_it_was

    columns = ["review", "action", "kind", "recorded", "verdict"]
    rows = [
        (review.code, review.action.code, review.kind, f"{review.recorded_at:%Y-%m-%d}", review.document.get("verdict"))
        for review in as_it_was.reviews_at(moment(as_of) if as_of is not None else None)
    ]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table("Review records", columns, rows)


@reviews.command(name="show")
def show_review(
    code: Annotated[str, typer.Argument(help="A review like REV-3, or an action like ACT-7.")],
    as_of: KnownAt = None,
    as_json: Json = False,
) -> None:
    """A review record, or the newest one of an action: in plain words, or with --json as the published document."""
    start()
    from workflows.actions.judging import review_named
    from workflows.checks import reviewing
    from workflows.cli.output import print_json

    known_at = moment(as_of) if as_of is not None else None
    review = review_named(code, known_at)
    if as_json:
        print_json(reviewing.published(review, known_at))
        return
    print(reviewing.shown_text(review, known_at))
    for line in reviewing.appended_text(review, known_at):
        print(line)


@reviews.command(name="follow-up")
def follow_up(
    code: Annotated[str, typer.Argument(help="A review like REV-3, or an action: its newest review.")],
    what: Annotated[str, typer.Option(help="What is still to be done.")] = "",
    who: Annotated[str, typer.Option(help="By whom.")] = "",
    due: Annotated[str | None, typer.Option(help="By when, a date.")] = None,
    no: Annotated[int | None, typer.Option("--no", help="Change the follow-up of this number.")] = None,
    done: Annotated[str, typer.Option("--done", help="It is done: the task or change that did it.")] = "",
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Note what is still to be done after a review, or that it is done."""
    start()
    from workflows.actions import commands
    from workflows.checks import reviewing
    from workflows.cli.output import print_json

    review = commands.follow_up(
        actor(), code, at=moment(as_of), what=what, who=who, due=day_if_given(due, "--due"), no=no, done_ref=done
    )
    if as_json:
        print_json(reviewing.published(review))
        return
    for line in reviewing.appended_text(review):
        print(line)
