"""The verb `crossval`: how well a ranker adapts to a catalogue's own sessions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nextcall.cli.model import Encoder, open_model

if TYPE_CHECKING:
    import numpy as np

    from nextcall.sessions import Query
    from nextcall.sessions.jsonl import Prediction


def crossval(
    catalog: Annotated[Path, typer.Option("--catalog", help="Catalogue that is called.")],
    queries: Annotated[
        Path, typer.Option("--queries", help="Queries with their answers, one JSON object a line.")
    ],
    output: Annotated[Path, typer.Option("--output", help="Rankings, one JSON object a line.")],
    base: Annotated[
        Path | None,
        typer.Option(
            "--base", help="Folder of the ranker that adapts; the packaged one where none is given."
        ),
    ] = None,
    *,
    folds: Annotated[int, typer.Option(help="Parts; each is ranked by what the others teach.")] = 5,
    group: Annotated[
        str, typer.Option(help="Key of a query that a part keeps together.")
    ] = "session_id",
    sessions: Annotated[
        int | None,
        typer.Option(
            help="Sessions (groups) that teach, drawn anew for each part; all others where none "
            "is given."
        ),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Operations of each ranking.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 0,
    encoder: Encoder = "auto",
) -> None:
    """Adapt to all sessions but a part, rank that part, and so on through all parts."""
    import numpy as np

    from nextcall.cli.console import note, print_table, progress
    from nextcall.ranking.adapted_crossval import cross_validate
    from nextcall.sessions.fields import json_objects
    from nextcall.sessions.jsonl import Prediction, read_queries, write_predictions

    asked = read_queries(queries)
    groups = [row.identifier(group) for row in json_objects(queries)]
    if not 2 <= folds <= len(set(groups)):
        raise ValueError(
            f"--folds must be from 2 to the number of groups, {len(set(groups))}, got {folds}."
        )
    ranker, index = open_model(base, catalog, encoder=encoder)
    rng = np.random.default_rng(seed)
    answers = cross_validate(
        ranker,
        index,
        asked,
        rng=rng,
        folds=folds,
        groups=groups,
        sessions=sessions,
        k=top,
        progress=progress,
    )
    predictions = [
        Prediction(
            query_id=query.query_id,
            ranking=tuple(answer.operation.operation_id for answer in answered),
            confidence=tuple(round(answer.confidence, 6) for answer in answered),
        )
        for query, answered in zip(asked, answers, strict=True)
    ]
    write_predictions(predictions, output)
    print_table(
        ("task", "queries", "groups", "ndcg@10", "low", "high"),
        _figures(asked, predictions, groups, rng),
    )
    note(f"{len(predictions):,} rankings: {output}")


def _figures(
    queries: "list[Query]",
    predictions: "list[Prediction]",
    groups: list[str],
    rng: "np.random.Generator",
) -> list[tuple[str, int, int, float, float, float]]:
    """Give NDCG@10 of each task with its 95 % interval over groups."""
    import numpy as np

    from nextcall.ranking.comparison import mean_interval
    from nextcall.ranking.metrics import ndcg

    lines = []
    for task in sorted({query.task for query in queries}):
        values, own = [], []
        for query, answer, label in zip(queries, predictions, groups, strict=True):
            if query.task == task:
                right = set(query.relevant)
                found = [float(name in right) for name in answer.ranking]
                found += [1.0] * len(right - set(answer.ranking))
                values.append(ndcg(found, -np.arange(len(found)), k=min(10, len(answer.ranking))))
                own.append(label)
        low = high = float("nan")
        if len(set(own)) > 1:
            interval = mean_interval(values, groups=own, rng=rng)
            low, high = interval.ci_lower, interval.ci_upper
        lines.append((task, len(values), len(set(own)), float(np.mean(values)), low, high))
    return lines
