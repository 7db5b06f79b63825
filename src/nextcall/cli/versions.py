"""`nextcall model`: versions that the service trained, and the way back to the one before."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nextcall.cli.console import note, print_table

if TYPE_CHECKING:  # each verb loads what it needs when it runs
    from nextcall.ranking.model_versions import ModelVersions

app = typer.Typer(
    no_args_is_help=True,
    help="List the versions of the service's model, and go back to the one before.",
    rich_markup_mode=None,  # as the whole command line
)
Versions = Annotated[
    Path | None,
    typer.Option(
        "--versions",
        help="Folder of the versions. Default: NEXTCALL_MODEL_VERSIONS, as the service.",
    ),
]


@app.command("list")
def list_all(*, versions: Versions = None) -> None:
    """List versions: the one in use first, then those before it, then the others.

    Where a version was held against the one in use at its training, it is told how the two differ
    on the same queries: NDCG@10 of the version less that of the other, and its 95 % interval.
    """
    from nextcall.ranking.model_files import ModelError, load_ranker
    from nextcall.training.judged import load_judged

    folder = _versions(versions)
    in_use = folder.in_use()
    order = list(dict.fromkeys(in_use.order()))
    others = [name for name in folder.names() if name not in order]
    rows: list[tuple[object, ...]] = []
    unknown = (None,) * 6
    for place, name in enumerate([*order, *others]):
        use = "in use" if place == 0 else "before" if place < len(order) else ""
        if name is None:
            rows.append(("(of the start)", use, *unknown, ""))
            continue
        try:
            path = folder.verify(name)
            ranker, card = load_ranker(path)
            judged = load_judged(path, trees=ranker.digest)
        except ModelError as error:
            rows.append((name, use, *unknown, str(error)))
            continue
        found = None if judged is None else judged.on_same
        beside: tuple[object, ...] = (None,) * 4
        if found is not None:
            beside = (found.difference, found.ci_lower, found.ci_upper, found.queries)
        stated = card.metrics.get("validation.ndcg@10")
        rows.append((name, use, card.trained_at, stated, *beside, ""))
    header = ("version", "use", "trained at", "ndcg@10", "difference", "low", "high", "queries")
    print_table((*header, "fault"), rows)


@app.command("rollback")
def rollback(*, versions: Versions = None) -> None:
    """Put the version before into use again; services that run follow within seconds."""
    folder = _versions(versions)
    with folder.changing():
        back = folder.in_use().back()
        if back.current is not None:
            folder.verify(back.current)
        folder.use(back)
    note(f"In use: {back.current or 'the model that the service is started with'}.")


def _versions(given: Path | None) -> "ModelVersions":
    from nextcall.ranking.model_versions import ModelVersions
    from nextcall.serve.settings import load_settings

    return ModelVersions(load_settings(model_versions=given).model_versions)
