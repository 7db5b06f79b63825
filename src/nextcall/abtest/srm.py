"""Sample ratio mismatch: whether units went to the variants in the planned shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite, nan, sqrt
from operator import index

from scipy import special, stats


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantCount:
    """How many units one variant got, beside its plan.

    Parameters
    ----------
    variant : str
    observed : int
        Units.
    expected : float
        Units, by the plan.
    excess : float
        Observed less expected units.
    relative : float
        Excess as a share of expected; ``nan`` where no unit came at all.
    z : float
        Excess in its standard deviations under the plan; ``nan`` where no unit came at all.
    """

    variant: str
    observed: int
    expected: float
    excess: float
    relative: float
    z: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRatio:
    """Counts of units against the planned shares.

    Parameters
    ----------
    variants : tuple of VariantCount
    chi2 : float
        Pearson's statistic.
    pvalue : float
        Of the planned shares, by the chi-square law with one degree less than variants.
    exact_pvalue : float
        By the binomial law, for two variants; ``nan`` for more.
    """

    variants: tuple[VariantCount, ...]
    chi2: float
    pvalue: float
    exact_pvalue: float

    @property
    def worst(self) -> VariantCount:
        """The variant whose count is least likely."""
        return max(self.variants, key=lambda each: abs(each.z))


def sample_ratio(
    observed: Mapping[str, int] | Sequence[int],
    weights: Mapping[str, float] | Sequence[float] | None = None,
) -> SampleRatio:
    """Test whether units went to the variants in the planned shares; to be looked at once.

    Parameters
    ----------
    observed : mapping of variant to units, or sequence of units
        At least two variants.
    weights : mapping of variant to weight, or sequence of weights, optional
        Planned; they need not sum to 1. Equal where they are not given.

    Returns
    -------
    SampleRatio
        P-values are 1 where no unit came.

    Raises
    ------
    ValueError
        Where a count is below 0, a weight is not above 0, or the two do not match.

    References
    ----------
    Fabijan et al. (2019), KDD: diagnosing sample ratio mismatch.

    Examples
    --------
    >>> found = sample_ratio({"A": 4700, "B": 5300})
    >>> round(found.pvalue, 11), found.worst.variant, found.worst.excess
    (1.97e-09, 'A', -300.0)
    """
    given = (
        list(observed) if isinstance(observed, Mapping) else [str(i) for i in range(len(observed))]
    )
    planned = dict.fromkeys(given, 1.0) if weights is None else weights
    if not isinstance(planned, Mapping) and len(planned) == len(given):
        planned = dict(zip(given, planned, strict=True))
    names, shares = planned_shares(planned)
    units = aligned_counts(observed, names)
    variants = variant_counts(names, units, shares)
    total = sum(units)
    chi2 = sum(each.excess * (each.excess / each.expected) for each in variants) if total else 0.0
    exact = nan
    if len(units) == 2:
        share = float(shares[0])
        exact = float(stats.binomtest(units[0], total, share).pvalue) if total else 1.0
    return SampleRatio(
        variants=variants,
        chi2=chi2,
        pvalue=float(special.chdtrc(len(units) - 1, chi2)),
        exact_pvalue=exact,
    )


def planned_shares(
    weights: Mapping[str, float] | Sequence[float],
) -> tuple[tuple[str, ...], tuple[Fraction, ...]]:
    """Give the names of the variants and their shares, exactly, which sum to 1.

    Raises
    ------
    ValueError
        Where there are fewer than two, or a weight is not above 0.
    """
    named = weights if isinstance(weights, Mapping) else dict(enumerate(weights))
    if len(named) < 2:
        raise ValueError(f"weights must be of at least two variants, got {len(named)}.")
    for name, weight in named.items():
        if not (isfinite(weight) and weight > 0):
            raise ValueError(f"weights must be finite and above 0, got {weight} for {name!r}.")
    exact = [Fraction(float(each)) for each in named.values()]
    total = sum(exact)
    return tuple(str(name) for name in named), tuple(each / total for each in exact)


def aligned_counts(
    units: Mapping[str, int] | Sequence[int], names: tuple[str, ...]
) -> tuple[int, ...]:
    """Give units in the order of the variants.

    Raises
    ------
    ValueError
        Where they are of other variants, or below 0.
    """
    if isinstance(units, Mapping):
        if set(units) != set(names):
            raise ValueError(f"variants must be {sorted(names)}, got {sorted(units)}.")
        units = [units[name] for name in names]
    if len(units) != len(names):
        raise ValueError(f"counts must be of {len(names)} variants, got {len(units)}.")
    found = tuple(index(each) for each in units)
    for name, count in zip(names, found, strict=True):
        if count < 0:
            raise ValueError(f"counts must be at least 0, got {count} for {name!r}.")
    return found


def variant_counts(
    names: tuple[str, ...], observed: tuple[int, ...], shares: tuple[Fraction, ...]
) -> tuple[VariantCount, ...]:
    """Set counts beside what shares of their sum would be; exact, for counts may be large."""
    total = sum(observed)
    found = []
    for name, count, share in zip(names, observed, shares, strict=True):
        expected = total * share
        excess = count - expected
        found.append(
            VariantCount(
                variant=name,
                observed=count,
                expected=float(expected),
                excess=float(excess),
                relative=float(excess / expected) if total else nan,
                z=float(excess) / sqrt(expected * (1 - share)) if total else nan,
            )
        )
    return tuple(found)
