"""Many variants against one control: Dunnett's test and simultaneous intervals, by quadrature."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf, log, log1p, nan, pi, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from nextcall.abtest.effect import Alternative, Arm, Effect, check_alpha, check_alternative

Floats = NDArray[np.float64]

_NODES: Final = 16  # of a panel two deviations wide: exact to rounding
_FAR: Final = 40.0  # standard deviations: a normal law holds less than 1e-300 beyond
_TURN: Final = np.arange(-40.0, 12.0, 2.0)  # where a treatment's part falls, in its deviations
_WIDE: Final = 0.5  # a part that falls as slowly needs no panels of its own
_NEVER: Final = -780.0  # the logarithm of no float
_SEEN: Final = 45.0  # what is below exp(-45) of the largest part adds nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyToOne:
    """Each treatment against the same control.

    Parameters
    ----------
    effects : tuple of Effect
        Treatment minus control, in the order that was given; p-values are adjusted, and all
        intervals hold together with chance 1 - alpha.
    critical : float
        How many standard errors the intervals reach; ``nan`` where no test can be made.
    sd : float
        Pooled standard deviation of a unit.
    dof : float
        Its degrees of freedom.
    """

    effects: tuple[Effect, ...]
    critical: float
    sd: float
    dof: float


def dunnett(
    control: Arm,
    treatments: Sequence[Arm],
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> ManyToOne:
    """Compare many means with one control's; one variance is held to be common to all arms.

    The chance that any treatment is wrongly found different is `alpha`, for as many treatments as
    there are. Sharper than Holm's adjustment, for it knows that all share the control. Answers have
    9 digits, and no randomness.

    Parameters
    ----------
    treatments : sequence of Arm
        At least one.

    Returns
    -------
    ManyToOne
        P-values are ``nan`` where no arm varies, or no arm has two units.

    Raises
    ------
    ValueError
        Where an option is out of its range, or an arm has no unit.

    References
    ----------
    Dunnett (1955), JASA 50(272); unequal sizes as in Dunnett (1964), Biometrics 20(3).

    Examples
    --------
    >>> a = Arm(n=50, estimate=10.0, variance=4.0)
    >>> others = [Arm(n=50, estimate=10.9, variance=4.0), Arm(n=50, estimate=11.1, variance=4.0)]
    >>> [round(effect.pvalue, 4) for effect in dunnett(a, others).effects]
    [0.048, 0.0128]
    """
    alpha, alternative = check_alpha(alpha), check_alternative(alternative)
    if len(treatments) == 0:
        raise ValueError("treatments must hold at least one arm, got 0.")
    arms = (control, *treatments)
    for arm in arms:
        if not arm.n >= 1:
            raise ValueError(f"n of each arm must be at least 1, got {arm.n}.")
    dof = sum(arm.n - 1 for arm in arms)
    within = sum((arm.n - 1) * arm.variance for arm in arms if arm.n > 1)
    sd = sqrt(within / dof) if dof > 0 else nan
    errors = [sd * sqrt(1 / control.n + 1 / arm.n) for arm in treatments]
    values = [float(arm.estimate - control.estimate) for arm in treatments]
    if not 0 < sd < inf:
        reach = 0.0 if sd == 0 else inf
        effects = [
            _effect(value, error, dof, reach, nan, alternative)
            for value, error in zip(values, errors, strict=True)
        ]
        return ManyToOne(effects=tuple(effects), critical=nan, sd=sd, dof=dof)
    law = Largest(
        dof=dof,
        sizes=Counter(arm.n / control.n for arm in treatments),
        two_sided=alternative == "two-sided",
    )
    critical = law.critical(alpha)
    sign = -1.0 if alternative == "less" else 1.0
    effects = [
        _effect(value, error, dof, critical * error, law.beyond(sign * value / error), alternative)
        for value, error in zip(values, errors, strict=True)
    ]
    return ManyToOne(effects=tuple(effects), critical=critical, sd=sd, dof=dof)


@dataclass(frozen=True, slots=True, kw_only=True)
class Largest:
    """The largest of the treatments' t statistics, which share control and standard deviation.

    Parameters
    ----------
    dof : float
        Of the standard deviation.
    sizes : mapping of float to int
        Control's squared error over a treatment's (units over control's units, where all vary
        alike), and how many treatments have it.
    two_sided : bool
        Whether the sizes of the statistics count.
    """

    dof: float
    sizes: Mapping[float, int]
    two_sided: bool

    def critical(self, alpha: float) -> float:
        """Give the value that is exceeded with chance `alpha`."""
        share = alpha / 2 if self.two_sided else alpha
        # Of one treatment alone, and by Bonferroni for all: one is too small, one too large.
        low = -float(special.stdtrit(self.dof, share))
        high = -float(special.stdtrit(self.dof, share / sum(self.sizes.values())))
        if low == high:
            return low

        def off(value: float) -> float:
            return log(self.beyond(value) / alpha)

        return float(optimize.brentq(off, low - 1e-9, high + 1e-9, xtol=1e-12))

    def beyond(self, value: float) -> float:
        """Give the chance that the statistic, or its size, is at least this; small ones too.

        Given the pooled standard deviation over the true one, it is a chance of normal variables;
        that is averaged over the law of the standard deviation, in its logarithm.
        """
        value = abs(value) if self.two_sided else value
        middle = (special.digamma(self.dof / 2) + log(2 / self.dof)) / 2
        spread = sqrt(special.polygamma(1, self.dof / 2)) / 2
        # A far value is most often reached where the standard deviation came out small: at `low`.
        low = -log1p(max(value, 0.0) ** 2 / self.dof) / 2
        if low * self.dof < _NEVER:
            return 0.0
        borders = np.arange(low - _FAR * spread, middle + _FAR * spread, 2 * spread)
        places, weights = _panels(borders)
        logs = self.dof * (places - special.expm1(2 * places) / 2)
        scale = np.exp(places)
        part = logs + special.log_ndtr(-value * scale)
        seen = part > part.max() - _SEEN
        chances = self._beyond_known(value * scale[seen])
        whole = logs.max()
        top = (weights[seen] * np.exp(logs[seen] - whole)) @ chances
        return min(float(top / (weights @ np.exp(logs - whole))), 1.0)

    def _beyond_known(self, values: Floats) -> Floats:
        """Give the chance for normal variables, by an integral over control's error."""
        start = 0.0 if self.two_sided else -_FAR  # two-sided, both halves are alike
        base = np.arange(start, _FAR + 2, 2)
        edges = [np.broadcast_to(base, (len(values), len(base)))]
        for lean, rest in map(_loading, self.sizes):
            if rest < _WIDE * lean:
                edges.append(values[:, None] / lean + rest / lean * _TURN)
        borders = np.clip(np.sort(np.concatenate(edges, axis=1), axis=1), start, _FAR)
        places, weights = _panels(borders)
        inside = np.zeros_like(places)  # log of the chance that no treatment is beyond
        for size, count in self.sizes.items():
            lean, rest = _loading(size)
            out = special.ndtr((lean * places - values[:, None]) / rest)
            if self.two_sided:
                out = out + special.ndtr((-lean * places - values[:, None]) / rest)
            with np.errstate(divide="ignore"):  # one is surely beyond
                inside += count * np.log1p(-np.minimum(out, 1.0))
        density = np.exp(-(places**2) / 2) / sqrt(pi / 2 if self.two_sided else 2 * pi)
        return np.asarray(np.sum(weights * density * -np.expm1(inside), axis=1))


def _loading(size: float) -> tuple[float, float]:
    """Give how much of a treatment's statistic is control's error, and how much its own."""
    return sqrt(size / (1 + size)), sqrt(1 / (1 + size))


def _panels(borders: Floats) -> tuple[Floats, Floats]:
    """Give places and weights of an integral over panels, which lie along the last axis."""
    nodes, weights = _rule()
    half = np.diff(borders, axis=-1)[..., None] / 2
    places = borders[..., :-1, None] + half * (1 + nodes)
    shape = (*borders.shape[:-1], -1)
    return places.reshape(shape), (half * weights).reshape(shape)


@cache
def _rule() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return nodes, weights


def _effect(
    value: float,
    error: float,
    dof: float,
    reach: float,
    pvalue: float,
    alternative: Alternative,
) -> Effect:
    return Effect(
        value=value,
        se=error,
        dof=dof,
        ci_lower=-inf if alternative == "less" else value - reach,
        ci_upper=inf if alternative == "greater" else value + reach,
        pvalue=pvalue,
    )
