"""What another ranker would have earned, from clicks on the lists of the one that was shown."""

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextcall.abtest.effect import effect_of
from nextcall.abtest.logged_actions import finite
from nextcall.abtest.means import ratio_arm
from nextcall.abtest.moments import Moments
from nextcall.abtest.off_policy import PolicyValue
from nextcall.abtest.overlap import overlap

Dependence = Literal["place", "above", "list"]
"""What the click at a place depends on: its item alone, the items down to it, or the whole list."""

_DEPENDENCES: Final = get_args(Dependence)


def ranking_weights(
    target: ArrayLike, logging: ArrayLike, *, dependence: Dependence = "above"
) -> NDArray[np.float64]:
    """Weigh the places of logged lists by how likely the other policy would have shown the same.

    The fewer items a click is held to depend on, the less the weights vary; where it depends on
    more, the value is biased.

    Parameters
    ----------
    target, logging : array-like of shape (n_lists, n_places)
        Chance of the item that was shown at each place, under the policy that is evaluated and the
        one that was logged: given the items above it for "above" and "list", of the item at that
        place whatever stands above for "place".
    dependence : {"place", "above", "list"}
        The independent, the cascade, and the standard estimator.

    Returns
    -------
    array of shape (n_lists, n_places)

    Raises
    ------
    ValueError
        Where a chance is out of its range or the shapes differ.

    References
    ----------
    Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay & Wen (2018), KDD: by place; McInerney, Brost,
    Chandar, Mehrotra & Carterette (2020), KDD: the cascade.

    Examples
    --------
    >>> ranking_weights([[0.5, 0.2]], [[0.25, 0.4]], dependence="above").tolist()
    [[2.0, 1.0]]
    >>> ranking_weights([[0.5, 0.2]], [[0.25, 0.4]], dependence="place").tolist()
    [[2.0, 0.5]]
    """
    if dependence not in _DEPENDENCES:
        raise ValueError(f"dependence must be one of {_DEPENDENCES}, got {dependence!r}.")
    wanted = _matrix("target", target)
    had = finite("logging", logging, wanted.shape)
    if not ((wanted >= 0) & (wanted <= 1)).all():
        raise ValueError(f"target must lie in [0, 1], got {wanted.min()} to {wanted.max()}.")
    if not ((had > 0) & (had <= 1)).all():
        raise ValueError(f"logging must lie above 0, up to 1, got {had.min()} to {had.max()}.")
    ratios: NDArray[np.float64] = wanted / had
    if dependence == "place":
        return ratios
    down: NDArray[np.float64] = np.multiply.accumulate(ratios, axis=1)
    return down if dependence == "above" else np.repeat(down[:, -1:], down.shape[1], axis=1)


def examination_weights(ranks: ArrayLike, examination: ArrayLike) -> NDArray[np.float64]:
    """Weigh the places of logged lists by where the other ranker would have put the same items.

    For rankers that draw nothing: under the position-biased model a click needs a look, and an
    item that another ranker puts where users look twice as often is clicked twice as often. What
    the logged ranker did not show cannot be weighed: of rankers that show other items the value
    is too low.

    Parameters
    ----------
    ranks : array-like of int, shape (n_lists, n_places)
        Of the item shown at each place, by the ranker that is evaluated, from 1; 0, or beyond the
        places, where it would not show it.
    examination : array-like of shape (n_places,)
        Chance that a place is looked at, in (0, 1].

    Returns
    -------
    array of shape (n_lists, n_places)

    Raises
    ------
    ValueError
        Where an argument is out of its range.

    References
    ----------
    Joachims, Swaminathan & Schnabel (2017), WSDM.

    Examples
    --------
    >>> examination_weights([[2, 1, 0]], [1.0, 0.5, 0.25]).tolist()
    [[0.5, 2.0, 0.0]]
    """
    places = _matrix("ranks", ranks)
    looked = finite("examination", examination, places.shape[1:])
    if not ((looked > 0) & (looked <= 1)).all():
        raise ValueError("examination must lie above 0, up to 1.")
    if not ((places >= 0) & (places == np.floor(places))).all():
        raise ValueError("ranks must be whole numbers, at least 0.")
    reach = np.concatenate([[0.0], looked, [0.0]])
    weights: NDArray[np.float64] = (
        reach[np.minimum(places, len(looked) + 1).astype(np.intp)] / looked
    )
    return weights


def evaluate_ranking_policy(
    rewards: ArrayLike,
    weights: ArrayLike,
    *,
    users: ArrayLike | None = None,
    alpha: float = 0.05,
    of_chances: bool = True,
) -> PolicyValue:
    """Estimate the mean reward of a list that another ranker would have shown.

    Parameters
    ----------
    rewards : array-like of shape (n_lists, n_places)
        Such as clicks.
    weights : array-like of shape (n_lists, n_places)
        From `ranking_weights` or `examination_weights`.
    users : array-like of shape (n_lists,), optional
        Whose list it was: the error is then over users.
    alpha : float
        One less the level of the two-sided t interval.
    of_chances : bool
        Whether the weights come from `ranking_weights`, so that their mean should be 1; say no
        to those of `examination_weights`.

    Returns
    -------
    PolicyValue
        Its overlap is that of the place where weights vary most.

    Raises
    ------
    ValueError
        Where a value is not finite or shapes differ.

    Examples
    --------
    >>> found = evaluate_ranking_policy([[1, 0], [0, 1], [1, 1]], [[1.0, 2.0]] * 3)
    >>> round(found.value, 3)
    2.0
    """
    earned = _matrix("rewards", rewards)
    each = finite("weights", weights, earned.shape)
    parts = (earned * each).sum(axis=1)
    pairs = np.column_stack([parts, np.ones(len(parts))])
    if users is not None:
        if np.shape(users) != (len(parts),):
            raise ValueError(f"users must have shape ({len(parts)},), got {np.shape(users)}.")
        _, unit = np.unique(np.asarray(users), return_inverse=True)
        pairs = np.column_stack([np.bincount(unit, weights=parts), np.bincount(unit)])
    arm = ratio_arm(Moments.of(pairs))
    found = effect_of(arm.estimate, arm.se, dof=arm.n - 1 if arm.n > 1 else np.nan, alpha=alpha)
    seen = [overlap(column, of_chances=of_chances) for column in each.T]
    worst = min(seen, key=lambda one: one.effective_size if one.max_weight > 0 else 0.0)
    return PolicyValue(
        method="ips",
        value=arm.estimate,
        se=arm.se,
        ci_lower=found.ci_lower,
        ci_upper=found.ci_upper,
        overlap=worst,
        warnings=worst.warnings,
    )


def _matrix(name: str, values: ArrayLike) -> NDArray[np.float64]:
    rows = finite(name, values)
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(f"{name} must have shape (n_lists, n_places), got {rows.shape}.")
    return rows
