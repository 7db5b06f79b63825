"""The verb `adapt`: a ranker that learned from a catalogue's own sessions, and what it gained."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nextcall.cli.model import Encoder

if TYPE_CHECKING:
    from nextcall.sessions import Query

Base: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--base", help="Folder of the ranker that adapts; the packaged one where none is given."
    ),
]
AdaptedTo: TypeAlias = Annotated[
    Path, typer.Option("--catalog", help="Catalogue that was called; it alone is ranked.")
]
Output: TypeAlias = Annotated[Path, typer.Option("--output", help="Folder of the adapted ranker.")]
Seed: TypeAlias = Annotated[int, typer.Option(help="Seed of everything that is drawn.")]
Force: TypeAlias = Annotated[
    bool, typer.Option("--force", help="Write it where it ranks worse than the base, too.")
]


def adapt(
    catalog: AdaptedTo,
    output: Output,
    queries: Annotated[
        Path | None, typer.Option("--queries", help="Prompts with their answers (.jsonl).")
    ] = None,
    sessions: Annotated[
        Path | None, typer.Option("--sessions", help="Observed sessions (.parquet or .jsonl).")
    ] = None,
    base: Base = None,
    *,
    force: Force = False,
    seed: Seed = 0,
    encoder: Encoder = "auto",
) -> None:
    """Adapt a ranker to own sessions; say what it gained on users or sessions held out."""
    from nextcall.sessions.jsonl import read_queries
    from nextcall.sessions.queries import next_call_queries
    from nextcall.sessions.table import load_sessions, sessions_from_frame

    if queries is None and sessions is None:
        raise ValueError("--queries or --sessions must be given, got neither.")
    asked = read_queries(queries) if queries else []
    groups = [query.session_id or query.query_id for query in asked]
    observed = sessions_from_frame(load_sessions(sessions)) if sessions else []
    for session in observed:
        own = next_call_queries([session])
        asked += own
        groups += [session.user_id] * len(own)
    adapt_and_write(
        catalog, output, asked, groups, base=base, force=force, seed=seed, encoder=encoder
    )


def adapt_and_write(
    catalog: Path,
    output: Path,
    queries: "Sequence[Query]",
    groups: Sequence[str],
    *,
    base: Path | None,
    force: bool,
    seed: int,
    encoder: str,
) -> None:
    """Adapt, show what was gained, and write the ranker, unless it ranks worse than its base."""
    from nextcall.catalog.load import load_catalog
    from nextcall.cli.console import note, print_frame, progress
    from nextcall.locations import cache_dir, data_dir, model_for
    from nextcall.ranking.model_files import load_ranker
    from nextcall.training.adapting import JUDGED_BY, adapt_and_judge
    from nextcall.training.opening import encoder_for_model, open_for_model, save_trained

    folder = base or model_for(catalog, data=data_dir())
    ranker, base_card = load_ranker(folder)
    known = load_catalog(catalog)
    index = open_for_model(
        known, folder, base_card, encoder=encoder, cache=cache_dir(), progress=progress
    )
    made = adapt_and_judge(ranker, index, queries, groups=groups, seed=seed, progress=progress)
    print_frame(made.to_frame())
    gain = made.gains[JUDGED_BY]
    if made.is_worse and not force:
        raise ValueError(
            f"{output}: nothing is written, for the adapted ranker is worse than its base on what "
            f"was held out ({JUDGED_BY} {gain.mean:.3f} after {gain.baseline_mean:.3f}); "
            "--force writes it."
        )
    static = encoder_for_model(index, folder, base_card, encoder=encoder, cache=cache_dir())
    save_trained(made.ranker, output, card=made.card, encoder=static, base_card=base_card)
    note(f"{len(queries):,} queries of {gain.n_clusters:,} users or sessions: {output}")
    note(f"Prompts are encoded by {made.card.embedder}.")
