"""The verbs `abtest analyze` and `abtest vector`: from the rows of a test to what they say."""

from math import isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nextcall.cli.console import note, print_frame, print_table

if TYPE_CHECKING:  # each verb loads what it needs when it runs
    import pyarrow as pa

    from nextcall.abtest.analysis import Analysis

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

_MOST: Final = 12  # segments that are shown


def analyze_test(
    *,
    input_: Annotated[
        Path, typer.Option("--input", help="CSV or Parquet file of the test's rows.")
    ],
    spec: Annotated[
        Path,
        typer.Option(
            help="YAML or JSON file: control, metrics; as wanted variant, unit, strata, shares, "
            "alpha, plan (or the name of a plan that `design` wrote), earlier, adjust, segments, "
            "time, bayes."
        ),
    ],
    output: Annotated[Path | None, typer.Option(help="JSON file of the result.")] = None,
) -> None:
    """Analyse a test: comparisons, sample ratio and verdict.

    Where the specification asks for them also the effects by segment and over the days, what is
    believed of each comparison, and what was done otherwise than planned.
    """
    import json

    import yaml

    from nextcall.abtest.specification import read_question

    try:
        asked = yaml.safe_load(spec.read_text(encoding="utf-8"))
        question = read_question(asked, folder=spec.parent)
    except yaml.YAMLError as error:
        raise ValueError(f"{spec} is no YAML: {error}") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{spec}: {error}") from None
    found = question.answer(_read(input_, question.columns))
    print_frame(found.to_frame()[list(_SHOWN)])
    _show_beliefs(found)
    _show_segments(found)
    _show_days(found)
    _show_plan(found)
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


def _show_beliefs(found: "Analysis") -> None:
    known = [(each, each.posterior) for each in found.comparisons if each.posterior is not None]
    if known:
        typer.echo("\nWhat is believed; losses are expected, as a share of control")
        print_table(
            ("metric", "treatment", "chance to win", "loss if taken", "loss if not", "alike"),
            [
                (
                    each.metric,
                    each.treatment,
                    _percent(own.chance_to_win, 1),
                    _percent(own.loss_treatment / abs(each.control_estimate or nan), 2),
                    _percent(own.loss_control / abs(each.control_estimate or nan), 2),
                    _percent(own.rope_share, 1),
                )
                for each, own in known
            ],
        )


def _show_segments(found: "Analysis") -> None:
    from nextcall.abtest.verdict import pvalue_text

    for each in found.segments:
        own = each.heterogeneity
        differ = "-" if isnan(own.pvalue) else pvalue_text(own.pvalue).removeprefix("p ")
        typer.echo(
            f"\n{each.treatment} on {each.metric} by {each.column}; effects differ: p {differ}"
        )
        frame = each.to_frame()
        print_frame(frame.head(_MOST))
        if len(frame) > _MOST:
            note(f"{len(frame) - _MOST} more values of {each.column} are in the result's file.")
        for warning in own.warnings:
            note(f"{each.treatment} by {each.column}: {warning.rstrip('.')}.")


def _show_days(found: "Analysis") -> None:
    if found.times:
        clock = "first exposure" if found.times[0].clock == "first exposure" else "the first day"
        typer.echo(f"\nEffects over the days since {clock}: a line through them")
        print_table(
            ("metric", "treatment", "days", "first", "last", "change a day", "p", "p of weekdays"),
            [
                (
                    each.metric,
                    each.treatment,
                    len(each.trend.days),
                    each.trend.first,
                    each.trend.last,
                    each.trend.slope.value,
                    each.trend.slope.pvalue,
                    None if each.weekdays is None else each.weekdays.pvalue,
                )
                for each in found.times
            ],
        )


def _show_plan(found: "Analysis") -> None:
    if found.plan is not None:
        if found.plan.comparison is not None:
            typer.echo("\nPlanned and done")
            print_frame(found.plan.comparison.to_frame())
        told = " ".join(found.plan.deviations) or "Nothing was done otherwise than planned."
        typer.echo(f"\n{told}")


def _percent(value: float, digits: int) -> str:
    return "-" if isnan(value) else f"{value:.{digits}%}"


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
