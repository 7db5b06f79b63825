"""From data of any kind to what was measured, and which variants it has."""

from collections.abc import Mapping, Sequence
from typing import Any

from nextcall.abtest.measured import Measured, measure
from nextcall.abtest.metrics import Metric
from nextcall.abtest.parts import measure_strata, read_parts
from nextcall.abtest.rows import read_rows
from nextcall.abtest.tables import measure_table


def check_metrics(metrics: Sequence[Metric]) -> Sequence[Metric]:
    """Give metrics back.

    Raises
    ------
    ValueError
        Where there is none, the first is a guardrail, or two have one name.
    """
    if not metrics:
        raise ValueError("metrics must hold at least one, got none.")
    if metrics[0].aim.guardrail:
        raise ValueError(f"the first metric is the primary one; {metrics[0].name} is a guardrail.")
    names = [metric.name for metric in metrics]
    if len(set(names)) < len(names):
        raise ValueError(f"metrics must have names of their own, got {names}.")
    return tuple(metrics)


def measure_data(
    data: Any,
    metrics: Sequence[Metric],
    *,
    variant: str,
    unit: str | None = None,
    strata: str | None = None,
) -> Measured:
    """Reduce a frame, an Arrow table or an Ibis table to what the metrics need.

    Parameters
    ----------
    variant, unit, strata : str
        Columns, as of `analyze`.

    Raises
    ------
    TypeError, ValueError
        As `analyze`.
    """
    if type(data).__module__.partition(".")[0] == "ibis":
        return measure_table(data, metrics, variant=variant, unit=unit, strata=strata)
    columns = [name for metric in metrics for name in metric.columns]
    rows = read_rows(data, variant=variant, columns=columns, unit=unit)
    if strata is None:
        return measure(rows, metrics)
    return measure_strata(rows, read_parts(data, strata), metrics)


def variants_of(
    measured: Measured, control: str, shares: Mapping[str, float] | None
) -> tuple[str, ...]:
    """Name control, then the treatments: those that were planned, or that there are.

    Raises
    ------
    ValueError
        Where control is not there, there is no treatment, or the shares are of other variants.
    """
    there = [name for name, n in measured.n_rows.items() if n > 0]
    if control not in there:
        raise ValueError(f"control must be among the variants, {sorted(there)}, got {control!r}.")
    names = sorted({*there, *(shares or {})} - {control})
    if not names:
        raise ValueError(f"there must be a treatment beside control, got {control!r} alone.")
    if shares is not None and set(shares) != {control, *names}:
        raise ValueError(
            f"shares must name each variant, {[control, *names]}, got {sorted(shares)}."
        )
    absent = [name for name in names if name not in there]
    if absent:
        raise ValueError(f"each planned variant must have rows; {absent} have none.")
    return (control, *names)
