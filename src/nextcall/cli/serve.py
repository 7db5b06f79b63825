"""The verb `serve`: answer over HTTP."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from nextcall.cli.console import note, progress


def serve(
    *,
    model: Annotated[
        Path | None, typer.Option(help="Folder of a trained ranker. Default: the packaged one.")
    ] = None,
    catalog: Annotated[
        Path | None,
        typer.Option(help="Catalogue to rank. Default: data/catalogs/aws.parquet."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="Encoder of prompts: auto, static, minilm, or a folder. Default: auto."),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            help="Database of A/B tests: sqlite:///FILE or postgresql://... (a password is better "
            "kept in NEXTCALL_DATABASE_URL). Default: data/nextcall.db.",
            metavar="URL",
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; loopback only in development.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on, 0 for a free one. Default: 8000.")
    ] = None,
) -> None:
    """Answer over HTTP which call comes next."""
    # Read when the libraries load: requests run side by side, each on one thread.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    from nextcall.serve.settings import load_settings  # fast --help

    settings = load_settings(
        model=model,
        catalog=catalog,
        encoder=encoder,
        database_url=database,
        host=host,
        port=port,
    )
    mode = settings.mode()
    from nextcall.serve.server import address, bind, loading_for_good, run

    with bind(settings.host, settings.port) as listening, ExitStack() as opened:
        with loading_for_good():
            from nextcall.serve.app import create_app  # a second that bad input need not wait for
            from nextcall.serve.caches import open_caches
            from nextcall.serve.loading import load_predictor, open_stores
            from nextcall.serve.observer import open_observer

            predictor = load_predictor(settings, progress=progress)
            predictor.warm()
            stores = opened.enter_context(open_stores(settings))
            caches = opened.enter_context(open_caches(settings, predictor, progress=progress))
            observer = opened.enter_context(open_observer(settings))
        if predictor.fallback_reason is not None:
            note(
                f"warning: no trained ranker in {settings.model}, fused retrieval answers "
                f"({predictor.fallback_reason})"
            )
        app = create_app(
            predictor,
            settings=settings,
            trials=stores.trials,
            door=stores.door,
            caches=caches,
            observer=observer,
            feedback=stores.feedback,
            history=stores.history,
        )
        note(
            f"Serving {predictor.index.catalog.name} ({len(predictor.index):,} operations) at "
            f"{address(listening)} (documentation: {address(listening)}/docs)."
        )
        if mode.notice is not None:
            note(mode.notice)
        run(app, listening)
