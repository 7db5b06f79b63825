"""What a policy chose and earned, with what another would have chosen."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ROUNDING: Final = 1e-3  # how far chances that were written to a file may be off 1 in sum
_RAREST: Final = 1e-150  # a chance whose weight has a square


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoggedActions:
    """What was chosen, how likely, what it earned, and what the other policy would choose.

    Parameters
    ----------
    action : array of int, shape (n,)
        Chosen by the logging policy, from 0.
    reward : array of shape (n,)
    propensity : array of shape (n,)
        Chance with which the logging policy chose it, in (0, 1]; no less than 1e-150, for the
        squares of weights.
    target : array of shape (n, n_actions)
        Chances of the policy that is evaluated; rows sum to 1 (within 0.001, as files round).
    predicted : array of shape (n, n_actions), optional
        Reward of each action by a model that was not fitted on these rows.
    users : array of shape (n,), optional
        Whose row it is: errors are then over users.

    Raises
    ------
    ValueError
        Where a value is out of its range, not finite, or a shape another.
    """

    action: NDArray[np.intp]
    reward: NDArray[np.float64]
    propensity: NDArray[np.float64]
    target: NDArray[np.float64]
    predicted: NDArray[np.float64] | None = None
    users: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        target = finite("target", self.target)
        if target.ndim != 2 or 0 in target.shape:
            raise ValueError(f"target must have shape (n, n_actions), got {target.shape}.")
        n, n_actions = target.shape
        if not (target >= 0).all() or not (np.abs(target.sum(axis=1) - 1) <= _ROUNDING).all():
            raise ValueError("target must hold chances that sum to 1 in each row.")
        action = finite("action", self.action, (n,))
        if not ((action >= 0) & (action < n_actions) & (action == np.floor(action))).all():
            raise ValueError(f"action must be a whole number from 0 to {n_actions - 1}.")
        propensity = finite("propensity", self.propensity, (n,))
        if not ((propensity >= _RAREST) & (propensity <= 1)).all():
            raise ValueError(
                f"propensity must lie between {_RAREST:g} and 1, got {propensity.min()} to "
                f"{propensity.max()}."
            )
        fields: dict[str, object] = {
            "action": action.astype(np.intp),
            "reward": finite("reward", self.reward, (n,)),
            "propensity": propensity,
            "target": target,
        }
        if self.predicted is not None:
            fields["predicted"] = finite("predicted", self.predicted, target.shape)
        if self.users is not None:
            fields["users"] = np.asarray(self.users)
            if np.shape(self.users) != (n,):
                raise ValueError(f"users must have shape ({n},), got {np.shape(self.users)}.")
        for name, value in fields.items():
            object.__setattr__(self, name, value)


def finite(
    name: str, values: ArrayLike, shape: tuple[int, ...] | None = None
) -> NDArray[np.float64]:
    """Give values as an array of floats.

    Raises
    ------
    ValueError
        Where the shape is another than `shape`, or a value is not finite.
    """
    rows = np.asarray(values, dtype=np.float64)
    if shape is not None and rows.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {rows.shape}.")
    if not np.isfinite(rows).all():
        raise ValueError(f"{name} must be finite, got nan or infinity.")
    return rows
