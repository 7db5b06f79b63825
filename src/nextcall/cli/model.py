"""Verbs of the ranker: train, evaluate, predict, rank."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nextcall.catalog.paths import CallMatcher
    from nextcall.ranking.any_ranker import AnyRanker
    from nextcall.ranking.index import CatalogIndex
    from nextcall.ranking.ranker import CallRanker

_MODEL_HELP = "Folder of a trained ranker; the packaged one where none is given."
_CATALOG_HELP = "A built catalogue (.parquet) or catalog.jsonl; the demo's where none is given."

_KEEP_HELP = "Keep the training prompts beside the ranker, for `explain --nearest`."
_AGAINST_HELP = "A ranker to hold the new one against, on the queries that are held back."
_ENCODER_HELP = "Of prompts: auto (as in training), static (distilled here), minilm, or a folder."

Encoder = Annotated[str, typer.Option("--encoder", help=_ENCODER_HELP)]
Model = Annotated[Path | None, typer.Option("--model", help=_MODEL_HELP)]
CatalogFile = Annotated[Path | None, typer.Option("--catalog", help=_CATALOG_HELP)]
KeepPrompts = Annotated[bool, typer.Option("--keep-prompts/--no-keep-prompts", help=_KEEP_HELP)]
Against = Annotated[Path | None, typer.Option("--against", help=_AGAINST_HELP)]
Queries = Annotated[Path, typer.Option("--queries", help="Queries, one JSON object a line.")]


def train(
    catalog: Annotated[Path, typer.Option("--catalog", help="Catalogue that is called.")],
    output: Annotated[Path, typer.Option("--output", help="Folder of the trained ranker.")],
    queries: Annotated[
        Path | None, typer.Option("--queries", help="Prompts with their answers (.jsonl).")
    ] = None,
    sessions: Annotated[
        Path | None, typer.Option("--sessions", help="Observed sessions (.parquet or .jsonl).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 0,
    trees: Annotated[int, typer.Option(min=1, help="The most trees that are grown.")] = 150,
    simulated: Annotated[
        int, typer.Option(min=0, help="Simulated sessions beside what is given.")
    ] = 1_200,
    encoder: Annotated[
        str,
        typer.Option(
            "--encoder",
            help="Encoder of prompts: auto (static where it holds against MiniLM), static, minilm.",
        ),
    ] = "auto",
    keep_prompts: KeepPrompts = True,  # an option of the command
    *,
    against: Against = None,
) -> None:
    """Train a ranker on prompts, on sessions, or on both."""
    from dataclasses import replace

    from nextcall.catalog.load import load_catalog
    from nextcall.cli.console import note, print_table, progress
    from nextcall.cli.judging import judge_trained
    from nextcall.locations import cache_dir
    from nextcall.ranking.any_ranker import load_any_ranker
    from nextcall.ranking.model_files import forget_prompts
    from nextcall.sessions.jsonl import read_queries
    from nextcall.sessions.queries import next_call_queries, observed_sessions
    from nextcall.sessions.table import load_sessions, sessions_from_frame
    from nextcall.training.held_out import save_learned
    from nextcall.training.opening import FEWEST_FOR_STATIC, distilled, open_index, save_trained
    from nextcall.training.recipe import Recipe
    from nextcall.training.train import train_for_use

    if queries is None and sessions is None:
        raise ValueError("--queries or --sessions must be given, got neither.")
    if encoder not in {"auto", "static", "minilm"}:
        raise ValueError(f"--encoder must be auto, static or minilm, got {encoder!r}.")
    asked = read_queries(queries) if queries else []
    observed = sessions_from_frame(load_sessions(sessions)) if sessions else []
    index = open_index(load_catalog(catalog), cache=cache_dir(), progress=progress)
    made = None
    if encoder == "static" or (encoder == "auto" and len(index) >= FEWEST_FOR_STATIC):
        made = distilled(index, cache=cache_dir(), progress=progress)
    if made and encoder == "static":
        index = index.with_embedder(made[0])
    recipe = Recipe()
    recipe = replace(recipe, boosting=replace(recipe.boosting, trees=trees), sessions=simulated)
    if against is not None:
        load_any_ranker(against)  # a fault is told before the work, not after it
    trained = train_for_use(
        index,
        [*asked, *next_call_queries(observed)],
        recipe=recipe,
        seed=seed,
        observed=[*observed, *observed_sessions(asked)],
        encoder=made[0] if made and encoder == "auto" else None,
        progress=progress,
    )
    ranker, card = trained.ranker, trained.card
    if not keep_prompts:
        ranker.prompts_ = None
        forget_prompts(output)
    save_trained(ranker, output, card=card, encoder=made)
    if keep_prompts:
        save_learned(trained.learned, output, trees=ranker.digest)
    print_table(("figure", "value"), sorted(card.metrics.items()))
    note(f"{card.n_queries:,} training queries, {ranker.trees_.n_trees} trees: {output}")
    note(f"Prompts are encoded by {card.embedder}.")
    if against is not None:
        judge_trained(trained, output, against, index=index, seed=seed)


def evaluate(
    queries: Queries,
    model: Model = None,
    catalog: CatalogFile = None,
    encoder: Encoder = "auto",
    output: Annotated[
        Path | None, typer.Option("--output", help="Scores of every query and system (.csv).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the resampling.")] = 0,
) -> None:
    """Score a ranker and every baseline on the same queries."""
    import numpy as np
    import pandas as pd

    from nextcall.cli.console import print_frame, progress
    from nextcall.files import atomic_path
    from nextcall.ranking.baselines import popularity
    from nextcall.ranking.evaluation import (
        calibration_error,
        compare_systems,
        score_baselines,
        score_ranker,
        summarise,
    )
    from nextcall.ranking.rows import query_rows
    from nextcall.sessions.jsonl import read_queries

    ranker, index = open_model(model, catalog, encoder=encoder)
    asked = read_queries(queries)
    rows = query_rows(index, asked, ranker.prior_, progress=progress)
    own = score_ranker(ranker, rows, index)
    baselines = score_baselines(index, asked, popular=popularity(index, []), progress=progress)
    scores = pd.concat([baselines, own], ignore_index=True)
    rng = np.random.default_rng(seed)
    metrics = ("ndcg@1", "ndcg@5", "ndcg@10", "recall@5", "mrr", "map")
    summary = summarise(scores, rng=rng, metrics=metrics)
    shown = [
        "system",
        "ndcg@10",
        "ndcg@10.low",
        "ndcg@10.high",
        *(m for m in metrics if m != "ndcg@10"),
    ]
    print_frame(summary[[*shown, "n_queries"]])
    print_frame(compare_systems(scores, rng=rng))
    print_frame(pd.DataFrame({"expected calibration error": [calibration_error(own)]}))
    if output is not None:
        with atomic_path(output) as temporary:
            scores.to_csv(temporary, index=False)


def predict(
    prompt: Annotated[str, typer.Argument(help="What the user wants.")],
    history: Annotated[
        list[str] | None, typer.Option("--history", help="An earlier call; repeat, oldest first.")
    ] = None,
    k: Annotated[int, typer.Option("--k", min=1, help="Answers.")] = 5,
    model: Model = None,
    catalog: CatalogFile = None,
    encoder: Encoder = "auto",
    none_threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Probability from which it is said that none answers."),
    ] = None,
    why: Annotated[bool, typer.Option("--why", help="Show what each feature added.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Rank the operations of a catalogue for a prompt."""
    import json

    from nextcall.catalog.paths import CallMatcher
    from nextcall.cli.console import print_frame, print_table
    from nextcall.ranking.abstention import NONE_THRESHOLD
    from nextcall.sessions import calls_of

    if not prompt.strip():
        raise ValueError("prompt must not be blank.")
    ranker, index = open_any_model(model, catalog, encoder=encoder)
    known = known_calls(CallMatcher(index.catalog), history or [])
    found = ranker.answer(index, prompt, calls_of(known), k=k)
    answers, none = found.ranked, found.none_probability
    if as_json:
        for answer in answers:
            line = {
                "rank": answer.rank,
                "operation_id": answer.operation.operation_id,
                "api_call": answer.operation.api_call,
                "confidence": round(answer.confidence, 4),
                "score": round(answer.score, 4),
                "none_probability": None if none is None else round(none, 4),
            }
            typer.echo(json.dumps(line))
        return
    print_table(
        ("rank", "operation", "confidence", "similarity", "summary"),
        [
            (a.rank, a.operation.operation_id, a.confidence, a.similarity, a.operation.summary[:60])
            for a in answers
        ],
    )
    if none is not None:
        seems = none >= (NONE_THRESHOLD if none_threshold is None else none_threshold)
        said = "; so none of these, it seems" if seems else ""
        typer.echo(f"Nothing in the catalogue answers, with probability {none:.3f}{said}.")
    if why:
        reasons = ranker.explain(index, prompt, calls_of(known), k=1)
        print_frame(reasons.head(10)[["feature", "value", "contribution"]])


def rank(
    queries: Queries,
    output: Annotated[Path, typer.Option("--output", help="Rankings, one JSON object a line.")],
    model: Model = None,
    catalog: CatalogFile = None,
    encoder: Encoder = "auto",
    top: Annotated[int, typer.Option("--top", min=1, help="Operations of each ranking.")] = 20,
) -> None:
    """Rank for many queries and write the rankings."""
    from nextcall.cli.console import note, progress
    from nextcall.sessions.jsonl import Prediction, read_queries, write_predictions

    ranker, index = open_any_model(model, catalog, encoder=encoder)
    asked = read_queries(queries)
    vectors = index.encode_prompts([query.prompt for query in asked], progress=progress)
    predictions = []
    pairs = zip(asked, vectors, strict=True)
    for query, vector in progress(pairs, description="Ranking", total=len(asked)):
        found = ranker.answer(index, query.prompt, query.history, k=top, vector=vector)
        answers, none = found.ranked, found.none_probability
        predictions.append(
            Prediction(
                query_id=query.query_id,
                ranking=tuple(answer.operation.operation_id for answer in answers),
                confidence=tuple(round(answer.confidence, 6) for answer in answers),
                none_probability=None if none is None else round(none, 6),
            )
        )
    write_predictions(predictions, output)
    note(f"{len(predictions):,} rankings: {output}")


def known_calls(matcher: "CallMatcher", names: Sequence[str]) -> list[str]:
    """Resolve earlier calls; those that the catalogue does not know are named and passed over."""
    from nextcall.cli.console import note

    known = []
    for name in names:
        operation = matcher.match(name)
        if operation is None:
            note(f"warning: --history {name!r} is no call of the catalogue and is passed over.")
        else:
            known.append(operation.operation_id)
    return known


def open_model(
    model: Path | None, catalog: Path | None, *, encoder: str = "auto"
) -> "tuple[CallRanker, CatalogIndex]":
    """Load a ranker that is free of any catalogue and index one, as `open_any_model` does."""
    from nextcall.ranking.ranker import CallRanker

    ranker, index = open_any_model(model, catalog, encoder=encoder)
    if not isinstance(ranker, CallRanker):
        raise ValueError(  # noqa: TRY004  # of what the user named
            f"--model must be a ranker that is free of any catalogue, got an adapted one ({model})."
        )
    return ranker, index


def open_any_model(
    model: Path | None, catalog: Path | None, *, encoder: str = "auto"
) -> "tuple[AnyRanker, CatalogIndex]":
    """Load a ranker and index a catalogue; the demo's catalogue where none is given."""
    from nextcall.catalog.load import load_catalog
    from nextcall.cli.console import progress
    from nextcall.locations import cache_dir, data_dir, demo_catalog, model_for
    from nextcall.ranking.any_ranker import check_ranker, load_any_ranker
    from nextcall.training.opening import open_for_model

    file = catalog or demo_catalog(data_dir())
    if catalog is None and not file.exists():
        raise ValueError(f"{file}: no catalogue there; give --catalog, or run `nextcall demo`.")
    folder = model or model_for(file, data=data_dir())
    ranker, card = load_any_ranker(folder)
    index = open_for_model(
        load_catalog(file), folder, card, encoder=encoder, cache=cache_dir(), progress=progress
    )
    check_ranker(ranker, index, folder)
    return ranker, index
