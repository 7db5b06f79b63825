"""`nextcall feedback`: how good predictions were, and what they teach."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nextcall.cli.access_options import DatabaseOption, moment, opened
from nextcall.cli.adapt import AdaptedTo, Base, Force, Output, Seed, adapt_and_write
from nextcall.cli.model import Encoder

if TYPE_CHECKING:  # each verb loads what it needs when it runs
    from nextcall.feedback.answers import Answer
    from nextcall.sessions import Query

app = typer.Typer(
    no_args_is_help=True,
    help="Tell how good predictions were, and let a ranker learn which ones were taken.",
    rich_markup_mode=None,  # as the whole command line
)

_MOST_DAYS = 36_500
_MOMENT = "a day or a moment, UTC where it has no zone"
_SHOWN = (
    "since", "model_version", "answers", "users", "hit_at_1", "hit_at_1.low", "hit_at_1.high",
    "hit_at_3", "mrr", "mrr.low", "mrr.high", "none_rate",
)  # fmt: skip
_PREFERENCE = (
    "model_version", "challenger", "answers", "users", "taken", "credit", "credit.challenger",
    "difference", "difference.low", "difference.high", "pvalue",
)  # fmt: skip

Since: TypeAlias = Annotated[str | None, typer.Option("--since", help=f"From: {_MOMENT}.")]
Until: TypeAlias = Annotated[str | None, typer.Option("--until", help=f"Before: {_MOMENT}.")]


@app.command("summary")
def summary(
    *,
    since: Since = None,
    until: Until = None,
    days: Annotated[
        float | None, typer.Option(help="Length of windows that are told apart; one for all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    database: DatabaseOption = None,
) -> None:
    """Show hit@1, hit@3, MRR and the rate of none, by version of the model."""
    from nextcall.cli.console import note, print_frame
    from nextcall.feedback.accuracy import accuracy_frame, online_accuracy

    with opened(database) as kept:
        found = online_accuracy(
            kept,
            since=moment("since", since),
            until=moment("until", until),
            window=None if days is None else timedelta(days=days),
        )
    frame = accuracy_frame(found)
    if as_json:
        typer.echo(frame.to_json(orient="records", date_format="iso", indent=1))
    elif frame.empty:
        note("There is no feedback of that time.")
    else:
        print_frame(frame[[name for name in _SHOWN if name != "since" or days is not None]])


@app.command("interleaved")
def interleaved(
    *,
    since: Since = None,
    until: Until = None,
    days: Annotated[
        float | None, typer.Option(help="From so many days ago, in the place of --since.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    database: DatabaseOption = None,
) -> None:
    """Show which of two interleaved models users prefer, by what they chose of both."""
    from nextcall.cli.console import note, print_frame
    from nextcall.feedback.interleaved import interleaved_preferences, preference_frame

    if days is not None and since is not None:
        raise ValueError(f"days must not be given beside since, got {days:g}.")
    start = moment("since", since)
    if days is not None:
        if not 0 < days <= _MOST_DAYS:
            raise ValueError(f"days must be above 0, up to {_MOST_DAYS:,}, got {days:g}.")
        start = datetime.now(UTC) - timedelta(days=days)
    with opened(database) as kept:
        found = interleaved_preferences(kept, since=start, until=moment("until", until))
    frame = preference_frame(found)
    if as_json:
        typer.echo(frame.to_json(orient="records", indent=1))
    elif frame.empty:
        note("There is no feedback of that time on interleaved lists.")
    else:
        print_frame(frame[list(_PREFERENCE)])
        for each in found:
            typer.echo(each.verdict)


@app.command("export")
def export(
    *,
    output: Annotated[Path, typer.Option(help="File, one query a line (.jsonl).")],
    since: Since = None,
    until: Until = None,
    database: DatabaseOption = None,
) -> None:
    """Write prompts with what was called after them, as `train` and `crossval` read them."""
    from nextcall.cli.console import note
    from nextcall.sessions.jsonl import write_queries

    queries = _queries(since, until, database)
    write_queries(queries, output)
    note(f"{len(queries):,} queries: {output}")


@app.command("train")
def train(
    *,
    catalog: Annotated[Path, typer.Option(help="Catalogue that was asked.")],
    output: Annotated[Path, typer.Option(help="Folder of the trained ranker.")],
    queries: Annotated[
        Path | None, typer.Option(help="Other prompts with their answers (.jsonl), beside it.")
    ] = None,
    since: Since = None,
    until: Until = None,
    simulated: Annotated[
        int, typer.Option(min=0, help="Simulated sessions beside what is given.")
    ] = 1_200,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 0,
    database: DatabaseOption = None,
) -> None:
    """Train a ranker on feedback, as `nextcall train` does on prompts."""
    from tempfile import TemporaryDirectory

    from nextcall.catalog.load import load_catalog
    from nextcall.cli import model
    from nextcall.cli.console import note
    from nextcall.sessions.jsonl import read_queries, write_queries

    known = load_catalog(catalog)
    found = _queries(since, until, database)
    own = [query for query in found if query.relevant[0] in known]
    if len(own) < len(found):
        note(f"{len(found) - len(own):,} answers are no operations of {catalog}, and are left out.")
    others = read_queries(queries) if queries else []
    note(f"{len(own):,} queries of feedback, {len(others):,} others.")
    with TemporaryDirectory() as folder:
        together = Path(folder, "queries.jsonl")
        write_queries([*others, *own], together)
        model.train(catalog, output, queries=together, seed=seed, simulated=simulated)


@app.command("adapt")
def adapt(
    *,
    catalog: AdaptedTo,
    output: Output,
    base: Base = None,
    since: Since = None,
    until: Until = None,
    force: Force = False,
    seed: Seed = 0,
    encoder: Encoder = "auto",
    database: DatabaseOption = None,
) -> None:
    """Adapt a ranker to feedback; say what it gained on users held out."""
    from nextcall.catalog.load import load_catalog
    from nextcall.cli.console import note

    known = load_catalog(catalog)
    answers = _answers(since, until, database)
    users = {each.prediction_id: each.user for each in answers}
    found = _taught(answers)
    own = [query for query in found if query.relevant[0] in known]
    if len(own) < len(found):
        note(f"{len(found) - len(own):,} answers are no operations of {catalog}, and are left out.")
    groups = [users[query.query_id] or f"\0{query.query_id}" for query in own]
    adapt_and_write(
        catalog, output, own, groups, base=base, force=force, seed=seed, encoder=encoder
    )


def _answers(since: str | None, until: str | None, database: str | None) -> "list[Answer]":
    from nextcall.feedback.answers import read_answers

    with opened(database) as kept:
        return read_answers(kept, since=moment("since", since), until=moment("until", until))


def _queries(since: str | None, until: str | None, database: str | None) -> "list[Query]":
    return _taught(_answers(since, until, database))


def _taught(answers: "Sequence[Answer]") -> "list[Query]":
    from nextcall.feedback.answers import answer_queries

    queries = answer_queries(answers)
    if not queries:
        raise ValueError(
            f"feedback must hold prompts after which something was called, got none of "
            f"{len(answers):,} answers; prompts are kept where NEXTCALL_FEEDBACK_PROMPTS is true."
        )
    return queries
