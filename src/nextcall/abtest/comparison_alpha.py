"""At which alpha each of several treatments is planned, so that all together hold one."""

from collections.abc import Sequence
from math import exp, log, sqrt
from typing import Final, Literal, get_args

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from nextcall.abtest.effect import check_alpha
from nextcall.abtest.t_power import critical

Correction = Literal["dunnett", "bonferroni", "none"]
"""How several treatments share alpha."""

_CORRECTIONS: Final = get_args(Correction)


def comparison_alpha(
    alpha: float,
    ratios: Sequence[float],
    *,
    correction: Correction = "dunnett",
    two_sided: bool = True,
) -> float:
    """Give the alpha of each treatment's comparison with the one control.

    Parameters
    ----------
    alpha : float
        Chance that any of the treatments is found to differ where none does.
    ratios : sequence of float
        Units of each treatment for each of control, above 0.
    correction : {"dunnett", "bonferroni", "none"}
        Dunnett's knows that all share the control's error, by a normal law; Bonferroni's does not.

    Raises
    ------
    ValueError
        Where an argument is out of its range.

    References
    ----------
    Dunnett (1955), JASA 50(272).

    Examples
    --------
    >>> [round(comparison_alpha(0.05, [1.0] * 3, correction=each), 4)
    ...  for each in ("dunnett", "bonferroni")]
    [0.0188, 0.0167]
    """
    check_alpha(alpha)
    if correction not in _CORRECTIONS:
        raise ValueError(f"correction must be one of {_CORRECTIONS}, got {correction!r}.")
    if len(ratios) == 0 or not all(0 < ratio < np.inf for ratio in ratios):
        raise ValueError(f"ratios must be above 0 and finite, got {list(ratios)}.")
    if correction == "none" or len(ratios) == 1:
        return alpha
    if correction == "bonferroni":
        return alpha / len(ratios)
    low, high = log(alpha / len(ratios)), log(alpha)
    found = brentq(
        lambda each: _any_found(exp(each), ratios, two_sided=two_sided) - alpha, low, high
    )
    return exp(found)


def _any_found(alpha: float, ratios: Sequence[float], *, two_sided: bool) -> float:
    """Give the chance that any comparison at an alpha rejects, by an integral over control."""
    bound = critical(alpha / 2 if two_sided else alpha)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    places, inside = 12 * nodes, np.zeros(len(nodes))
    for ratio in ratios:
        lean, rest = sqrt(ratio / (1 + ratio)), sqrt(1 / (1 + ratio))
        out = ndtr((lean * places - bound) / rest)
        if two_sided:
            out = out + ndtr((-lean * places - bound) / rest)
        inside += np.log1p(-np.minimum(out, 1 - 1e-16))
    density = 12 * np.exp(-(places**2) / 2) / sqrt(2 * np.pi)
    return float(weights * density @ -np.expm1(inside))
