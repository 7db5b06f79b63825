"""`nextcall abstain`: teach a ranker to say "none of these"."""

from pathlib import Path
from typing import Annotated

import typer

from nextcall.cli.model import CatalogFile, Queries

app = typer.Typer(
    no_args_is_help=True,
    help='Teach a ranker to say "none of these".',
    rich_markup_mode=None,  # as the whole command line
)


@app.callback()
def _abstain() -> None:
    """Keep `fit` a verb of its own, as it is the only one."""


@app.command("fit")
def fit(
    model: Annotated[Path, typer.Option("--model", help="Folder of the ranker that learns.")],
    apis: Annotated[
        Path, typer.Option("--apis", help="Folder of foreign catalogues, PROVIDER__API.parquet.")
    ],
    queries: Queries,
    catalog: CatalogFile = None,
    catalogs: Annotated[int, typer.Option(min=2, help="Practice catalogues.")] = 360,
    providers: Annotated[
        int, typer.Option(min=1, help="Foreign providers practised on; the others: background.")
    ] = 260,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 0,
) -> None:
    """Fit on own and foreign prompts over many practice catalogues; the trees stay as they are."""
    from dataclasses import replace

    import numpy as np

    from nextcall.catalog import Catalog
    from nextcall.catalog.load import load_catalog
    from nextcall.cli.console import note, progress
    from nextcall.locations import cache_dir, data_dir, demo_catalog
    from nextcall.ranking.index import CatalogIndex
    from nextcall.ranking.model_files import load_ranker, save_abstention
    from nextcall.sessions.jsonl import read_queries
    from nextcall.training.abstention import AbstentionRecipe, fit_abstention
    from nextcall.training.folds import committed_parts
    from nextcall.training.opening import open_index
    from nextcall.training.public_apis import read_public_apis

    def opened(some: Catalog) -> CatalogIndex:
        return open_index(some, cache=cache_dir(), progress=progress)

    recipe = AbstentionRecipe(apis=providers)
    recipe = replace(recipe, practice=replace(recipe.practice, catalogs=catalogs))
    asked = read_queries(queries)
    load_ranker(model)  # before minutes of work: there must be one
    index = opened(load_catalog(catalog or demo_catalog(data_dir())))
    rng = np.random.default_rng(seed)
    foreign = read_public_apis(
        apis,
        apis=recipe.apis,
        operations=recipe.operations_of_api,
        background=recipe.background,
        rng=rng,
        progress=progress,
    )
    fitted = fit_abstention(
        index,
        asked,
        foreign,
        open_catalog=opened,
        part_of=committed_parts(),
        recipe=recipe,
        rng=rng,
        progress=progress,
    )
    size = save_abstention(fitted, model).stat().st_size
    note(
        f"{model}: learned to abstain, before a background of {len(fitted.background.levels):,} "
        f"operations ({size / 1000:,.0f} kB)."
    )
