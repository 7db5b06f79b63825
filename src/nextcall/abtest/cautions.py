"""What to have in mind of a comparison: too few units, skewed or lost values, strata."""

from collections.abc import Sequence
from math import isnan, nan
from typing import Final

from nextcall.abtest.effect import Arm, degrees_of_freedom
from nextcall.abtest.few_clusters import FEW
from nextcall.abtest.look import Method
from nextcall.abtest.means import Weighting
from nextcall.abtest.measured import Measured
from nextcall.abtest.metrics import Metric, Proportion, Quantile
from nextcall.abtest.proportions import compare_proportions
from nextcall.abtest.shares import Share

_LEAST_FREEDOM: Final = 4.0  # degrees below which CR2 misses its level (Tipton 2015)
_FEW_EVENTS: Final = 8  # of both arms; below it score intervals cover 0.96 and more of 0.95
_MIX: Final = 0.001  # as for a mismatch of the sample ratio
_UNEQUAL: Final = 2.0  # times as many units (measured at 4, docs/abtest/sequential.md)
_SKEWED: Final = 355.0  # units for each squared skewness (Kohavi et al. 2014, KDD, section 5.5)


def cautions(
    measured: Measured,
    metric: Metric,
    pair: tuple[str, str],
    arms: tuple[Arm, Arm],
    *,
    method: Method,
    weighting: Weighting | None,
) -> tuple[str, ...]:
    """Tell what to have in mind of a comparison.

    Parameters
    ----------
    pair, arms : tuple
        Of control and treatment.
    method : Method
        By which the look is read.
    weighting : Weighting, optional
        Of strata, where they were weighted.
    """
    exact = isinstance(metric, Proportion) and not measured.clustered and weighting is None
    found = _of_units(measured, metric, pair, arms, least=1 if exact else 2)
    if measured.clustered:
        found += _few(pair, arms)
    found += _few_events(measured, metric, arms)
    if method == "always-valid":
        found += _unequal(measured, metric, pair, arms)
    if isinstance(metric, Quantile):
        found += [text for name in pair for text in measured.quantiles[metric][name].warnings]
    if not exact and all(arm.variance == 0 for arm in arms):
        found.append("no unit differs from another within its variant: no test can be made")
    rows = [measured.n_rows[name] for name in pair]
    lost = [measured.missing[metric][name] for name in pair]
    if any(lost) and all(rows) and _lost_unevenly(rows, lost):
        found.append("values are missing more often in one variant than in the other")
    found += _of_strata(measured, weighting)
    return tuple(found)


def _of_units(
    measured: Measured,
    metric: Metric,
    pair: tuple[str, str],
    arms: tuple[Arm, Arm],
    *,
    least: int,
) -> list[str]:
    """Tell where units are fewer than a test needs, or than intervals of skewed values do."""
    found = []
    for name, arm in zip(pair, arms, strict=True):
        skewness = nan if isinstance(metric, Proportion) else measured.skewness(metric, name)
        if arm.n < least:
            found.append(f"{name} has {arm.n:g} units with a value: no test can be made")
        elif isnan(arm.estimate):
            found.append(f"the denominators of {name} sum to 0: no test can be made")
        elif arm.n < _SKEWED * skewness**2:
            found.append(
                f"{name} is skewed ({skewness:.1f}): its {arm.n:g} units are fewer than the "
                f"{_SKEWED * skewness**2:.0f} at which intervals hold"
            )
    return found


def _of_strata(measured: Measured, weighting: Weighting | None) -> list[str]:
    """Tell where strata took no part, were merged, or were no property from before the test."""
    if not measured.strata:
        return []
    if weighting is None:
        return ["strata take no part in a quantile, nor with few units that have several rows"]
    found = []
    if weighting.merged:
        names = [list(measured.strata)[place] for place in weighting.merged]
        found.append(f"strata {', '.join(names)} are held as one: some have too few units")
    if weighting.mix_pvalue < _MIX:
        found.append(
            f"the variants do not have the same mix of strata (p {weighting.mix_pvalue:.1e}): "
            "strata must be known before the test"
        )
    return found


def _few(pair: tuple[str, str], arms: tuple[Arm, Arm]) -> list[str]:
    """Tell where units with several rows are too few for their error, or nearly."""
    found = [
        f"{name} has {arm.n:g} units with several rows: below {FEW}, errors are told too small"
        for name, arm in zip(pair, arms, strict=True)
        if 2 <= arm.n < FEW and arm.dof is None
    ]
    dof = nan if arms[0].dof is None else degrees_of_freedom(*arms)
    if dof < _LEAST_FREEDOM:
        found.append(
            f"so few units with several rows leave {dof:.1f} degrees of freedom: below "
            f"{_LEAST_FREEDOM:g}, p-values and intervals are not to be trusted"
        )
    return found


def _few_events(measured: Measured, metric: Metric, arms: tuple[Arm, Arm]) -> list[str]:
    """Tell where shares rest on next to no units with the event, or without it."""
    if measured.clustered or not isinstance(metric, Proportion):
        return []
    events = [round(arm.estimate * arm.n) if arm.n else 0 for arm in arms]
    fewest = min(sum(events), int(sum(arm.n for arm in arms)) - sum(events))
    if not 0 < fewest < _FEW_EVENTS:
        return []
    which = "have" if fewest == sum(events) else "lack"
    return [f"{fewest} units {which} the event, below {_FEW_EVENTS}: intervals are wider than said"]


def _unequal(
    measured: Measured, metric: Metric, pair: tuple[str, str], arms: tuple[Arm, Arm]
) -> list[str]:
    """Tell where the smaller of two unequal arms is skewed."""
    (fewer, name), (more, _) = sorted(zip(arms, pair, strict=True), key=lambda each: each[0].n)
    skewness = measured.skewness(metric, name)
    if more.n < _UNEQUAL * fewer.n or not abs(skewness) >= 1:
        return []
    reason = f"{name} is the smaller variant and skewed ({skewness:.1f})"
    return [f"{reason}: an interval of 95 % that holds at every look may miss in 6 % of tests"]


def _lost_unevenly(rows: Sequence[int], lost: Sequence[int]) -> bool:
    shares = [Share(successes=gone, n=n) for gone, n in zip(lost, rows, strict=True)]
    return compare_proportions(*shares, test="score").difference.pvalue < 0.001
