"""What a test has measured so far: per metric and variant the moments, which merge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import nan
from typing import Any, Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from nextcall.abtest.few_clusters import few_sums, merged_sums, sandwich_arms, with_counts
from nextcall.abtest.grouped_moments import Column, Grouped, group_moments, with_cubes
from nextcall.abtest.means import Adjusted, adjusted_means, adjusted_ratios
from nextcall.abtest.metrics import Mean, Metric, Proportion, Quantile, Ratio
from nextcall.abtest.moments import Moments
from nextcall.abtest.quantiles import QuantileArm, quantile_arm
from nextcall.abtest.rows import Rows
from nextcall.abtest.weighted_arms import weighted_arms
from nextcall.abtest.winsorize import cut_points, winsorized_moments

Summed = Mean | Proportion | Ratio
"""Metrics of which moments are known."""

_SEVERAL: Final = 8  # groups of which one pass counts faster than one each

Part = TypeVar("Part", Moments, "Measured")


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
    quantiles : mapping of Quantile to mapping of str to QuantileArm
    clustered : bool
        Whether units may have several rows.
    few : mapping of metric to mapping of str to array of shape (n_units, n_columns)
        Of ratios and where units have several rows: the columns themselves, of each variant that
        has fewer than 40 units.
    strata : mapping of str to Measured
        The same of each stratum, where there are any.
    """

    n_rows: Mapping[str, int]
    n_units: Mapping[str, int]
    grouped: Mapping[Summed, Mapping[str, Moments]]
    missing: Mapping[Metric, Mapping[str, int]]
    quantiles: Mapping[Quantile, Mapping[str, QuantileArm]]
    clustered: bool
    few: Mapping[Summed, Mapping[str, NDArray[np.float64]]] = field(default_factory=dict)
    strata: Mapping[str, "Measured"] = field(default_factory=dict)

    def __add__(self, other: Self) -> Self:
        """Merge with other rows of the same metrics; no unit may have rows in both.

        Raises
        ------
        ValueError
            Where the metrics differ, or one of them needs all rows at once.
        """
        if list(self.grouped) != list(other.grouped):
            raise ValueError("only what was measured by the same metrics adds up.")
        check_sums(list(self.missing))
        if self.clustered != other.clustered:
            return self.by_sums() + other.by_sums()
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
            quantiles={},
            clustered=self.clustered,
            few={metric: self._few(other, metric) for metric in self.grouped},
            strata=_merged(self.strata, other.strata),
        )

    def skewness(self, metric: Metric, variant: str) -> float:
        """Give that of the metric's first column over units; ``nan`` where it is not known."""
        return nan if isinstance(metric, Quantile) else self.grouped[metric][variant].skewness

    def adjusted(self, metric: Metric, variants: Sequence[str]) -> Adjusted:
        """Give the arms of variants, with what covariates and strata explain taken out.

        Strata take no part in quantiles, nor where a variant has few units with several rows.
        """
        if isinstance(metric, Quantile):
            arms = tuple(self.quantiles[metric][variant].arm for variant in variants)
            return Adjusted(arms=arms, theta=(), variance_reduction=0.0)
        moments = [self.grouped[metric][variant] for variant in variants]
        sums = [self.few.get(metric, {}).get(variant) for variant in variants]
        ratios = self.clustered or isinstance(metric, Ratio)
        if any(each is not None for each in sums):
            return sandwich_arms(adjusted_ratios(moments), moments, sums)
        if self.strata:
            none = Moments.empty(len(moments[0].mean))
            own = [each.grouped[metric] for each in self.strata.values()]
            strata = [[each.get(variant, none) for variant in variants] for each in own]
            return weighted_arms(strata, ratios=ratios)
        return adjusted_ratios(moments) if ratios else adjusted_means(moments)

    def by_sums(self) -> Self:
        """Give the same where units that had one row each are held to have sums over rows."""
        if self.clustered:
            return self
        grouped = {
            metric: moments
            if isinstance(metric, Ratio)
            else {name: with_counts(each) for name, each in moments.items()}
            for metric, moments in self.grouped.items()
        }
        strata = {name: each.by_sums() for name, each in self.strata.items()}
        return replace(self, grouped=grouped, clustered=True, strata=strata)

    def _few(self, other: Self, metric: Summed) -> dict[str, NDArray[np.float64]]:
        """Put together the few units of each variant, where they stay few."""
        found = {}
        for name in {**self.grouped[metric], **other.grouped[metric]}:
            one, two = (
                (each.grouped[metric].get(name), each.few.get(metric, {}).get(name))
                for each in (self, other)
            )
            together = merged_sums(one, two)
            if together is not None:
                found[name] = together
        return found


def check_sums(metrics: Sequence[Metric]) -> None:
    """Refuse metrics that parts of the rows do not add up to.

    Raises
    ------
    ValueError
        For a quantile, and for a mean whose values are cut at quantiles.
    """
    for metric in metrics:
        if isinstance(metric, Quantile) or (isinstance(metric, Mean) and metric.winsorize):
            raise ValueError(f"{metric.name} needs all rows at once: its parts do not add up.")


def measure(rows: Rows, metrics: Sequence[Metric]) -> Measured:
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
    for metric in metrics:
        if isinstance(metric, Proportion):
            _check_proportion(metric.column, rows.columns[metric.column])
    summed = [metric for metric in metrics if not isinstance(metric, Quantile)]
    places = range(len(rows.variants))
    n_rows = np.array([np.count_nonzero(rows.codes == place) for place in places])
    if len(places) > _SEVERAL:
        n_rows = np.bincount(rows.codes, minlength=len(places))
    few: dict[Summed, dict[int, NDArray[np.float64]]] = {}
    if rows.units is None:
        n_units, found = n_rows, _by_row(rows, summed)
        for metric, each in zip(summed, found, strict=True):
            if isinstance(metric, Ratio):
                own = [rows.columns[name] for name in metric.columns]
                few[metric] = few_sums(own, rows.codes, each.moments)
    else:
        variant_of = np.empty(int(rows.units.max()) + 1, dtype=rows.codes.dtype)
        variant_of[rows.units] = rows.codes
        n_units = np.bincount(variant_of, minlength=len(rows.variants))
        found = []
        for metric in summed:
            sums, codes, each = _by_unit(metric, rows, variant_of)
            few[metric] = few_sums(sums, codes, each.moments)
            found.append(each)
    quantiles = {each: _quantile(each, rows) for each in metrics if isinstance(each, Quantile)}
    missing: dict[Metric, Mapping[str, int]] = {
        metric: _named(rows, each.missing) for metric, each in zip(summed, found, strict=True)
    }
    missing |= {metric: _named(rows, lost) for metric, (_, lost) in quantiles.items()}
    return Measured(
        n_rows=_named(rows, n_rows.tolist()),
        n_units=_named(rows, n_units.tolist()),
        grouped={
            metric: dict(zip(rows.variants, each.moments, strict=True))
            for metric, each in zip(summed, found, strict=True)
        },
        missing=missing,
        quantiles={metric: arms for metric, (arms, _) in quantiles.items()},
        clustered=rows.units is not None,
        few={
            metric: {rows.variants[place]: sums for place, sums in each.items()}
            for metric, each in few.items()
        },
    )


def _by_row(rows: Rows, metrics: Sequence[Summed]) -> list[Grouped]:
    """Give the moments of each metric where each row is a unit: in one pass if none is missing."""
    n, columns = len(rows.variants), rows.columns
    names = list(dict.fromkeys(name for each in metrics if not _cut(each) for name in each.columns))
    together = group_moments([columns[name] for name in names], rows.codes, n, names=names)
    found = []
    for metric in metrics:
        own = [columns[name] for name in metric.columns]
        limits = _cut(metric)
        if limits is not None:
            each = winsorized_moments(own, rows.codes, n, limits=limits, names=metric.columns)
        elif any(together.missing):
            each = with_cubes(group_moments(own, rows.codes, n), own, rows.codes)
        else:
            places = [names.index(name) for name in metric.columns]
            moments = tuple(each.columns(places) for each in together.moments)
            each = with_cubes(Grouped(moments=moments, missing=(0,) * n), own[:1], rows.codes)
        found.append(each)
    return found


def _by_unit(
    metric: Summed, rows: Rows, variant_of: NDArray[np.integer[Any]]
) -> tuple[list[NDArray[np.float64]], NDArray[np.integer[Any]], Grouped]:
    """Sum a metric's columns over each unit's rows; give sums, their groups, and moments."""
    units = rows.units if rows.units is not None else np.arange(len(rows.codes))
    values = [rows.columns[name].astype(np.float64) for name in metric.columns]
    limits = _cut(metric)
    if limits is not None:
        values[0] = np.clip(values[0], *cut_points(values[0], limits))
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
    return sums, codes, Grouped(moments=found.moments, missing=tuple(missing.tolist()))


def _cut(metric: Summed) -> tuple[float, float] | None:
    return metric.winsorize if isinstance(metric, Mean) else None


def _quantile(metric: Quantile, rows: Rows) -> tuple[dict[str, QuantileArm], list[int]]:
    """Give each variant's quantile, and how many of its rows lack a value."""
    values = rows.columns[metric.column].astype(np.float64)
    known = ~np.isnan(values)
    arms, missing = {}, []
    for code, variant in enumerate(rows.variants):
        own = rows.codes == code
        units = None if rows.units is None else rows.units[own & known]
        name = f"{metric.column} of {variant}"
        arms[variant] = quantile_arm(values[own & known], metric.share, units=units, name=name)
        missing.append(int((own & ~known).sum()))
    return arms, missing


def _check_proportion(name: str, values: Column) -> None:
    wrong = np.flatnonzero(~((values == 0) | (values == 1) | (values != values)))  # noqa: PLR0124
    if len(wrong):
        raise ValueError(f"{name} must hold 0 and 1, got {values[wrong[0]]} in row {wrong[0]}.")


def _named(rows: Rows, counts: Sequence[int]) -> dict[str, int]:
    return dict(zip(rows.variants, counts, strict=True))


def _total(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _merged(one: Mapping[str, Part], other: Mapping[str, Part]) -> dict[str, Part]:
    """Add up what has the same name in both."""
    found = dict(one)
    for name, each in other.items():
        found[name] = found[name] + each if name in found else each
    return found
