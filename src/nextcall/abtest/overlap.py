"""Whether a log says enough about another policy: what its weights look like."""

from dataclasses import dataclass
from math import nan, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from nextcall.abtest.moments import Moments

_FEW: Final = 0.1  # of the rows' number: below it most rows say next to nothing
_FAR: Final = 3.0  # standard errors: 0.3 % by chance
_ROUNDING: Final = 1e-3  # of chances that were written to a file
_HEAVY: Final = 0.05  # share of all weight on one row


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How the weights of a log's rows are spread.

    Parameters
    ----------
    n : int
    effective_size : float
        (sum of w) ** 2 / sum of w ** 2, in [1, n]: as many rows of equal weight would say as much
        of a mean. ``nan`` where all weights are 0.
    max_weight, mean_weight : float
        The mean is 1 but for chance, where the chances of both policies are what they were.
    mean_weight_se : float
        ``nan`` for one row.
    max_share : float
        Of the sum of weights, on the row with the greatest.
    changed_share : float
        Of the rows whose weight was cut or set to 0.
    of_chances : bool
        Whether weights are ratios of chances, so that their mean should be 1.
    """

    n: int
    effective_size: float
    max_weight: float
    mean_weight: float
    mean_weight_se: float
    max_share: float
    changed_share: float
    of_chances: bool = True

    @property
    def warnings(self) -> tuple[str, ...]:
        """What speaks against an estimate from these weights, in sentences."""
        found = []
        off = abs(self.mean_weight - 1)
        if self.max_weight == 0:
            return ("The log holds no action that the policy would take.",)
        if self.of_chances and off > max(_FAR * self.mean_weight_se, _ROUNDING):
            found.append(
                f"The mean weight is {self.mean_weight:.3g} and should be 1 "
                f"(standard error {self.mean_weight_se:.2g}): the propensities are not those the "
                "log was made with, or the log never takes what the policy takes."
            )
        if self.effective_size < _FEW * self.n:
            found.append(
                f"The effective sample size is {self.effective_size:.1f} of {self.n} rows: the "
                "policy is far from the one that was logged."
            )
        if self.max_share > _HEAVY and self.n > 1 / _HEAVY:
            found.append(
                f"One row holds {self.max_share:.0%} of all weight: the interval is too narrow."
            )
        return tuple(found)


def overlap(weights: ArrayLike, *, changed: int = 0, of_chances: bool = True) -> Overlap:
    """Describe the weights of a log's rows.

    Parameters
    ----------
    weights : array-like of shape (n,)
        The policy's chance of the logged action over the logging policy's, before any is cut;
        at least 0, finite.
    changed : int
        Rows whose weight was cut or set to 0 afterwards.
    of_chances : bool
        Whether weights are ratios of chances, so that their mean should be 1.

    Raises
    ------
    ValueError
        Where a weight is negative or not finite, or there is none.

    References
    ----------
    Kong (1992), University of Chicago technical report 348: the effective sample size.

    Examples
    --------
    >>> found = overlap([0.5, 0.5, 2.0])
    >>> found.effective_size, found.mean_weight
    (2.0, 1.0)
    """
    every = np.asarray(weights, dtype=np.float64)
    if every.ndim != 1 or len(every) == 0:
        raise ValueError(f"weights must have one dimension and a value, got {every.shape}.")
    if not (np.isfinite(every).all() and (every >= 0).all()):
        raise ValueError("weights must be finite and at least 0.")
    n, greatest = len(every), float(every.max())
    share = every / greatest if greatest > 0 else every
    moments = Moments.of(share)
    total = float(share.sum())
    return Overlap(
        n=n,
        effective_size=total**2 / float(share @ share) if total > 0 else nan,
        max_weight=greatest,
        mean_weight=greatest * float(moments.mean[0]),
        mean_weight_se=greatest * sqrt(float(moments.covariance()[0, 0]) / n) if n > 1 else nan,
        max_share=1 / total if total > 0 else nan,
        changed_share=changed / n,
        of_chances=of_chances,
    )
