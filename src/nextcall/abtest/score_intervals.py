"""Score tests of two shares for any difference or ratio, and the intervals they leave standing."""

from collections.abc import Callable
from math import exp, inf, isinf, log, nan, nextafter, sqrt

from scipy import optimize

from nextcall.abtest.effect import Alternative, check_alternative
from nextcall.abtest.shares import Share, critical_z, exact_difference

_SMALLEST = 1e-200  # a step off the estimate where the variance is 0 there; its square is no number
_FARTHEST = 300.0  # of a log ratio: squares of its exponential are numbers still
_DIGITS = 4 * 2.3e-16  # the least relative tolerance that the root finder takes


def score_statistic(control: Share, treatment: Share, *, null: float = 0.0) -> float:
    """Give the score statistic of treatment minus control being `null`.

    The variance is taken at the shares that are likeliest among those with this difference, and
    inflated by N / (N - 1), N the units of both arms. At `null` 0 it is the pooled z but for
    that factor.

    Parameters
    ----------
    null : float
        Between -1 and 1, without these.

    Returns
    -------
    float
        ``nan`` where all units of both arms had the event, or none, and `null` is 0.

    Raises
    ------
    ValueError
        Where `null` is out of its range.

    References
    ----------
    Miettinen & Nurminen (1985), Statistics in Medicine 4(2); Mee (1984) is without the factor.

    Examples
    --------
    >>> round(score_statistic(Share(successes=120, n=1000), Share(successes=150, n=1010)), 4)
    1.874
    """
    if not -1 < null < 1:
        raise ValueError(f"null must lie between -1 and 1, got {null}.")
    off = exact_difference(control, treatment) - null
    variance = _difference_variance(control, treatment, null)
    return off / sqrt(variance) if variance > 0 else nan


def score_difference(
    control: Share, treatment: Share, *, alpha: float = 0.05, alternative: Alternative = "two-sided"
) -> tuple[float, float]:
    """Give the differences, treatment minus control, that the score test does not reject.

    It contains 0 exactly where `score_ratio`'s contains 1, and where the score test of no
    difference has a p-value of at least `alpha`.

    Returns
    -------
    tuple of float
        Within [-1, 1]; the open side of a one-sided interval is infinite.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Miettinen & Nurminen (1985), Statistics in Medicine 4(2).

    Examples
    --------
    >>> low, high = score_difference(Share(successes=120, n=1000), Share(successes=150, n=1010))
    >>> round(low, 5), round(high, 5)
    (-0.00131, 0.05845)
    """
    alternative = check_alternative(alternative)
    z = critical_z(alpha, alternative)
    low = -inf if alternative == "less" else _difference_bound(control, treatment, z, -1.0)
    high = inf if alternative == "greater" else _difference_bound(control, treatment, z, 1.0)
    return low, high


def score_ratio(
    control: Share, treatment: Share, *, alpha: float = 0.05, alternative: Alternative = "two-sided"
) -> tuple[float, float]:
    """Give the ratios, treatment to control, that the score test does not reject.

    Returns
    -------
    tuple of float
        Within [0, inf]; from 0 where treatment had no success, to infinity where control had none.

    Raises
    ------
    ValueError
        Where an option is out of its range.

    References
    ----------
    Koopman (1984), Biometrics 40(2); with the factor of Miettinen & Nurminen (1985).

    Examples
    --------
    >>> low, high = score_ratio(Share(successes=120, n=1000), Share(successes=150, n=1010))
    >>> round(low, 4), round(high, 4)
    (0.9903, 1.5475)
    """
    alternative = check_alternative(alternative)
    z = critical_z(alpha, alternative)
    low = 0.0 if alternative == "less" else _ratio_bound(control, treatment, z, -_FARTHEST)
    high = inf if alternative == "greater" else _ratio_bound(control, treatment, z, _FARTHEST)
    return low, high


def _difference_bound(control: Share, treatment: Share, z: float, end: float) -> float:
    """Give the difference at which the statistic reaches z, on the way from the estimate."""
    estimate = exact_difference(control, treatment)
    if z <= 0:  # the bound lies on the other side of the estimate
        z, end = -z, -end
    if estimate == end or z == 0:
        return estimate
    sign = 1.0 if end > estimate else -1.0

    def beyond(null: float) -> float:
        return sign * (null - estimate) - z * sqrt(_difference_variance(control, treatment, null))

    start = nextafter(estimate, end) if estimate else sign * _SMALLEST
    return _root(beyond, start, end)


def _root(function: Callable[[float], float], start: float, end: float) -> float:
    if function(start) >= 0:  # an interval narrower than floats lie apart
        return start
    return float(optimize.brentq(function, start, end, xtol=1e-300, rtol=_DIGITS, maxiter=2000))


def _difference_variance(control: Share, treatment: Share, null: float) -> float:
    """Give the variance of the difference at the likeliest shares that differ by `null`."""
    low, high = (control, treatment) if null >= 0 else (treatment, control)
    step, total = abs(null), low.n + high.n
    p, q = _lower_share(low, high, step)  # of the lower arm, and what the higher one lacks to 1
    variance = p * (q + step) / low.n + (p + step) * q / high.n
    return variance * (total / (total - 1))


def _lower_share(low: Share, high: Share, step: float) -> tuple[float, float]:
    """Give the likeliest share of the lower arm, `step` below the other, and 1 less the other's.

    The slope of the likelihood falls; its root is sought from the nearer end, so that small shares
    (and small lacks) keep their digits.
    """
    if step == 0:
        total = low.n + high.n
        return (low.successes + high.successes) / total, (low.failures + high.failures) / total
    room = 1 - step
    if room == 0:
        return 0.0, 0.0
    counts = (low.successes, high.successes, low.failures, high.failures)
    if _slope(room / 2, counts, step) <= 0:
        near = _nearest(counts, step)
        return near, room - near
    near = _nearest((high.failures, low.failures, high.successes, low.successes), step)
    return room - near, near


def _slope(share: float, counts: tuple[int, int, int, int], step: float) -> float:
    """Give the slope of the log likelihood, times the share."""
    low, high, low_rest, high_rest = counts
    room = 1 - step - share
    falls = low_rest / (room + step) + (high_rest / room if high_rest else 0.0)
    return low + share * (high / (share + step) - falls)


def _nearest(counts: tuple[int, int, int, int], step: float) -> float:
    half = (1 - step) / 2
    start = min(_SMALLEST, half)
    if _slope(start, counts, step) <= 0:  # the likelihood falls from 0 on
        return 0.0
    if _slope(half, counts, step) >= 0:
        return half
    found = optimize.brentq(
        lambda share: _slope(share, counts, step), start, half, xtol=1e-300, rtol=_DIGITS
    )
    return float(found)


def _ratio_bound(control: Share, treatment: Share, z: float, end: float) -> float:
    """Give the ratio at which the statistic reaches z; the search is in logarithms."""
    if z <= 0:
        z, end = -z, -end
    if control.successes == 0 and treatment.successes == 0:
        return 0.0 if end < 0 else inf
    top, bottom = treatment.successes * control.n, control.successes * treatment.n
    start = -inf if top == 0 else inf if bottom == 0 else log(top / bottom)
    if z == 0 or (isinf(start) and (start < 0) == (end < 0)):
        return exp(start)
    sign = 1.0 if end > 0 else -1.0

    def beyond(exponent: float) -> float:
        ratio = exp(exponent)
        off = (top / ratio - bottom) / (control.n * treatment.n)
        variance = _ratio_variance(control, treatment, ratio)
        return -sign * off - z * sqrt(variance)

    start = nextafter(start, end) if start else sign * 1e-15  # the next float from a ratio of 1
    return exp(_root(beyond, min(max(start, -_FARTHEST), _FARTHEST), end))


def _ratio_variance(control: Share, treatment: Share, ratio: float) -> float:
    """Give that of treatment / ratio - control at the likeliest shares with this ratio.

    The quadratic of Miettinen & Nurminen, with its discriminant as a sum of squares, so that no
    digits are lost where both shares are near 1.
    """
    successes, total = control.successes + treatment.successes, control.n + treatment.n
    fails, treated = control.failures, treatment.failures
    lean = successes * (ratio - 1) + treated * ratio - fails
    product = 4 * treated * fails * ratio
    root = sqrt(lean * lean + product)
    more = lean + root if lean >= 0 else product / (root - lean)
    less = root - lean if lean <= 0 else product / (lean + root)
    p = 2 * successes / (successes * (ratio + 1) + treated * ratio + fails + root)
    q_control = (more + 2 * fails * ratio) / (2 * total * ratio)
    q_treatment = (2 * treated + less) / (2 * total)
    variance = p * q_treatment / ratio / treatment.n + p * q_control / control.n
    return variance * (total / (total - 1))
