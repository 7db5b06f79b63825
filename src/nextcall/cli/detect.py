"""The verb `detect`: what is odd in the rows of a file, or of every file of a folder."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from nextcall.cli.console import note, progress


def detect(
    *,
    source: Annotated[
        Path, typer.Option("--input", help="CSV or Parquet, a folder of them, or - for CSV.")
    ],
    target: Annotated[
        Path, typer.Option("--output", help="File or folder to write, or - for CSV.")
    ],
    value: Annotated[str, typer.Option(help="Column of the numbers.")] = "value",
    timestamp: Annotated[
        str | None,
        typer.Option(help="Column of times in ISO 8601; those of a key must not run backwards."),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Column that tells series apart; else all rows are one.")
    ] = None,
    rate: Annotated[float, typer.Option(help="Alarms per row wanted of normal data.")] = 1 / 600,
    detector: Annotated[
        Literal["stream", "faults", "named"],
        typer.Option(
            help="stream: any series; faults: counts and durations that follow the week; named: "
            "five textbook detectors together. The last two learn the hours of the week from "
            "--timestamp; without it faults takes every day for a fault."
        ),
    ] = "stream",
) -> None:
    """Score how odd each row of a series is, and explain alarms.

    A file of a folder that cannot be scored is named at the end; the others are written.
    """
    from nextcall.anomaly.tables import files_to_score, score_file
    from nextcall.progress import silent

    if source.is_dir():
        files = files_to_score(source, target)
        pairs = progress(files, description="Scoring files", total=len(files))
        blocks = silent
    else:
        pairs, blocks = iter([(source, target)]), progress
    rows = alarms = 0
    refused = []
    for one, out in pairs:
        try:
            counted = score_file(
                one,
                out,
                value=value,
                timestamp=timestamp,
                key=key,
                rate=rate,
                detector=detector,
                progress=blocks,
            )
        except ValueError as error:
            if source == one:
                raise
            refused.append(str(error))
            continue
        rows += counted[0]
        alarms += counted[1]
    note(f"Wrote {rows:,} rows, {alarms:,} alarms, to {target}.")
    if refused:
        listed = "\n".join(dict.fromkeys(refused))
        raise ValueError(f"{len(refused)} of the files could not be scored:\n{listed}")
