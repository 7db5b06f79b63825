"""Sample ratio mismatch looked at as often as one likes, after every unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import exp, inf, log, log1p, pi
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from nextcall.abtest.srm import VariantCount, aligned_counts, planned_shares, variant_counts

_CONCENTRATION: Final = 1_000.0
"""Units that the prior is worth: tuned to shares off by some hundredths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialSampleRatio:
    """Counts of units against the planned shares, valid however often one looks.

    A martingale under the plan: the ratio of how likely the units are under shares drawn from a
    Dirichlet law around the plan, and under the plan. It starts at 1; the chance that it ever
    reaches 1 / alpha while the plan holds is at most alpha.

    Parameters
    ----------
    variants : tuple of VariantCount
    log_evidence : float
        Logarithm of the ratio after the units so far.
    pvalue : float
        Of the planned shares, after all looks so far; never rises.
    concentration : float
        Units that the prior is worth.
    shares : tuple of float
        Planned, in the order of the variants; they sum to 1.

    References
    ----------
    Lindon & Malek (2020), Anytime-valid inference for multinomial count data, arXiv 2011.03567.

    Examples
    --------
    >>> state = SequentialSampleRatio.start({"A": 1, "B": 1})
    >>> state = state.observe([5_000, 5_100]).observe([5_000, 5_900])
    >>> state.variants[1].excess, state.pvalue < 1e-8
    (500.0, True)
    """

    variants: tuple[VariantCount, ...]
    log_evidence: float
    pvalue: float
    concentration: float
    shares: tuple[float, ...]

    @classmethod
    def start(
        cls,
        weights: Mapping[str, float] | Sequence[float],
        *,
        concentration: float = _CONCENTRATION,
    ) -> Self:
        """Begin with no units.

        Parameters
        ----------
        weights : mapping of variant to weight, or sequence of weights
            Planned; they need not sum to 1.
        concentration : float
            Above 0. The larger, the smaller the mismatch that is found soonest, and the later a
            large one: about 1 / d^2 for shares that are off by d.

        Raises
        ------
        ValueError
            Where an argument is out of its range.
        """
        if not 0 < concentration < inf:
            raise ValueError(f"concentration must be finite and above 0, got {concentration}.")
        names, exact = planned_shares(weights)
        return cls(
            variants=variant_counts(names, (0,) * len(names), exact),
            log_evidence=0.0,
            pvalue=1.0,
            concentration=float(concentration),
            shares=tuple(float(share) for share in exact),
        )

    def observe(self, units: Mapping[str, int] | Sequence[int]) -> Self:
        """Look again, after more units; one at a time, or many.

        Parameters
        ----------
        units : mapping of variant to units, or sequence in the order of the variants
            Since the last look.

        Raises
        ------
        ValueError
            Where they are not of these variants, or below 0.
        """
        names = tuple(each.variant for each in self.variants)
        new = aligned_counts(units, names)
        observed = tuple(
            each.observed + more for each, more in zip(self.variants, new, strict=True)
        )
        evidence = log_evidence(observed, self.shares, concentration=self.concentration)
        return type(self)(
            variants=variant_counts(names, observed, tuple(map(Fraction, self.shares))),
            log_evidence=evidence,
            pvalue=min(self.pvalue, exp(-max(evidence, 0.0))),
            concentration=self.concentration,
            shares=self.shares,
        )


def sample_ratio_path(
    variants: ArrayLike,
    weights: Sequence[float],
    *,
    concentration: float = _CONCENTRATION,
) -> NDArray[np.float64]:
    """Give the always-valid p-value after every unit.

    Parameters
    ----------
    variants : array-like of int, shape (n_units,)
        Place of each unit's variant in `weights`, in the order in which units came.

    Returns
    -------
    array of shape (n_units,)
        Never rising.

    Raises
    ------
    ValueError
        Where an argument is out of its range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bool(sample_ratio_path(rng.integers(2, size=10_000), [1, 1])[-1] > 0.05)
    True
    """
    shares = np.array(SequentialSampleRatio.start(weights, concentration=concentration).shares)
    places = np.asarray(variants)
    if not (places.ndim == 1 and np.issubdtype(places.dtype, np.integer)):
        raise ValueError(
            f"variants must be whole numbers in one dimension, got {places.dtype} in {places.ndim}."
        )
    if len(places) and not 0 <= places.min() <= places.max() < len(shares):
        raise ValueError(
            f"variants must lie between 0 and {len(shares) - 1}, "
            f"got {places.min()} to {places.max()}."
        )
    before = np.empty(len(places))
    for place in range(len(shares)):
        own = places == place
        before[own] = np.arange(own.sum())
    # Each unit multiplies the evidence by its predicted share over its planned one.
    units = np.arange(len(places))
    excess = before - units * shares[places]
    steps = np.log1p(excess / shares[places] / (concentration + units))
    evidence = np.maximum.accumulate(np.cumsum(steps))
    return np.asarray(np.exp(-np.maximum(evidence, 0.0)))


def log_evidence(
    observed: Sequence[int], shares: Sequence[float], *, concentration: float
) -> float:
    """Give the log of how much likelier counts are under a Dirichlet law than under its mean.

    Written around the counts that the plan expects, so that no digits are lost at 10^12 units.

    Parameters
    ----------
    observed : sequence of int
    shares : sequence of float
        Summing to 1.
    concentration : float
        Of the Dirichlet law, whose mean the shares are.
    """
    total = sum(observed)
    whole = total + concentration
    found = 0.5 * log1p(total / concentration) - _stirling(whole) + _stirling(concentration)
    for count, share in zip(observed, shares, strict=True):
        own, expected = concentration * share + count, whole * share
        off = (count - total * share) / expected
        found += expected * ((1 + off) * log1p(off) - off)
        found += -0.5 * log1p(count / (concentration * share))
        found += _stirling(own) - _stirling(concentration * share)
    return found


def _stirling(value: float) -> float:
    """Give log Gamma less Stirling's formula."""
    if value < 16:
        plain = (value - 0.5) * log(value) - value + 0.5 * log(2 * pi)
        return float(special.gammaln(value)) - plain
    square = value * value
    return (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * square)) / square) / square) / value
