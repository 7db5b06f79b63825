"""What is believed of each comparison after the data: chance to win, expected losses, ROPE."""

from dataclasses import dataclass

from nextcall.abtest.bayes import NormalPrior, Posterior, compare_normal, compare_shares
from nextcall.abtest.beta_chances import Beta
from nextcall.abtest.comparison import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Beliefs:
    """What is believed before the data, and which effects make no difference; as `posterior_of`."""

    prior: NormalPrior | None = None
    shares: Beta | None = None
    rope: float | None = None


def posterior_of(
    comparison: Comparison,
    *,
    alpha: float = 0.05,
    prior: NormalPrior | None = None,
    shares: Beta | None = None,
    rope: float | None = None,
) -> Posterior:
    """Give the posterior of the difference: Beta-Binomial for proportions, else normal.

    A proportion whose units have several rows, or strata, counts as a mean.

    Parameters
    ----------
    alpha : float
        The credible interval holds 1 - alpha.
    prior : NormalPrior, optional
        Of the effect on a mean; flat where it is not given.
    shares : Beta, optional
        Of either proportion; uniform where it is not given.
    rope : float, optional
        Effects up to this share of control, either way, make no difference in practice; that of
        the aim's equivalence where it is not given, else the chance of it is ``nan``.

    Raises
    ------
    ValueError
        Where the rope is not above 0.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from nextcall.abtest.analysis import analyze
    >>> from nextcall.abtest.metrics import Proportion
    >>> bought = np.repeat([1, 0, 1, 0], [120, 880, 150, 860])
    >>> rows = pd.DataFrame({"variant": np.repeat(["A", "B"], [1000, 1010]), "bought": bought})
    >>> (each,) = analyze(rows, control="A", metrics=[Proportion("bought")]).comparisons
    >>> round(posterior_of(each).chance_to_win, 6)
    0.969426
    """
    if rope is not None and not rope > 0:
        raise ValueError(f"rope must be above 0, got {rope}.")
    share = comparison.aim.equivalence if rope is None else rope
    half = abs(comparison.control_estimate) * (share or 0.0)
    around = (-half, half) if half > 0 else None
    better = comparison.aim.better
    if comparison.test in {"score", "boschloo", "fisher"}:
        return compare_shares(
            *comparison.shares, prior=shares, alpha=alpha, better=better, rope=around
        ).difference
    return compare_normal(
        *comparison.arms, prior=prior, alpha=alpha, better=better, rope=around
    ).absolute
