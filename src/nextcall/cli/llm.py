"""`nextcall llm`: what language models cost."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from nextcall.cli.access_options import DatabaseOption, opened

if TYPE_CHECKING:  # each verb loads what it needs when it runs
    from nextcall.llm.spending import Spending

app = typer.Typer(
    no_args_is_help=True,
    help="Tell what language models cost.",
    rich_markup_mode=None,  # as the whole command line
)

_SHOWN: Final = (
    "provider", "model", "calls", "failed", "input_tokens", "output_tokens", "cost",
    "mean_seconds", "p50_seconds", "p95_seconds", "p99_seconds",
)  # fmt: skip


@app.callback()
def _llm() -> None:
    """Keep `costs` a verb of its own, though it is the only one."""


@app.command("costs")
def costs(
    *,
    day: Annotated[
        str | None, typer.Option(help="Day of UTC, such as 2026-05-01. Default: today.")
    ] = None,
    form: Annotated[
        Literal["table", "json", "csv"],
        typer.Option("--format", help="json is what the service tells; csv has a row a model."),
    ] = "table",
    database: DatabaseOption = None,
) -> None:
    """Show what each model cost in a day, beside the budget that is set."""
    from nextcall.llm.spending import read_spending
    from nextcall.serve.costs.schemas import CostAnswer
    from nextcall.serve.settings import load_settings

    asked, budget = _read_day(day), load_settings().budget()
    with opened(database) as kept:
        spending = read_spending(kept, budget=budget, now=datetime.now(UTC), day=asked)
    if form == "json":
        typer.echo(CostAnswer.of(spending, enabled=True).model_dump_json(indent=1))
    elif form == "csv":
        typer.echo(spending.to_frame().to_csv(index=False), nl=False)
    else:
        _print(spending)


def _print(spending: "Spending") -> None:
    from nextcall.cli.console import note, print_frame
    from nextcall.llm.budget import dollars

    if spending.models:
        frame = spending.to_frame()
        frame["cost"] = [dollars(each.cost) for each in spending.models]
        print_frame(frame[list(_SHOWN)])
    total, number = spending.total, spending.total.predictions
    note(
        f"{total.day}: {dollars(total.committed)} of {dollars(total.budget.daily)}, "
        f"{number:,} prediction{'' if number == 1 else 's'}."
    )


def _read_day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"day must be such as 2026-05-01, got {text[:100]!r}.") from None
