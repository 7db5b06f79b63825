"""The verbs `abtest analyze` and `abtest vector`: from the rows of a test to what they say."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nextcall.cli.console import note, print_frame

if TYPE_CHECKING:  # each verb loads what it needs when it runs
    import pyarrow as pa

_SHOWN: Final = (
    "metric",
    "treatment",
    "control_estimate",
    "treatment_estimate",
    "relative",
    "relative_ci_lower",
    "relative_ci_upper",
    "adjusted_pvalue",
    "outcome",
)


def analyze_test(
    *,
    input_: Annotated[
        Path, typer.Option("--input", help="CSV or Parquet file of the test's rows.")
    ],
    spec: Annotated[
        Path, typer.Option(help="YAML or JSON file: control, metrics, unit, shares, plan ...")
    ],
    output: Annotated[Path | None, typer.Option(help="JSON file of the result.")] = None,
) -> None:
    """Analyse a test: comparisons, sample ratio and verdict."""
    import json

    import yaml

    from nextcall.abtest.question import read_question

    try:
        question = read_question(yaml.safe_load(spec.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ValueError(f"{spec} is no YAML: {error}") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{spec}: {error}") from None
    found = question.answer(_read(input_, question.columns))
    print_frame(found.to_frame()[list(_SHOWN)])
    typer.echo(f"\n{found.verdict.decision}: {found.verdict.sentence}")
    for each in found.comparisons:
        for warning in each.warnings:
            note(f"{each.metric}: {warning.rstrip('.')}.")
    if output is not None:
        plain = _plain(found.to_dict())
        _write(output, json.dumps(plain, indent=2, allow_nan=False, ensure_ascii=False))


def answer_case(
    *,
    input_: Annotated[
        Path, typer.Option("--input", help="JSON file of one case: its kind, numbers or file.")
    ],
    output: Annotated[Path, typer.Option(help="JSON file of every quantity, by name.")],
) -> None:
    """Compute every quantity of a case, to check another tool against."""
    import json

    from nextcall.abtest.case import quantities

    try:
        case = json.loads(input_.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{input_} is no JSON: {error}") from None
    if not isinstance(case, dict):
        raise ValueError(f"{input_} must hold one case, got {type(case).__name__}.")  # noqa: TRY004
    if isinstance(case.get("input"), dict):  # as the lists of cases have it
        case = case["input"]
    _write(output, json.dumps(quantities(case, input_.parent), indent=2))  # may hold Infinity


def _read(path: Path, columns: tuple[str, ...]) -> "pa.Table":
    """Read the columns that are asked for."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        if path.suffix in {".parquet", ".pq"}:
            names = parquet.read_schema(path).names
            table = parquet.read_table(path, columns=[name for name in columns if name in names])
        else:
            table = csv.read_csv(path)
            names = table.column_names
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    for name in columns:
        if name not in names:
            raise ValueError(f"{path} must have a column {name!r}, got {names}.")
    return table.select(list(columns))


def _write(path: Path, text: str) -> None:
    from nextcall.files import atomic_path

    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    note(f"Wrote the result to {path}.")


def _plain(value: Any) -> Any:
    """Give what JSON can hold: null for what is unknown or unbounded."""
    from math import isfinite

    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value
