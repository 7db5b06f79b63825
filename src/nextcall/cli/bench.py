"""The verbs of `bench`: what benchmarks measured."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nextcall.cli import bench_serve
from nextcall.cli.console import note, print_table

if TYPE_CHECKING:
    from nextcall.telemetry.comparison import BenchmarkComparison

app = typer.Typer(
    no_args_is_help=True,
    help="Measure a service, and compare what benchmarks measured.",
    rich_markup_mode=None,  # as the whole command line
)


app.command("serve")(bench_serve.serve)


@app.command("compare")
def compare(
    before: Annotated[Path, typer.Argument(help="JSON that a benchmark wrote with --output.")],
    after: Annotated[Path, typer.Argument(help="JSON of a later run of the same.")],
    *,
    threshold: Annotated[
        float, typer.Option(help="Change that counts: 0.1 is a tenth worse or better.")
    ] = 0.1,
    confidence: Annotated[
        float, typer.Option(help="Of the interval, where raw samples are in both files.")
    ] = 0.95,
    everything: Annotated[
        bool, typer.Option("--all", help="Show also what is the same, or cannot be told.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the interval's draws.")] = 0,
    output: Annotated[Path | None, typer.Option(help="File for the comparison, as JSON.")] = None,
) -> None:
    """Compare two results of a benchmark; exit code 1 where a number became worse."""
    import numpy as np

    from nextcall.telemetry.comparison import compare_results, read_result

    compared = compare_results(
        read_result(before),
        read_result(after),
        rng=np.random.default_rng(seed),
        threshold=threshold,
        confidence=confidence,
    )
    if output is not None:
        _write(compared, output)
    shown = [
        change for change in compared.changes if everything or change.outcome in {"worse", "better"}
    ]
    if shown:
        print_table(
            ("number", "before", "after", "ratio", "from", "to", "outcome"),
            [
                (
                    change.name,
                    change.before,
                    change.after,
                    change.ratio,
                    change.ci_lower,
                    change.ci_upper,
                    change.outcome,
                )
                for change in shown
            ],
        )
    for name, missing in ((before, compared.only_after), (after, compared.only_before)):
        if missing:
            note(f"Not in {name}: {missing[0]} ({len(missing):,} in all).")
    worse = len(compared.regressions)
    note(f"{worse:,} of {len(compared.changes):,} numbers became worse by over {threshold:.0%}.")
    if worse:
        raise typer.Exit(1)


def _write(compared: "BenchmarkComparison", output: Path) -> None:
    import json
    from dataclasses import asdict

    from nextcall.files import atomic_path

    told = asdict(compared) | {"regressions": [each.name for each in compared.regressions]}
    for change in told["changes"]:  # JSON has no nan
        for name, value in change.items():
            if isinstance(value, float) and not abs(value) < float("inf"):
                change[name] = None
    with atomic_path(output) as temporary:
        temporary.write_text(f"{json.dumps(told, indent=2)}\n", encoding="utf-8")
