"""`nextcall guard`: what is thought of texts before they reach anything."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, TextIO, cast

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="Judge texts: prompt injection, SQL, scripts, commands, paths.",
    rich_markup_mode=None,  # as the whole command line
)


@app.callback()
def _guard() -> None:
    """Keep the verb's name."""


@app.command("scan")
def scan_texts(
    source: Annotated[
        Path, typer.Option("--input", help='Lines {"text": ...}, or - for standard input.')
    ],
    target: Annotated[
        Path, typer.Option("--output", help="Lines to write, or - for standard output.")
    ],
    policy: Annotated[
        Literal["observe", "flag", "block"], typer.Option(help="What becomes of an attack.")
    ] = "block",
    threshold: Annotated[float, typer.Option(help="Risk from which a text is an attack.")] = 0.5,
) -> None:
    """Judge each text of a file: risk, family and reasons, one line for each, in order."""
    import sys
    from contextlib import ExitStack
    from io import TextIOWrapper

    from nextcall.cli.console import note, progress
    from nextcall.files import atomic_path
    from nextcall.guard.guard import Guard
    from nextcall.guard.scan import scan_lines, write_verdicts

    guard = Guard(policy=policy, threshold=threshold)
    pipe = Path("-")
    with ExitStack() as stack:
        lines: Iterable[str] = sys.stdin
        out: TextIO = sys.stdout
        if source != pipe:
            lines = stack.enter_context(source.open(encoding="utf-8"))
        else:
            cast("TextIOWrapper", sys.stdin).reconfigure(encoding="utf-8")
        if target != pipe:
            whole = stack.enter_context(atomic_path(target))
            out = stack.enter_context(whole.open("w", encoding="utf-8"))
        name = "standard input" if source == pipe else str(source)
        verdicts = progress(scan_lines(lines, guard, name=name), description="Judging texts")
        counts = write_verdicts(verdicts, out)
    note(", ".join(f"{count:,} {action}" for action, count in counts.items()) or "no text")
