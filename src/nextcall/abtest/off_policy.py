"""What another policy would have earned, from the log of the one that chose."""

from dataclasses import dataclass
from math import isnan, log, nan, sqrt
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextcall.abtest.effect import check_alpha, effect_of
from nextcall.abtest.logged_actions import LoggedActions, finite
from nextcall.abtest.means import ratio_arm
from nextcall.abtest.moments import Moments
from nextcall.abtest.overlap import Overlap, overlap

Method = Literal["ips", "snips", "dm", "dr", "sndr", "switch_dr"]
"""Inverse propensity score, self-normalised; direct method; doubly robust and two kin of it."""

_METHODS: Final = get_args(Method)
# Units for each squared skewness below which a t interval of 95 % misses 0.005 more: it misses
# 0.247 skewness^2 / n (Hall 1992, The Bootstrap and Edgeworth Expansion).
_SKEWED: Final = 50.0
_SLACK: Final = 1e-6  # of a bound, for rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyValue:
    """Mean reward that the other policy would have earned.

    Parameters
    ----------
    method : str
    value : float
        In the unit of the reward, a row.
    se : float
        Standard error; of "dm" without the model's own error.
    ci_lower, ci_upper : float
    overlap : Overlap
        Whether the log says enough about the policy.
    warnings : tuple of str
        Why the interval may not hold; empty where nothing speaks against it.
    """

    method: Method
    value: float
    se: float
    ci_lower: float
    ci_upper: float
    overlap: Overlap
    warnings: tuple[str, ...]


def evaluate_policy(
    logged: LoggedActions,
    *,
    method: Method = "dr",
    alpha: float = 0.05,
    clip: float | None = None,
    switch: float = 5.0,
    bounds: tuple[float, float] | None = None,
    weight_bound: float | None = None,
) -> PolicyValue:
    """Estimate the mean reward of a policy that did not choose.

    A weight is the policy's chance of the action over the logging policy's. Each row's value is,
    with weight w, reward r, the model's predictions q(a) and their mean m under the policy:
    "ips" w r; "dm" m; "dr" m + w (r - q(a)); "switch_dr" the same with w = 0 above `switch`;
    "snips" and "sndr" divide the sums of w r and w (r - q(a)) by the sum of weights.

    Parameters
    ----------
    logged : LoggedActions
    method : {"ips", "snips", "dm", "dr", "sndr", "switch_dr"}
    alpha : float
        One less the level of the two-sided interval.
    clip : float, optional
        Above 0: weights are cut here, for less variance and some bias (downward with "ips" and
        rewards that are never negative).
    switch : float
        Above 0; of "switch_dr" alone.
    bounds : tuple of float, optional
        Least and greatest reward. With it and a bound of the weights (`clip`, `weight_bound`, or
        `switch`) the interval is the empirical Bernstein one, which holds at any number of
        rows; otherwise it is a t interval, which needs many. Not for self-normalised methods,
        nor with users.
    weight_bound : float, optional
        What no weight can exceed, by the design of both policies; not the greatest one seen.

    Returns
    -------
    PolicyValue

    Raises
    ------
    ValueError
        Where an argument is out of its range, or the method needs what the log has not.

    References
    ----------
    Dudik, Erhan, Langford & Li (2014), Statistical Science 29(4): doubly robust; Swaminathan &
    Joachims (2015), NeurIPS: self-normalised; Wang, Agarwal & Dudik (2017), ICML: switch; Maurer
    & Pontil (2009), COLT: empirical Bernstein.

    Examples
    --------
    >>> logged = LoggedActions(action=[0, 1, 0, 1], reward=[1.0, 0.0, 1.0, 1.0],
    ...                        propensity=[0.5] * 4, target=[[0.8, 0.2]] * 4)
    >>> found = evaluate_policy(logged, method="ips")
    >>> round(found.value, 3), round(found.overlap.effective_size, 3)
    (0.9, 2.941)
    """
    check_alpha(alpha)
    if method not in _METHODS:
        raise ValueError(f"method must be one of {_METHODS}, got {method!r}.")
    for name, value in (("clip", clip), ("switch", switch), ("weight_bound", weight_bound)):
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be above 0, got {value}.")
    plain, model, gain, used = _pieces(logged, method, clip=clip, switch=switch)
    diagnosis = overlap(plain, changed=int((used != plain).sum()) if method != "dm" else 0)
    value, parts = (
        _normalised(model, gain, used)
        if method in {"snips", "sndr"}
        else (float(Moments.of(model + gain).mean[0]), model + gain)
    )
    se, dof, skewness = _error(parts, logged.users)
    interval = effect_of(value, se, dof=dof, alpha=alpha)
    low, high = interval.ci_lower, interval.ci_upper
    if bounds is not None:
        most = [each for each in (clip, weight_bound) if each is not None]
        most += [switch] if method == "switch_dr" else []
        least, greatest = _range_of_parts(logged, method, bounds, min(most, default=np.inf))
        low, high = bernstein_interval(parts, low=least, high=greatest, alpha=alpha)
    if weight_bound is not None and diagnosis.max_weight > weight_bound * (1 + _SLACK):
        raise ValueError(
            f"weight_bound must bound the weights, got {weight_bound} and one of "
            f"{diagnosis.max_weight}."
        )
    return PolicyValue(
        method=method,
        value=value,
        se=se,
        ci_lower=low,
        ci_upper=high,
        overlap=diagnosis,
        warnings=(
            *_warnings(method, diagnosis, clip=clip, se=se),
            *(_skewed(skewness, dof + 1) if bounds is None else ()),
        ),
    )


def bernstein_interval(
    values: ArrayLike, *, low: float, high: float, alpha: float = 0.05
) -> tuple[float, float]:
    """Give an interval of a mean that holds at any number of independent, bounded values.

    It is wide where values are few, and close to the normal one where they are many beside
    ``high - low`` over their standard deviation. Cut to [low, high]; unbounded knowledge
    needs two values: with one it is all of [low, high].

    Parameters
    ----------
    values : array-like of shape (n,)
        In [low, high].
    low, high : float
        Known before the values were seen.
    alpha : float
        One less the level.

    Raises
    ------
    ValueError
        Where a value is out of its range.

    References
    ----------
    Maurer & Pontil (2009), COLT, theorem 4, once for either side.

    Examples
    --------
    >>> values = np.tile([0.0, 1.0], 500)
    >>> low, high = bernstein_interval(values, low=0.0, high=1.0)
    >>> round(low, 3), round(high, 3)
    (0.443, 0.557)
    """
    check_alpha(alpha)
    each = finite("values", values)
    if each.ndim != 1 or len(each) == 0:
        raise ValueError(f"values must have one dimension and a value, got {each.shape}.")
    slack = _SLACK * (high - low)
    if not (each.min() >= low - slack and each.max() <= high + slack):
        raise ValueError(f"values must lie in [{low}, {high}], got {each.min()} to {each.max()}.")
    if len(each) == 1:
        return low, high
    moments = Moments.of(each)
    doubt = log(4 / alpha)
    reach = sqrt(2 * float(moments.covariance()[0, 0]) * doubt / len(each))
    reach += 7 * (high - low) * doubt / (3 * (len(each) - 1))
    mean = float(moments.mean[0])
    return max(low, mean - reach), min(high, mean + reach)


def _pieces(
    logged: LoggedActions, method: Method, *, clip: float | None, switch: float
) -> tuple[NDArray[np.float64], ...]:
    """Give weights, the model's means, weighted residuals, and the weights that made them."""
    rows = np.arange(len(logged.reward))
    plain = logged.target[rows, logged.action] / logged.propensity
    used = np.minimum(plain, np.inf if clip is None else clip)
    if method == "switch_dr":
        used = np.where(plain <= switch, used, 0.0)
    if method in {"ips", "snips"}:
        return plain, np.zeros(len(rows)), used * logged.reward, used
    if logged.predicted is None:
        raise ValueError(f"method {method!r} needs predicted rewards, and the log has none.")
    model = (logged.target * logged.predicted).sum(axis=1)
    if method == "dm":
        return plain, model, np.zeros(len(rows)), plain
    return plain, model, used * (logged.reward - logged.predicted[rows, logged.action]), used


def _normalised(
    model: NDArray[np.float64], gain: NDArray[np.float64], used: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Give the value and, for its error, each row's part in it."""
    scale = float(used.mean())
    if scale == 0:
        return nan, np.zeros(len(used))
    ratio = float(gain.mean()) / scale
    value = float(model.mean()) + ratio
    return value, model + ratio + (gain - ratio * used) / scale


def _error(parts: NDArray[np.float64], users: NDArray[Any] | None) -> tuple[float, float, float]:
    """Give standard error of the mean of rows, freedom, skewness; over users if there are any."""
    if users is None:
        pairs = np.column_stack([parts, np.ones(len(parts))])
    else:
        _, unit = np.unique(users, return_inverse=True)
        pairs = np.column_stack([np.bincount(unit, weights=parts), np.bincount(unit)])
    arm = ratio_arm(Moments.of(pairs))
    skewness = Moments.of(pairs[:, 0] - arm.estimate * pairs[:, 1]).skewness
    return arm.se, arm.n - 1 if arm.n > 1 else nan, skewness


def _skewed(skewness: float, n: float) -> tuple[str, ...]:
    """Tell where few large products of weight and reward make a t interval miss."""
    if not n < _SKEWED * skewness**2:
        return ()
    needed = f"{_SKEWED * skewness**2:.0f} at which the interval holds"
    return (f"Weighted rewards are skewed ({skewness:.1f}): {n:g} are fewer than the {needed}.",)


def _range_of_parts(
    logged: LoggedActions, method: Method, bounds: tuple[float, float], reach: float
) -> tuple[float, float]:
    """Give the least and the greatest that a row's part in the value can be."""
    least, most = bounds
    if not least < most:
        raise ValueError(f"bounds must rise, got {bounds}.")
    if method in {"snips", "sndr"} or logged.users is not None:
        raise ValueError("bounds need independent rows and a method that is not self-normalised.")
    if method == "ips":
        least, most = min(0.0, reach * least), max(0.0, reach * most)
    else:
        predicted = np.asarray(logged.predicted)
        if not (predicted.min() >= least and predicted.max() <= most):
            raise ValueError(f"predicted must lie within bounds {bounds}, as rewards do.")
        span = 0.0 if method == "dm" else reach * (most - least)
        least, most = least - span, most + span
    if not (logged.reward.min() >= bounds[0] and logged.reward.max() <= bounds[1]):
        raise ValueError(f"reward must lie within bounds {bounds}.")
    if np.isinf(least) or np.isinf(most):
        raise ValueError("bounds need a bound of the weights too: clip or weight_bound.")
    return least, most


def _warnings(
    method: Method, diagnosis: Overlap, *, clip: float | None, se: float
) -> tuple[str, ...]:
    found = [] if method == "dm" else list(diagnosis.warnings)
    if method == "dm":
        found.append("The interval holds the chance of the rows alone, not the model's own error.")
    if clip is not None and method != "switch_dr" and diagnosis.changed_share > 0:
        found.append(
            f"{diagnosis.changed_share:.1%} of the weights were cut at {clip:g}: the value is "
            "biased."
        )
    if method == "switch_dr" and diagnosis.changed_share > 0:
        found.append(
            f"{diagnosis.changed_share:.1%} of the rows lean on the model alone, whose error the "
            "interval does not hold."
        )
    if isnan(se) or se == 0:
        found.append("There is no error to be had: one unit, or all alike.")
    return tuple(found)
