"""What a test said at each look, from the rows that came before each."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nextcall.abtest.analysis import Analysis, analyze_measured
from nextcall.abtest.look import LookPlan
from nextcall.abtest.measured import Measured, check_sums
from nextcall.abtest.measuring import measure_data
from nextcall.abtest.metrics import Metric


def analyze_path(
    batches: Iterable[Any],
    *,
    control: str,
    metrics: Sequence[Metric],
    plan: LookPlan,
    variant: str = "variant",
    unit: str | None = None,
    strata: str | None = None,
    shares: Mapping[str, float] | None = None,
) -> list[Analysis]:
    """Analyse a test after each batch of its rows, with the looks before it taken into account.

    Parameters
    ----------
    batches : iterable of pandas.DataFrame, pyarrow.Table or ibis.Table
        What came since the look before; all rows of a unit in one of them, and each variant in the
        first.
    plan : LookPlan
        A group-sequential test ends where every treatment is shown to differ on the primary metric.

    Returns
    -------
    list of Analysis
        One a look.

    Raises
    ------
    ValueError
        Where a metric needs all rows at once, there is no batch, and as `analyze`.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from nextcall.abtest.metrics import Mean
    >>> rng = np.random.default_rng(0)
    >>> days = [
    ...     pd.DataFrame({"variant": ["A", "B"] * 100, "spent": rng.normal(size=200)})
    ...     for _ in range(5)
    ... ]
    >>> found = analyze_path(days, control="A", metrics=[Mean("spent")], plan=LookPlan(n=1000))
    >>> [sum(each.units.values()) for each in found], found[-1].verdict.decision
    ([200, 400, 600, 800, 1000], 'no difference')
    """
    check_sums(metrics)
    so_far: Measured | None = None
    found: list[Analysis] = []
    earlier: list[float] = []
    for batch in batches:
        part = measure_data(batch, metrics, variant=variant, unit=unit, strata=strata)
        so_far = part if so_far is None else so_far + part
        seen = analyze_measured(
            so_far, control=control, metrics=metrics, shares=shares, plan=plan, earlier=earlier
        )
        found.append(seen)
        first = seen.comparisons[0]
        earlier.append(float(seen.units[control] + seen.units[first.treatment]))
        primary = [each for each in seen.comparisons if each.metric == first.metric]
        if plan.method == "group-sequential" and all(each.look.shown for each in primary):
            break
    if not found:
        raise ValueError("batches must hold at least one, got none.")
    return found
