"""Effects that differ: how far beyond their errors, and what each is worth given all others."""

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Floats = NDArray[np.float64]

BetweenMethod = Literal["paule-mandel", "dersimonian-laird"]
"""How the variance of true effects is estimated."""

_METHODS: Final = get_args(BetweenMethod)
_GRID: Final = 200  # values of the deviation between effects that are averaged over
_HALVINGS: Final = 40


def between_variance(
    values: Floats, errors: Floats, *, method: BetweenMethod = "paule-mandel"
) -> float:
    """Estimate the variance of true effects; 0 where their errors explain all, or below two.

    Parameters
    ----------
    values, errors : arrays of shape (n_effects,)
        Effects and their standard errors, above 0.
    method : {"paule-mandel", "dersimonian-laird"}
        The first makes the weighted squares what they should be, and is the less biased where
        effects differ much; the second is its first step.

    Raises
    ------
    ValueError
        Where the method is none.

    References
    ----------
    DerSimonian & Laird (1986), Controlled Clinical Trials 7(3). Paule & Mandel (1982), Journal of
    Research of the National Bureau of Standards 87(5).

    Examples
    --------
    >>> float(between_variance(np.array([0.0, 4.0]), np.array([1.0, 1.0])))
    7.0
    """
    if method not in _METHODS:
        raise ValueError(f"method must be one of {_METHODS}, got {method!r}.")
    n = len(values)
    if n < 2:
        return 0.0
    unit = float(errors.min())  # all is measured by the least error: any scale will do
    off, squares = (values - values[0]) / unit, (errors / unit) ** 2

    def excess(tau2: float) -> float:
        weights = 1 / (squares + tau2)
        mean = weights @ off / weights.sum()
        return float(weights @ (off - mean) ** 2) - (n - 1)

    if excess(0.0) <= 0:
        return 0.0
    if method == "dersimonian-laird":
        weights = 1 / squares
        found = excess(0.0) / float(weights.sum() - (weights @ weights) / weights.sum())
    else:
        most = float(((off - off.mean()) ** 2).sum()) + 1.0
        found = optimize.brentq(excess, 0.0, most, xtol=1e-12, rtol=1e-12)
    return float(found) * unit**2


def shrunken(values: Floats, errors: Floats, *, alpha: float = 0.05) -> Floats:
    """Give what each effect is worth when all are of one normal law.

    Neither the law's mean nor its deviation is taken as known: flat priors on both are averaged
    over, so that intervals cover where a plugged-in deviation (often 0) would not. Below three
    effects nothing is known of the deviation, and each is worth itself.

    Parameters
    ----------
    values, errors : arrays of shape (n_effects,)
        Effects and their standard errors, above 0.
    alpha : float
        1 less the chance that an interval holds.

    Returns
    -------
    array of shape (n_effects, 3)
        Mean, and both ends of the central interval of each.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, section 5.4: the normal model with unknown mean
    and deviation, by its marginal law.

    Examples
    --------
    >>> shrunken(np.array([0.0, 1.0, 2.0, 9.0]), np.full(4, 4.0))[:, 0].round(1).tolist()
    [1.5, 2.0, 2.5, 5.9]
    """
    n = len(values)
    if n < 3:
        reach = -special.ndtri(alpha / 2) * errors
        return np.column_stack([values, values - reach, values + reach])
    unit, origin = float(errors.min()), float(values[0])
    off, squares = (values - origin) / unit, (errors / unit) ** 2
    spots = (np.arange(_GRID) + 0.5) / _GRID
    scale = float(np.sqrt(np.median(squares))) + float(off.std())
    tau2 = (scale * spots / (1 - spots))[:, None] ** 2
    weights = 1 / (squares + tau2)
    total = weights.sum(axis=1)
    mean = (weights @ off) / total
    fit = (weights * (off - mean[:, None]) ** 2).sum(axis=1)
    logs = 0.5 * (np.log(weights).sum(axis=1) - np.log(total) - fit) - 2 * np.log1p(-spots)
    chances = np.exp(logs - logs.max())
    chances /= chances.sum()
    kept = tau2 * weights  # how far each effect keeps its own value
    centres = mean[:, None] + kept * (off - mean[:, None])
    spreads = np.sqrt(squares * kept + (1 - kept) ** 2 / total[:, None])
    ends = [_quantiles(centres, spreads, chances, tail) for tail in (alpha / 2, 1 - alpha / 2)]
    return origin + unit * np.column_stack([chances @ centres, *ends])


def _quantiles(centres: Floats, spreads: Floats, chances: Floats, tail: float) -> Floats:
    """Give a quantile of each column's mixture of normal laws."""
    steps = special.ndtri(tail) * spreads
    low, high = (centres + steps).min(axis=0), (centres + steps).max(axis=0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = chances @ special.ndtr((middle - centres) / spreads) >= tail
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray((low + high) / 2)
