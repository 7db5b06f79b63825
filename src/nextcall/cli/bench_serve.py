"""The verb `bench serve`: how fast a service is, beside what was promised."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nextcall.cli.access_options import DatabaseOption
from nextcall.cli.console import note, progress

if TYPE_CHECKING:
    from nextcall.performance.run import PerformanceRun


def serve(
    *,
    url: Annotated[
        str | None,
        typer.Option(help="Service that runs already; only its users are measured.", metavar="URL"),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            envvar="NEXTCALL_BENCH_KEY",
            show_envvar=True,
            help="API key for --url; better in the environment, for others see a command line.",
        ),
    ] = None,
    catalog: Annotated[
        Path | None, typer.Option(help="Catalogue of the service that is started.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Folder of its ranker.")] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Its encoder: auto, static, minilm, or a folder.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=10_000, help="Calls of each part.")] = 100,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Of the prompts; with one, a service may know them already."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File for figures and samples (JSON).")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="File for the report (Markdown).")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the figures in the database.")] = False,
    database: DatabaseOption = None,
) -> None:
    """Measure each part of a service, then 20 users at once; exit code 1 where a promise is missed.

    Without --url, a service is started for it on a free port.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # as `nextcall serve`
        os.environ.setdefault(variable, "1")
    if url is None and key is not None:
        raise ValueError("key must come with url: the service that is started asks for none.")
    if url is not None and (catalog, model, encoder) != (None, None, None):
        raise ValueError("catalog, model and encoder must not come with url: that service has its.")
    import numpy as np

    from nextcall.serve.performance.suite_runs import measure_here, measure_there
    from nextcall.serve.settings import load_settings

    settings = load_settings(catalog=catalog, model=model, encoder=encoder)
    rng = np.random.default_rng(seed)
    if url is None:
        run = measure_here(settings, rng=rng, repeats=repeats, progress=progress)
    else:
        run = measure_there(
            url,
            key=key,
            targets=settings.targets(),
            rng=rng,
            repeats=repeats,
            progress=progress,
        )
    _show(run)
    _write(run, output, report)
    if keep:
        from nextcall.cli.access_options import opened
        from nextcall.performance.history import RunHistory

        with opened(database) as kept:
            RunHistory(kept).keep(run)
    if run.status == "missed":
        raise typer.Exit(1)


def _show(run: "PerformanceRun") -> None:
    from nextcall.cli.console import print_table

    columns = ("part", "calls", "errors", "p50 ms", "p95 ms", "p99 ms", "mean ms", "per second")
    print_table(
        columns,
        [
            (name, one.count, one.errors, one.p50, one.p95, one.p99, one.mean, one.rate)
            for name, one in run.parts.items()
        ],
    )
    for promise in run.promises:
        if promise.target.status == "missed":
            target = promise.target
            note(
                f"{promise.part}: {target.name} is {target.value:.4g} {target.unit}, promised "
                f"{target.limit:.4g}."
            )
    note(f"Promises: {run.status}.")


def _write(run: "PerformanceRun", output: Path | None, report: Path | None) -> None:
    import json

    from nextcall.files import atomic_path
    from nextcall.performance.report import report as markdown

    if output is not None:
        with atomic_path(output) as temporary:
            text = json.dumps(run.told(), indent=2, allow_nan=False)
            temporary.write_text(f"{text}\n", encoding="utf-8")
    if report is not None:
        with atomic_path(report) as temporary:
            temporary.write_text(markdown(run), encoding="utf-8")
