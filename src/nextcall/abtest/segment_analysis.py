"""How an effect differs between segments of a test's rows."""

from typing import Any, Literal

import pandas as pd
import pyarrow as pa

from nextcall.abtest.effect import difference
from nextcall.abtest.measured import measure
from nextcall.abtest.metrics import Metric
from nextcall.abtest.rows import read_rows
from nextcall.abtest.segments import Heterogeneity, compare_segments


def analyze_segments(
    data: Any,
    *,
    segment: str,
    metric: Metric,
    control: str,
    treatment: str,
    variant: str = "variant",
    unit: str | None = None,
    adjustment: Literal["holm", "bh"] = "holm",
) -> Heterogeneity:
    """Compare treatment with control in each segment, and the segments with each other.

    A segment must be known before the test: one that the treatment may change compares units that
    are no longer alike. Differences are tested two-sided, whatever the metric's aim asks.

    Parameters
    ----------
    data : pandas.DataFrame or pyarrow.Table
    segment : str
        Column; each value is a segment.
    metric : metric
    variant, unit : str
        Columns, as of `analyze`.
    adjustment : {"holm", "bh"}
        Of the segments' p-values.

    Raises
    ------
    TypeError
        Where the data is neither.
    ValueError
        Where a row has no segment, there is one segment only, a segment lacks a variant, and as
        `analyze`.

    Examples
    --------
    >>> import numpy as np
    >>> from nextcall.abtest.metrics import Mean
    >>> rng = np.random.default_rng(0)
    >>> country, variant = ["de"] * 500 + ["fr"] * 500, ["A", "B"] * 500
    >>> rows = pd.DataFrame({"variant": variant, "country": country})
    >>> gain = (rows["variant"] == "B") & (rows["country"] == "fr")
    >>> rows["spent"] = rng.normal(10, 1, 1000) + gain
    >>> found = analyze_segments(
    ...     rows, segment="country", metric=Mean("spent"), control="A", treatment="B"
    ... )
    >>> list(found.segments), found.pvalue < 0.001
    (['de', 'fr'], True)
    """
    if not isinstance(data, pd.DataFrame | pa.Table):
        raise TypeError(
            f"data must be a pandas frame or an Arrow table, got {type(data).__name__}."
        )
    names = data.column_names if isinstance(data, pa.Table) else list(data.columns)
    if segment not in names:
        raise ValueError(f"data must have a column {segment!r}, got {names}.")
    wanted = list(dict.fromkeys([segment, variant, *([unit] if unit else []), *metric.columns]))
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ValueError(f"data must have a column {missing[0]!r}, got {names}.")
    frame: pd.DataFrame = (
        data.select(wanted).to_pandas() if isinstance(data, pa.Table) else data[wanted]
    )
    frame = frame[frame[variant].astype("str").isin([control, treatment])]
    if frame[segment].isna().any():
        raise ValueError(f"{segment} must be known for each row, got none in some.")
    whole = read_rows(frame, variant=variant, columns=metric.columns, unit=unit)
    there = {whole.variants[code] for code in set(whole.codes.tolist())}
    if there != {control, treatment}:
        raise ValueError(
            f"data must have rows of {control!r} and {treatment!r}, got {sorted(there)}."
        )
    overall = difference(*measure(whole, [metric]).adjusted(metric, [control, treatment]).arms)
    arms = {}
    for name, part in frame.groupby(segment, observed=True, sort=True):
        rows = read_rows(part, variant=variant, columns=metric.columns, unit=unit)
        if {control, treatment} - {rows.variants[code] for code in set(rows.codes.tolist())}:
            raise ValueError(f"segment {name!r} must have rows of {control!r} and {treatment!r}.")
        one, other = measure(rows, [metric]).adjusted(metric, [control, treatment]).arms
        arms[str(name)] = (one, other)
    if len(arms) < 2:
        raise ValueError(f"{segment} must have two segments or more, got {list(arms)}.")
    return compare_segments(arms, overall=overall, adjustment=adjustment)
