"""What the command line shows: results on standard output, everything else on standard error."""

import math
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from numbers import Integral, Real
from operator import length_hint
from typing import TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:  # both cost more than `nextcall --help` may take
    import pandas as pd
    from rich.console import Console
    from rich.progress import Progress as Bars

T = TypeVar("T")

BAD_INPUT = 2
"""Exit code for input that breaks a rule; the parser of arguments uses the same."""


def note(message: str) -> None:
    """Say what happens, on standard error.

    Examples
    --------
    >>> from contextlib import redirect_stderr
    >>> with redirect_stderr(sys.stdout):
    ...     note("Wrote data/catalogs/aws.parquet.")
    Wrote data/catalogs/aws.parquet.
    """
    print(message, file=sys.stderr, flush=True)  # noqa: T201  # this is the command line


def fail(message: str) -> NoReturn:
    """Say why the input cannot be used, on standard error, and end with exit code 2.

    Raises
    ------
    SystemExit
        Always.
    """
    note(f"error: {message}")
    raise SystemExit(BAD_INPUT)


def progress(iterable: Iterable[T], *, description: str, total: int | None = None) -> Iterator[T]:
    """Show how far a loop is, on standard error; a `nextcall.progress.Progress`.

    On a terminal a bar; elsewhere one line when the loop starts and one when it is through. The
    process of a job tells the service.

    Parameters
    ----------
    iterable : iterable
        What to yield.
    description : str
        A few words: what is being done.
    total : int, optional
        Number of items, where `iterable` does not know its length.

    Yields
    ------
    object
        The items of `iterable`.

    Examples
    --------
    >>> sum(progress([1, 2, 3], description="Adding"))
    6
    """
    from nextcall.jobs.child import job_progress

    if total is None:
        total = length_hint(iterable) or None
    job = job_progress()
    if job is not None:
        yield from job(iterable, description=description, total=total)
        return
    if sys.stderr.isatty():
        with _bars() as bars:
            yield from bars.track(iterable, total=total, description=description)
        return
    note(f"{description} ...")
    start = time.monotonic()
    count = 0
    for item in iterable:
        yield item
        count += 1
    note(f"{description}: {count:,} in {time.monotonic() - start:.1f} s")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table on standard output: drawn on a terminal, aligned plain text elsewhere.

    Columns of numbers stand right. A float has three decimals, an integer thousands separators,
    None and nan are a dash.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : iterable of sequence of object
        One sequence a row, as long as `columns`.

    Raises
    ------
    ValueError
        Where a row is not as long as `columns`.

    Examples
    --------
    >>> print_table(["service", "operations"], [["s3", 110], ["ec2", 1234]])
    service  operations
    s3              110
    ec2           1,234
    """
    table = [list(row) for row in rows]
    for row in table:
        if len(row) != len(columns):
            raise ValueError(
                f"rows must have one cell a column, {len(columns)}, got {len(row)}: {row!r}."
            )
    numeric = [all(_is_number(row[place]) for row in table) for place in range(len(columns))]
    texts = [[_cell(value) for value in row] for row in table]
    if sys.stdout.isatty():
        _draw(columns, texts, numeric)
        return
    lines = [list(columns), *texts]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        cells = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        print("  ".join(cells).rstrip())  # noqa: T201  # the result of a command


def print_frame(frame: "pd.DataFrame") -> None:
    """Print a frame's columns as `print_table` does; its index is left out.

    Examples
    --------
    >>> import pandas as pd
    >>> print_frame(pd.DataFrame({"k": [1, 5], "recall": [0.5, 0.75]}))
    k  recall
    1   0.500
    5   0.750
    """
    columns = [str(name) for name in frame.columns]
    print_table(columns, frame.astype(object).itertuples(index=False, name=None))


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, Real) and not isinstance(value, bool))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if not isinstance(value, Real) or isinstance(value, bool):
        return str(value)
    if isinstance(value, Integral):
        return f"{int(value):,}"
    number = float(value)
    return "-" if math.isnan(number) else f"{number:.3f}"


def _draw(columns: Sequence[str], texts: list[list[str]], numeric: list[bool]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold")
    for name, right in zip(columns, numeric, strict=True):
        table.add_column(Text(name), justify="right" if right else "left", overflow="fold")
    for row in texts:
        table.add_row(*(Text(text) for text in row))
    Console(file=sys.stdout).print(table)


def _bars() -> "Bars":
    from rich import progress as bars

    return bars.Progress(
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
        console=_terminal(),
    )


@cache
def _terminal() -> "Console":
    """One console, so that a bar inside a bar is drawn below it."""
    from rich.console import Console

    return Console(stderr=True)
