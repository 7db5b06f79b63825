"""What a test has measured so far: per metric and variant the moments, which merge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextcall.abtest.effect import Arm
from nextcall.abtest.grouped_moments import Column, Grouped, group_moments, with_cubes
from nextcall.abtest.means import Adjusted, adjusted_means, adjusted_ratios
from nextcall.abtest.metrics import Mean, Proportion, Ratio
from nextcall.abtest.moments import Moments
from nextcall.abtest.rows import Rows

Summed = Mean | Proportion | Ratio
"""Metrics that need nothing of the data but moments."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """All that is known of a test without its rows; two of them add up to that of both's rows.

    Parameters
    ----------
    n_rows, n_units : mapping of str to int
        Of each variant; they are the same where each row is a unit.
    grouped : mapping of metric to mapping of str to Moments
        Of each metric's columns in each variant, over units. Where units have several rows the
        columns are sums over them, each with the count of rows beside it.
    missing : mapping of metric to mapping of str to int
        Rows of each variant that lack a value.
    clustered : bool
        Whether units may have several rows.
    """

    n_rows: Mapping[str, int]
    n_units: Mapping[str, int]
    grouped: Mapping[Summed, Mapping[str, Moments]]
    missing: Mapping[Summed, Mapping[str, int]]
    clustered: bool

    def __add__(self, other: Self) -> Self:
        """Merge with other rows of the same metrics; no unit may have rows in both.

        Raises
        ------
        ValueError
            Where the metrics differ.
        """
        if list(self.grouped) != list(other.grouped) or self.clustered != other.clustered:
            raise ValueError("only what was measured by the same metrics and unit adds up.")
        return type(self)(
            n_rows=_total(self.n_rows, other.n_rows),
            n_units=_total(self.n_units, other.n_units),
            grouped={
                metric: _merged(moments, other.grouped[metric])
                for metric, moments in self.grouped.items()
            },
            missing={
                metric: _total(counts, other.missing[metric])
                for metric, counts in self.missing.items()
            },
            clustered=self.clustered,
        )

    def skewness(self, metric: Summed, variant: str) -> float:
        """Give that of the metric's first column over units; ``nan`` where it is not known."""
        return self.grouped[metric][variant].skewness

    def adjusted(self, metric: Summed, variants: Sequence[str]) -> Adjusted:
        """Give the arms of variants, with what covariates explain taken out."""
        moments = [self.grouped[metric][variant] for variant in variants]
        if self.clustered or isinstance(metric, Ratio):
            return adjusted_ratios(moments)
        return adjusted_means(moments)

    def arms(self, metric: Summed, variants: Sequence[str]) -> tuple[Arm, ...]:
        """Give the arms of variants, as they were measured."""
        width = 2 if self.clustered or isinstance(metric, Ratio) else 1
        moments = [self.grouped[metric][variant].columns(range(width)) for variant in variants]
        return (adjusted_ratios if width == 2 else adjusted_means)(moments).arms


def measure(rows: Rows, metrics: Sequence[Summed]) -> Measured:
    """Reduce rows to what the metrics need.

    Parameters
    ----------
    rows : Rows
        With the metrics' columns.

    Raises
    ------
    ValueError
        Where a value is infinite, or a proportion's neither 0 nor 1.
    """
    columns = {name: rows.columns[name] for metric in metrics for name in metric.columns}
    for metric in metrics:
        if isinstance(metric, Proportion):
            _check_proportion(metric.column, columns[metric.column])
    n_rows = np.bincount(rows.codes, minlength=len(rows.variants))
    if rows.units is None:
        n_units, found = n_rows, _by_row(rows, metrics, columns)
    else:
        variant_of = np.empty(int(rows.units.max()) + 1, dtype=rows.codes.dtype)
        variant_of[rows.units] = rows.codes
        n_units = np.bincount(variant_of, minlength=len(rows.variants))
        found = [
            _by_unit(metric, [columns[name] for name in metric.columns], rows, variant_of)
            for metric in metrics
        ]
    return Measured(
        n_rows=_named(rows, n_rows.tolist()),
        n_units=_named(rows, n_units.tolist()),
        grouped={
            metric: dict(zip(rows.variants, each.moments, strict=True))
            for metric, each in zip(metrics, found, strict=True)
        },
        missing={
            metric: _named(rows, each.missing) for metric, each in zip(metrics, found, strict=True)
        },
        clustered=rows.units is not None,
    )


def _by_row(rows: Rows, metrics: Sequence[Summed], columns: Mapping[str, Column]) -> list[Grouped]:
    """Give the moments of each metric where each row is a unit: in one pass if none is missing."""
    n, names = len(rows.variants), list(columns)
    together = group_moments(list(columns.values()), rows.codes, n, names=names)
    found = []
    for metric in metrics:
        if any(together.missing):
            own = [columns[name] for name in metric.columns]
            found.append(with_cubes(group_moments(own, rows.codes, n), own, rows.codes))
        else:
            places = [names.index(name) for name in metric.columns]
            moments = tuple(each.columns(places) for each in together.moments)
            plain = Grouped(moments=moments, missing=(0,) * n)
            found.append(with_cubes(plain, [columns[metric.columns[0]]], rows.codes))
    return found


def _by_unit(
    metric: Summed,
    columns: Sequence[Column],
    rows: Rows,
    variant_of: NDArray[np.integer[Any]],
) -> Grouped:
    """Sum a metric's columns over each unit's rows, and reduce the sums."""
    units = rows.units if rows.units is not None else np.arange(len(rows.codes))
    values = [column.astype(np.float64) for column in columns]
    whole, n = ~np.isnan(values).any(axis=0), len(variant_of)
    counts = np.bincount(units[whole], minlength=n).astype(np.float64)
    sums: list[NDArray[np.float64]] = []
    names: list[str] = []
    for name, each in zip(metric.columns, values, strict=True):
        sums.append(np.bincount(units[whole], each[whole], minlength=n).astype(np.float64))
        names.append(f"{name}, summed over each unit's rows,")
        if not isinstance(metric, Ratio):
            sums.append(counts)
            names.append("rows of a unit")
    codes = np.where(counts > 0, variant_of, -1)
    found = with_cubes(group_moments(sums, codes, len(rows.variants), names=names), sums[:1], codes)
    missing = np.bincount(rows.codes[~whole], minlength=len(rows.variants))
    return Grouped(moments=found.moments, missing=tuple(missing.tolist()))


def _check_proportion(name: str, values: Column) -> None:
    wrong = np.flatnonzero(~((values == 0) | (values == 1) | (values != values)))  # noqa: PLR0124
    if len(wrong):
        raise ValueError(f"{name} must hold 0 and 1, got {values[wrong[0]]} in row {wrong[0]}.")


def _named(rows: Rows, counts: Sequence[int]) -> dict[str, int]:
    return dict(zip(rows.variants, counts, strict=True))


def _total(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _merged(one: Mapping[str, Moments], other: Mapping[str, Moments]) -> dict[str, Moments]:
    merged = dict(one)
    for name, moments in other.items():
        merged[name] = merged[name] + moments if name in merged else moments
    return merged
