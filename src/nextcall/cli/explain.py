"""The verb `explain`: why an operation stands where it stands."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nextcall.cli.model import CatalogFile, Encoder, Model, known_calls, open_model

if TYPE_CHECKING:
    import pandas as pd

    from nextcall.ranking.answers import Ranked

_SHOWN: Final = 10  # features of a table
_IMAGES: Final = (".png", ".svg")


def explain(
    prompt: Annotated[str, typer.Argument(help="What the user wants.")],
    *,
    history: Annotated[
        list[str] | None, typer.Option("--history", help="An earlier call; repeat, oldest first.")
    ] = None,
    k: Annotated[int, typer.Option("--k", min=1, help="Answers that are explained.")] = 1,
    against: Annotated[
        str | None,
        typer.Option("--against", help="Say why the first answer stands above this operation."),
    ] = None,
    nearest: Annotated[
        int, typer.Option("--nearest", min=0, help="Training prompts nearest in meaning.")
    ] = 0,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Draw the first answer, or --against, to a .png or .svg."),
    ] = None,
    model: Model = None,
    catalog: CatalogFile = None,
    encoder: Encoder = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say why the first answers to a prompt stand where they stand."""
    import json

    from nextcall.catalog.paths import CallMatcher
    from nextcall.cli.console import progress
    from nextcall.locations import data_dir, demo_catalog, model_for
    from nextcall.ranking.explanation import score_parts
    from nextcall.ranking.model_files import load_prompts
    from nextcall.sessions import calls_of

    if not prompt.strip():
        raise ValueError("prompt must not be blank.")
    if plot is not None and plot.suffix.lower() not in _IMAGES:
        raise ValueError(f"--plot must end in {' or '.join(_IMAGES)}, got {str(plot)!r}.")
    known = data_dir()
    folder = model or model_for(catalog or demo_catalog(known), data=known)
    learned = load_prompts(folder) if nearest else None
    ranker, index = open_model(model, catalog, encoder=encoder)
    matcher = CallMatcher(index.catalog)
    calls = calls_of(known_calls(matcher, history or []))
    answers = ranker.rank(index, prompt, calls, k=k)
    parts = score_parts(answers, ranker.trees_)
    first = answers[0].operation.operation_id
    difference = second = None
    if against is not None:
        operation = matcher.match(against)
        if operation is None:
            raise ValueError(f"--against must be a call of the catalogue, got {against!r}.")
        second = operation.operation_id
        difference = ranker.contrast(index, prompt, calls, first=first, second=second)
    near = None
    if learned is not None:
        near = learned.nearest(index, prompt, n=nearest, progress=progress)
    if plot is not None:
        _draw(plot, parts, difference, first, second)
    if as_json:
        shown: dict[str, Any] = {"prompt": prompt, "answers": _answer_values(answers, parts)}
        if difference is not None:
            shown["contrast"] = {"first": first, "second": second, "features": _rows(difference)}
        if near is not None:
            shown["nearest"] = _rows(near)
        typer.echo(json.dumps(shown))
        return
    _print(answers, parts, difference, second, near)


def _draw(
    path: Path,
    parts: "pd.DataFrame",
    difference: "pd.DataFrame | None",
    first: str,
    second: str | None,
) -> None:
    from nextcall.files import atomic_path
    from nextcall.ranking.explanation_plots import plot_contrast, plot_waterfall

    if difference is None or second is None:
        figure = plot_waterfall(parts)
    else:
        figure = plot_contrast(difference, first=first, second=second)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130)


def _answer_values(answers: Sequence["Ranked"], parts: "pd.DataFrame") -> list[dict[str, Any]]:
    from nextcall.ranking.explanation import BASE

    shown = []
    for answer in answers:
        part = parts[parts["rank"] == answer.rank]
        is_base = part["feature"] == BASE
        features = part.loc[~is_base, ["feature", "value", "contribution"]]
        shown.append(
            {
                "rank": answer.rank,
                "operation_id": answer.operation.operation_id,
                "api_call": answer.operation.api_call,
                "confidence": answer.confidence,
                "score": answer.score,
                "base": float(part.loc[is_base, "contribution"].iloc[0]),
                "features": _rows(features),
            }
        )
    return shown


def _rows(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """Give plain values, None where a number is not known."""
    return [
        {str(name): None if value != value else value for name, value in row.items()}  # noqa: PLR0124  # NaN
        for row in table.to_dict("records")
    ]


def _print(
    answers: Sequence["Ranked"],
    parts: "pd.DataFrame",
    difference: "pd.DataFrame | None",
    second: str | None,
    near: "pd.DataFrame | None",
) -> None:
    from nextcall.cli.console import print_frame, print_table
    from nextcall.ranking.explanation import BASE

    for answer in answers:
        part = parts[parts["rank"] == answer.rank]
        base = part.loc[part["feature"] == BASE, "contribution"].iloc[0]
        typer.echo(
            f"{answer.rank}. {answer.operation.operation_id} (confidence {answer.confidence:.3f})"
        )
        features = part[part["feature"] != BASE]
        rows = [("any operation", "", base), *_largest(features, ["value"], "contribution")]
        print_table(("feature", "value", "contribution"), [*rows, ("score", "", answer.score)])
    if difference is not None:
        typer.echo(f"\n{answers[0].operation.operation_id} above {second}")
        rows = _largest(difference, ["first_value", "second_value"], "difference")
        total = ("all", "", "", difference["difference"].sum())
        print_table(("feature", "first", "second", "difference"), [*rows, total])
    if near is not None:
        typer.echo("\nnearest training prompts")
        print_frame(near.assign(relevant=near["relevant"].map(", ".join)))


def _largest(table: "pd.DataFrame", values: list[str], number: str) -> list[tuple[object, ...]]:
    """Write the first features of a table for people, and what the others add up to."""
    from nextcall.ranking.explanation import readable_feature, readable_value

    rows: list[tuple[object, ...]] = []
    for row in table.head(_SHOWN).to_dict("records"):
        name = row["feature"]
        shown = (readable_value(name, row[value]) for value in values)
        rows.append((readable_feature(name), *shown, row[number]))
    others = table[number].iloc[_SHOWN:]
    blank = [""] * len(values)
    return [*rows, (f"{len(others)} others", *blank, others.sum())]
