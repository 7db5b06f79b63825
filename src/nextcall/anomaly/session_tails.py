"""How rare the oddness of a session is among usual ones, and an operation that none of them has."""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_TAIL_SHARE: Final = 10  # one in so many usual sessions carries the exponential tail, ...
_LEAST_TAIL: Final = 10  # ... and at least so many
_NO_NEWS: Final = 0.01  # nats a call: sessions that differ by no more are alike, for models do
_LEAST_OVER: Final = 0.05  # nats a call: no tail is shorter, though all sessions be alike


def share_as_odd(usual: NDArray[np.float64], excess: float) -> float:
    """Give the share of sessions that are at least as odd as one.

    Beyond all of them the tail is exponential, with a mean that the largest tenth tells as well as
    it can.

    Parameters
    ----------
    usual : numpy.ndarray
        Nats a call of usual sessions, in rising order; at least one.
    excess : float
        Those of the session asked for.

    Examples
    --------
    >>> share_as_odd(np.arange(99.0), 90.0)
    0.1
    """
    n = len(usual)
    at_least = n - int(np.searchsorted(usual, excess - _NO_NEWS, side="left"))
    share = (at_least + 1) / (n + 1)
    if at_least:
        return share
    top = usual[n - max(n // _TAIL_SHARE, _LEAST_TAIL) :]
    over = max(float((top - top[0]).sum()), _LEAST_OVER * len(top))
    beyond = excess - _NO_NEWS - float(usual[-1])
    return float(max(share * (1 + beyond / over) ** -len(top), 1e-300))


def surprise_of_unknown(sequences: Sequence[Sequence[str]], *, folds: int) -> float:
    """Give -log of the share of calls whose operation no session of another fold has.

    Parameters
    ----------
    sequences : sequence of sequences of str
        Operations of sessions; every `folds`-th is of one fold.
    folds : int
        At least 2.

    Examples
    --------
    >>> surprise_of_unknown([["a", "b"], ["a"]], folds=2) == math.log(4 / 2)
    True
    """
    folds_of: dict[str, set[int]] = defaultdict(set)
    for place, calls in enumerate(sequences):
        for call in calls:
            folds_of[call].add(place % folds)
    unknown = sum(len(folds_of[call]) == 1 for calls in sequences for call in calls)
    return math.log((sum(map(len, sequences)) + 1) / (unknown + 1))
