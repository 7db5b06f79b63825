"""The verb `serve`: answer over HTTP."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nextcall.cli.console import note, progress

if TYPE_CHECKING:
    from nextcall.serve.predictor import Predictor
    from nextcall.serve.settings import Settings


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
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that answer; one for each core is best. Default: 1."),
    ] = None,
    warm_up: Annotated[
        Path | None,
        typer.Option(
            help="File of requests, a line a JSON object as /predict takes it, that are answered "
            "before the service listens. Default: none."
        ),
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
        workers=workers,
        cache_warm_up=warm_up,
    )
    mode = settings.mode()
    from nextcall.serve.process.server import address, bind, loading_for_good

    with bind(settings.host, settings.port) as listening:
        with loading_for_good():
            from nextcall.serve.loading import load_predictor
            from nextcall.serve.process.starting import (
                run_service,  # a second: bad input need not wait
            )

            predictor = load_predictor(settings, progress=progress)
            predictor.warm()

        def begun() -> None:
            _tell_of_model(predictor, settings)
            note(
                f"Serving {predictor.index.catalog.name} ({len(predictor.index):,} operations) at "
                f"{address(listening)} (documentation: {address(listening)}/docs)."
            )
            if mode.notice is not None:
                note(mode.notice)

        run_service(predictor, settings, listening, begun=begun, tell=note)


def _tell_of_model(predictor: "Predictor", settings: "Settings") -> None:
    reason = predictor.fallback_reason
    if predictor.version is not None:
        note(f"The model is version {predictor.version} of {settings.model_versions}.")
    if reason is not None and predictor.ranker is not None:
        note(f"warning: the model before answers ({reason})")
    elif reason is not None:
        note(f"warning: no trained ranker in {settings.model}, fused retrieval answers ({reason})")
