"""Effects by segment: whether they differ, what each is worth, and what chance makes of many."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite, nan, sqrt
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nextcall.abtest.effect import Arm, Effect, check_alpha, degrees_of_freedom, difference
from nextcall.abtest.multiplicity import adjusted_pvalues
from nextcall.abtest.random_effects import between_variance, shrunken

SegmentAdjustment = Literal["holm", "bh"]
"""How p-values of segments are adjusted for their number."""

_ADJUSTMENTS: Final = get_args(SegmentAdjustment)
_MIX: Final = 0.001  # as for a mismatch of the sample ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The effect in one segment.

    Parameters
    ----------
    effect : Effect
        Treatment minus control, of this segment alone.
    adjusted_pvalue : float
        For the number of segments; ``nan`` where the effect has none.
    shrunk : float
        The effect, drawn to that of all segments as far as its error and the likeness of the
        segments ask for: a better guess than its own where it was picked for being extreme.
    shrunk_ci_lower, shrunk_ci_upper : float
        Of the credible interval of that.
    """

    effect: Effect
    adjusted_pvalue: float
    shrunk: float
    shrunk_ci_lower: float
    shrunk_ci_upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heterogeneity:
    """How effects differ between segments.

    Parameters
    ----------
    segments : mapping of str to Segment
    common : Effect
        Mean of the segments' effects, weighted by 1 / se^2; of those with an error.
    q : float
        Cochran's: weighted squares of what effects are off `common`.
    pvalue : float
        That all segments have one effect: of `q` by Welch's F law, which holds its level where
        segments are small; ``nan`` below two segments with an error.
    i2 : float
        Share of `q` that chance does not explain, in [0, 1).
    between : float
        Standard deviation of true effects between segments (Paule & Mandel), 0 where chance
        explains all.
    mix_pvalue : float
        That both arms have the same mix of segments (chi-square of units); where it is small the
        segments are no property from before the test, and their effects mean nothing.
    reversed : bool
        Whether segments say one way and all units together the other (Simpson's paradox).
    warnings : tuple of str
    """

    segments: Mapping[str, Segment]
    common: Effect
    q: float
    pvalue: float
    i2: float
    between: float
    mix_pvalue: float
    reversed: bool
    warnings: tuple[str, ...]


def compare_segments(
    arms: Mapping[str, tuple[Arm, Arm]],
    *,
    overall: Effect | None = None,
    adjustment: SegmentAdjustment = "holm",
    alpha: float = 0.05,
) -> Heterogeneity:
    """Compare the effects of segments that were known before the test.

    Parameters
    ----------
    arms : mapping of str to (control, treatment)
        Of each segment; one where an arm has fewer than two units, or does not vary, tells
        nothing of how effects differ.
    overall : Effect, optional
        Of all units without segments, to tell Simpson's paradox.
    adjustment : {"holm", "bh"}
        ``"holm"`` bounds the chance of one false find or more, ``"bh"`` the share among finds.

    Raises
    ------
    ValueError
        Where there is no segment, or an option is out of its range.

    References
    ----------
    Cochran (1954), Biometrics 10(1). Welch (1951), Biometrika 38(3-4). Higgins & Thompson (2002),
    Statistics in Medicine 21(11): I^2.

    Examples
    --------
    >>> arms = {
    ...     name: (Arm(n=50, estimate=1.0, variance=1.0), Arm(n=50, estimate=b, variance=1.0))
    ...     for name, b in (("phone", 1.1), ("desktop", 1.9))
    ... }
    >>> found = compare_segments(arms)
    >>> round(found.q, 2), round(found.pvalue, 4), round(found.segments["phone"].shrunk, 2)
    (8.0, 0.0052, 0.1)
    """
    if not arms:
        raise ValueError("arms must hold at least one segment, got none.")
    if adjustment not in _ADJUSTMENTS:
        raise ValueError(f"adjustment must be one of {_ADJUSTMENTS}, got {adjustment!r}.")
    check_alpha(alpha)
    effects = {name: difference(*pair, alpha=alpha) for name, pair in arms.items()}
    told = [name for name, effect in effects.items() if isfinite(effect.se) and effect.se > 0]
    values = np.array([effects[name].value for name in told])
    errors = np.array([effects[name].se for name in told])
    degrees = np.array([degrees_of_freedom(*arms[name]) for name in told])
    common, q, pvalue = _common(values, errors, degrees, alpha)
    tau2 = between_variance(values, errors)
    drawn = shrunken(values, errors, alpha=alpha)
    pvalues = [effects[name].pvalue for name in told]
    adjusted = adjusted_pvalues(pvalues, method=adjustment).tolist()
    segments = {
        name: Segment(
            effect=effect,
            adjusted_pvalue=adjusted[told.index(name)] if name in told else nan,
            shrunk=float(drawn[told.index(name), 0]) if name in told else effect.value,
            shrunk_ci_lower=float(drawn[told.index(name), 1]) if name in told else effect.ci_lower,
            shrunk_ci_upper=float(drawn[told.index(name), 2]) if name in told else effect.ci_upper,
        )
        for name, effect in effects.items()
    }
    turned = _reversed(arms, effects, overall)
    mix = _mix(arms)
    untold = [name for name in effects if name not in told]
    return Heterogeneity(
        segments=segments,
        common=common,
        q=q,
        pvalue=pvalue,
        i2=max(0.0, 1 - (len(told) - 1) / q) if q > 0 else 0.0,
        between=sqrt(tau2),
        mix_pvalue=mix,
        reversed=turned,
        warnings=_warnings(untold, mix, overall, turned=turned),
    )


def _common(
    values: NDArray[np.float64],
    errors: NDArray[np.float64],
    degrees: NDArray[np.float64],
    alpha: float,
) -> tuple[Effect, float, float]:
    """Give the weighted mean with a normal interval, Cochran's Q, and Welch's p-value of it."""
    none = Effect(value=nan, se=nan, dof=inf, ci_lower=-inf, ci_upper=inf, pvalue=nan)
    if len(values) == 0:
        return none, nan, nan
    weights = (errors.min() / errors) ** 2  # of the largest, for scales of any size
    total = float(weights.sum())
    mean = float(weights @ values) / total
    se = float(errors.min()) / sqrt(total)
    z = abs(mean) / se
    reach = float(stats.norm.isf(alpha / 2)) * se
    common = Effect(
        value=mean,
        se=se,
        dof=inf,
        ci_lower=mean - reach,
        ci_upper=mean + reach,
        pvalue=float(2 * stats.norm.sf(z)),
    )
    q = float((((values - mean) / errors) ** 2).sum())
    k = len(values)
    if k < 2:
        return common, q, nan
    spread = float(((1 - weights / total) ** 2 / degrees).sum())
    f = q / (k - 1) / (1 + 2 * (k - 2) / (k**2 - 1) * spread)
    return common, q, float(stats.f.sf(f, k - 1, (k**2 - 1) / (3 * spread)))


def _reversed(
    arms: Mapping[str, tuple[Arm, Arm]], effects: Mapping[str, Effect], overall: Effect | None
) -> bool:
    """Say whether the effect weighted by units of segments has another sign than without them."""
    if overall is None:
        return False
    sizes = {name: control.n + treatment.n for name, (control, treatment) in arms.items()}
    within = sum(
        sizes[name] * effect.value for name, effect in effects.items() if isfinite(effect.value)
    )
    return within * overall.value < 0


def _mix(arms: Mapping[str, tuple[Arm, Arm]]) -> float:
    table = np.array([[control.n, treatment.n] for control, treatment in arms.values()])
    table = table[table.any(axis=1)]
    if len(table) < 2 or not table.any(axis=0).all():
        return nan
    return float(stats.chi2_contingency(table, correction=False).pvalue)


def _warnings(
    untold: list[str], mix: float, overall: Effect | None, *, turned: bool
) -> tuple[str, ...]:
    warnings = [
        f"segment {name!r} has too few units that vary: its effect has no error." for name in untold
    ]
    if mix < _MIX:
        warnings.append(
            f"the arms do not have the same mix of segments (p = {mix:.2g}): segments must be "
            "known before the test."
        )
    if turned and overall is not None:
        warnings.append(
            "segments say one way and all units together the other (Simpson's paradox): the arms "
            "differ in their mix of segments; weight them by strata."
        )
    return tuple(warnings)
