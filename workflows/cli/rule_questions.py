"""`rules new`: a few questions, then a commented rule with its test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from improvement.errors import InputError
from workflows.cli.session import start

if TYPE_CHECKING:
    from improvement.metrics import Metric

MODES = ("observe", "propose", "open")


def new(
    title: Annotated[str | None, typer.Option("--title", help="What it says, in a few words.")] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="What is counted: `regelkreis metrics list`.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="For whom, like customer,country.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="incident, request, problem, change or all.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="5%, 40h …, or `own 30%`.")] = None,
    hold: Annotated[int | None, typer.Option("--for", min=1, max=52, help="Weeks it must be bad in a row.")] = None,
    min_samples: Annotated[int | None, typer.Option("--min-samples", min=0, help="Records a value needs.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="A role or a user.")] = None,
    mode: Annotated[str | None, typer.Option("--mode", help="observe, propose or open.")] = None,
    rule_id: Annotated[str | None, typer.Option("--id", help="Default: made of the title.")] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Default: <id>.yaml in the rules folder.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: defaults for what is not given.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask a few questions; write a commented rule and its test, checked and tested."""
    start()
    from django.conf import settings

    from improvement.metrics import metric_named
    from improvement.rules.writing import KINDS, Answers, asks_for_kind, default_samples, id_from
    from workflows.cli.output import print_json, say
    from workflows.rules import drafts

    ask = _Questions(is_silent=yes)
    counted = metric_named(ask.text("What is counted?", metric, hint=_metrics, check=_known_metric))
    dimensions = _dimensions(counted)
    wanted = ask.text("For whom? One series for each combination of", by, default=",".join(dimensions[:3]))
    chosen = tuple(name.strip() for name in wanted.split(",") if name.strip())
    of_kind = (
        ask.text("Which tickets?", kind, default="incident", known=(*KINDS, "all")) if asks_for_kind(counted) else ""
    )
    limit = ask.text(f"When is it too much? {_target_hint(counted)}", target)
    said_title = ask.text("What does it say, in a few words?", title, default=f"{counted.title}: worse than agreed")
    answers = Answers(
        rule_id=rule_id or id_from(said_title),
        title=said_title,
        metric=counted,
        by=chosen,
        target=limit,
        kind="" if of_kind == "all" else of_kind,
        hold=ask.number("For how many weeks in a row?", hold, default=2),
        min_samples=ask.number("On at least how many records?", min_samples, default=default_samples(counted)),
        owner=ask.text("Whose is it? (a role or a user)", owner, default="service-owner"),
        mode=ask.text("What may it do?", mode, default="observe", known=MODES),
    )
    folder = settings.REGELKREIS.rules
    draft = drafts.write(answers, output or folder / f"{answers.rule_id}.yaml", folder=folder)
    if as_json:
        print_json({"file": str(draft.path), "rule": draft.rule_id, "test_passes": draft.passes, "text": draft.text})
        return
    typer.echo(draft.text, nl=False)
    say(f"Written to {draft.path}; its test {'passes' if draft.passes else 'FAILS: change it to what you mean'}.")
    say(f"Next: regelkreis rules backtest {draft.rule_id} --rules {draft.path}")


class _Questions:
    """Asks what was not given as an option; silent, it takes the defaults."""

    def __init__(self, *, is_silent: bool) -> None:
        self._is_silent = is_silent

    def text(
        self,
        question: str,
        given: str | None,
        *,
        default: str | None = None,
        known: tuple[str, ...] = (),
        hint: Callable[[], str] | None = None,
        check: Callable[[str], str] | None = None,
    ) -> str:
        """The answer; of a closed list, one of it."""
        answer = given
        if answer is None:
            if self._is_silent:
                if default is None:
                    raise InputError(f"“{question}” has no default.", mend="Give it as an option; see --help.")
                return default
            if hint is not None:
                typer.echo(hint(), err=True)
            choices = f" ({', '.join(known)})" if known else ""
            answer = str(typer.prompt(f"{question}{choices}", default=default, err=True))
        if check is not None:
            return check(answer)
        if known and answer not in known:
            from improvement.rules.suggestions import did_you_mean

            raise InputError(f"“{answer[:60]}” is no answer to “{question}”.", mend=did_you_mean(answer, known))
        return answer

    def number(self, question: str, given: int | None, *, default: int) -> int:
        """A whole number."""
        if given is not None or self._is_silent:
            return default if given is None else given
        return int(typer.prompt(question, default=default, type=int, err=True))


def _numbered() -> Mapping[str, str]:
    from improvement.metrics import CATALOGUE

    return {str(number): name for number, name in enumerate(CATALOGUE, start=1)}


def _metrics() -> str:
    from improvement.metrics import CATALOGUE

    width = max(map(len, CATALOGUE))
    return "\n".join(f"{number:>4}  {name:<{width}}  {CATALOGUE[name].title}" for number, name in _numbered().items())


def _known_metric(text: str) -> str:
    """A metric's name, or its number in the list."""
    return _numbered().get(text.strip(), text.strip())


def _dimensions(metric: Metric) -> list[str]:
    from improvement.metrics import DIMENSIONS

    return [name for name in DIMENSIONS if name in metric.where_keys]


def _target_hint(metric: Metric) -> str:
    side = "Above" if metric.direction == "lower" else "Below"
    example = "5%" if metric.is_share else f"a number in {metric.unit}"
    return f"{side} {example}, or `own 30%`: worse than its own past year"
