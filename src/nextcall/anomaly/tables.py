"""Scores for the rows of files: read in blocks, in their order, with every column as it was."""

import csv
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Final, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from nextcall.anomaly.block_scorer import EXPLANATION, SCORE, STANDARD, BlockScorer
from nextcall.anomaly.explained_scores import DetectorName
from nextcall.files import atomic_path
from nextcall.progress import Progress, silent

FORMATS: Final = (".csv", ".parquet")

_BLOCK: Final = 50_000  # rows held at once
_NUMBERS: Final = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_null,
)


def score_file(
    source: Path,
    target: Path,
    *,
    value: str = "value",
    timestamp: str | None = None,
    key: str | None = None,
    rate: float = 1 / 600,
    detector: DetectorName = "stream",
    progress: Progress = silent,
) -> tuple[int, int]:
    """Write the rows of a CSV or Parquet file again, each with its score and what is odd about it.

    A row's ``anomaly_score`` is the risk that the detector gives, which knows only the rows before
    it; ``explanation`` is a text where the score is at least 0.5, or would be but for a rest or the
    warm-up, and empty elsewhere. A missing value (empty, NaN, NA, null, none) gets the score 0.
    Rows are taken in the order of the file; blank lines are no rows, but missing values where there
    is one column only. The file is read in blocks; an error leaves no file behind.

    Parameters
    ----------
    source, target : Path
        ``.csv`` or ``.parquet``, both the same; ``-`` is standard input or output, as CSV.
    value : str
        Column of the numbers.
    timestamp : str, optional
        Column of the times, ISO 8601; where it is given, those of a key must not run backwards.
        A time without a zone is UTC.
    key : str, optional
        Column that tells series apart; without it all rows are one series.
    rate : float
        Alarms per row that are wanted where nothing is wrong, above 0 and at most 0.05.
    detector : {"stream", "faults", "named"}
        `StreamDetector`, which looks at no time; `FaultDetector` or `AnomalyMonitor`, which learn
        the hours of the week where there are times. To these two a row that is as late as the one
        before it of its key counts as missing.
    progress : Progress
        Shows the blocks.

    Returns
    -------
    tuple of int
        Rows and alarms.

    Raises
    ------
    ValueError
        Where a column is missing or there already, the file is empty, or a cell is no number or no
        time; the message names file, row (the first below the header is 1), column and rule.
    OSError
        Where a file cannot be read or written.
    """
    kind, wanted = (
        ".csv" if path == STANDARD else path.suffix.lower() for path in (source, target)
    )
    for path, suffix in ((source, kind), (target, wanted)):
        if suffix not in FORMATS:
            raise ValueError(f"{path}: must end in .csv or .parquet, or be '-'.")
    if kind != wanted:
        raise ValueError(f"{target}: must be of the format of the input, {kind}.")
    scorer = BlockScorer(
        source, value=value, timestamp=timestamp, key=key, rate=rate, detector=detector
    )
    copy = _copy_csv if kind == ".csv" else _copy_parquet
    blocks = copy(source, target, scorer)
    for _ in progress(blocks, description=f"Scoring {source}", total=_blocks_of(source, kind)):
        pass
    return scorer.rows, scorer.alarms


def files_to_score(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Pair every CSV and Parquet file below a folder with its place in another.

    Raises
    ------
    ValueError
        Where there is none, or one folder lies in the other.
    """
    inner, outer = source.resolve(), target.resolve()
    if inner == outer or inner in outer.parents or outer in inner.parents:
        raise ValueError(f"{target}: must lie apart from the input {source}.")
    found = [path for path in sorted(source.rglob("*")) if path.suffix.lower() in FORMATS]
    if not found:
        raise ValueError(f"{source}: must hold a .csv or .parquet file.")
    return [(path, target / path.relative_to(source)) for path in found]


def _blocks_of(source: Path, kind: str) -> int | None:
    """Count the blocks of a file, by the ends of its lines; None for what can be read only once."""
    if not source.is_file():
        return None
    try:
        with source.open("rb") as content:
            if kind == ".parquet":
                rows: int = pq.ParquetFile(content).metadata.num_rows
            else:
                rows = sum(part.count(b"\n") for part in iter(lambda: content.read(1 << 20), b""))
    except pa.ArrowInvalid:  # told by name where its rows are read
        return None
    return max(1, math.ceil(rows / _BLOCK))


@contextmanager
def _opened(source: Path, target: Path) -> Iterator[tuple[TextIO, TextIO]]:
    if source == STANDARD:
        with _written(target) as output:
            yield _standard_input(), output
        return
    with source.open(newline="", encoding="utf-8-sig") as rows, _written(target) as output:
        yield rows, output


def _standard_input() -> TextIO:
    """Read it as a file is: UTF-8, a mark of byte order left out, ends of lines as they are."""
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8-sig", newline="")
    return sys.stdin


@contextmanager
def _written(target: Path) -> Iterator[TextIO]:
    if target == STANDARD:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", newline="")
        yield sys.stdout
        return
    with (
        atomic_path(target) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as output,
    ):
        yield output


def _copy_csv(source: Path, target: Path, scorer: BlockScorer) -> Iterator[int]:
    """Copy a CSV file block by block; yields the rows of each."""
    with _opened(source, target) as (lines, output):
        rows = csv.reader(lines)
        writer = csv.writer(output, lineterminator="\n")
        try:
            columns = next(rows, [])
            if not columns:
                raise scorer.error("must have a header, it is empty.")
            scorer.check_columns(columns)
            writer.writerow([*columns, SCORE, EXPLANATION])
            for block in _blocks(rows, columns, scorer):
                _write_block(block, columns, scorer, writer.writerow)
                yield len(block)
            if not scorer.rows:
                raise scorer.error("must have a row below its header.")
        except csv.Error as error:
            raise scorer.error(f"line {rows.line_num}: {error}.") from error
        except UnicodeDecodeError as error:
            if error.object.startswith(b"PAR1"):
                raise scorer.error("must be CSV, it is Parquet.") from error
            raise scorer.error(f"must be UTF-8, but {error}.") from error


def _blocks(
    rows: Iterator[list[str]], columns: list[str], scorer: BlockScorer
) -> Iterator[list[list[str]]]:
    block: list[list[str]] = []
    for row in rows:
        cells = row if row or len(columns) > 1 else [""]  # a blank line of one column is a row
        if not cells:
            continue
        if len(cells) != len(columns):
            raise scorer.error(
                f"row {scorer.rows + len(block) + 1}: must have {len(columns)} cells, "
                f"got {len(cells)}."
            )
        block.append(cells)
        if len(block) == _BLOCK:
            yield block
            block = []
    if block:
        yield block


def _write_block(
    block: list[list[str]],
    columns: list[str],
    scorer: BlockScorer,
    write: Callable[[list[str]], object],
) -> None:
    place = columns.index(scorer.value)
    values = [scorer.number(cells[place], row) for row, cells in enumerate(block)]
    keys, times = (
        [] if name is None else _column(block, columns, name)
        for name in (scorer.key, scorer.timestamp)
    )
    scores, texts = scorer.score(values, keys or [""] * len(block), times or None)
    for cells, score, text in zip(block, scores, texts, strict=True):
        write([*cells, repr(score), text])


def _column(block: list[list[str]], columns: list[str], name: str) -> list[str]:
    place = columns.index(name)
    return [cells[place] for cells in block]


def _copy_parquet(source: Path, target: Path, scorer: BlockScorer) -> Iterator[int]:
    """Copy a Parquet file block by block; yields the rows of each."""
    try:
        with source.open("rb") as content, pq.ParquetFile(content) as file:
            schema = file.schema_arrow
            scorer.check_columns(schema.names)
            if not file.metadata.num_rows:
                raise scorer.error("must have a row.")
            kind = schema.field(scorer.value).type
            if not any(holds(kind) for holds in _NUMBERS):
                raise scorer.error(f"column {scorer.value!r} must hold numbers, it is {kind}.")
            if scorer.key and pa.types.is_nested(named := schema.field(scorer.key).type):
                raise scorer.error(f"column {scorer.key!r} must hold single values, it is {named}.")
            added = schema.append(pa.field(SCORE, pa.float64())).append(
                pa.field(EXPLANATION, pa.string())
            )
            with atomic_path(target) as temporary, pq.ParquetWriter(temporary, added) as writer:
                for batch in file.iter_batches(batch_size=_BLOCK):
                    writer.write_batch(_scored_batch(batch, added, scorer))
                    yield batch.num_rows
    except pa.ArrowInvalid as error:
        raise scorer.error(f"must be a Parquet file, but {error}.") from error


def _scored_batch(
    batch: "pa.RecordBatch", schema: "pa.Schema", scorer: BlockScorer
) -> "pa.RecordBatch":
    cells = batch.column(scorer.value).to_pylist()
    values = [math.nan if cell is None else float(cell) for cell in cells]
    for row, number in enumerate(values):
        if math.isinf(number):
            scorer.number(str(number), row)
    keys, times = (
        [] if name is None else batch.column(name).to_pylist()
        for name in (scorer.key, scorer.timestamp)
    )
    scores, texts = scorer.score(values, keys or [""] * len(values), times or None)
    arrays = [*batch.columns, pa.array(scores, pa.float64()), pa.array(texts, pa.string())]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
