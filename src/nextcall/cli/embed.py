"""`nextcall embed`: encoders of prompts."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="Make encoders of prompts.",
    rich_markup_mode=None,  # as the whole command line
)


@app.command("distill")
def distill_encoder(
    catalog: Annotated[Path, typer.Option("--catalog", help="Catalogue that prompts are about.")],
    output: Annotated[Path, typer.Option("--output", help="Folder of the encoder.")],
    queries: Annotated[
        Path | None, typer.Option("--queries", help="Prompts to measure it on (.jsonl).")
    ] = None,
    pairs: Annotated[
        int, typer.Option(min=0, help="Pairs of neighbours that get a vector.")
    ] = 32_000,
    seed: Annotated[int, typer.Option(help="Seed of the interval.")] = 0,
) -> None:
    """Distil a static encoder on a catalogue: prompts in microseconds, no network, no labels."""
    from dataclasses import replace

    import numpy as np

    from nextcall.catalog.load import load_catalog
    from nextcall.cli.console import note, print_table, progress
    from nextcall.embedding.distill import Distillation, piece_vectors
    from nextcall.embedding.static_files import save_static
    from nextcall.locations import cache_dir
    from nextcall.sessions.jsonl import read_queries
    from nextcall.training.opening import open_index
    from nextcall.training.prompt_encoder import compare_dense, distill_for

    asked = read_queries(queries) if queries else []
    index = open_index(load_catalog(catalog), cache=cache_dir(), progress=progress)
    embedder, card = distill_for(
        index,
        piece_vectors(index.embedder, directory=cache_dir() / "vectors", progress=progress),
        settings=Distillation(pairs=pairs),
        progress=progress,
    )
    if asked:
        rng = np.random.default_rng(seed)
        figures = compare_dense(index, embedder, asked, rng=rng, progress=progress)
        card = replace(card, metrics=figures)
        print_table(("figure", "value"), sorted(card.metrics.items()))
    save_static(embedder, output, card=card)
    note(f"{embedder.name}, distilled on {card.n_texts:,} texts: {output}")


@app.command("map")
def fit_base_map(
    catalog: Annotated[Path, typer.Option("--catalog", help="A large catalogue.")],
    output: Annotated[Path, typer.Option("--output", help="File of the map (.npz).")],
) -> None:
    """Fit the map from which encoders of smaller catalogues are distilled."""
    from nextcall.catalog.load import load_catalog
    from nextcall.cli.console import note, progress
    from nextcall.embedding.base_map import write_map
    from nextcall.embedding.distill import piece_vectors
    from nextcall.locations import cache_dir
    from nextcall.training.opening import open_index
    from nextcall.training.prompt_encoder import map_for

    index = open_index(load_catalog(catalog), cache=cache_dir(), progress=progress)
    pieces = piece_vectors(index.embedder, directory=cache_dir() / "vectors", progress=progress)
    write_map(map_for(index, pieces, progress=progress), output, teacher=index.embedder.name)
    note(f"Map of {len(index):,} operations: {output}")
