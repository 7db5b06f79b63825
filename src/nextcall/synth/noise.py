"""What goes wrong in sessions: errors and their repetition, wrong calls, sessions left early."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from nextcall.synth.walk import Walk

KINDS: Final = ("workflow", "wrong", "retry")
"""Why a call was made, in the order of the codes in `NoisyCalls.kind`."""
WORKFLOW, WRONG, RETRY = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Rates of what goes wrong, each in [0, 1]; none by default."""

    error: float = 0.0
    """Share of the workflow's calls that fail."""
    retry: float = 0.8
    """Share of the failed calls that are made once more, and succeed."""
    wrong: float = 0.0
    """Share of the workflow's calls before which a random operation is called by mistake."""
    abandon: float = 0.0
    """Chance, after each call that is not the last, that the session is left there."""

    def __post_init__(self) -> None:
        for name in ("error", "retry", "wrong", "abandon"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {value}.")

    @classmethod
    def of_level(cls, level: float) -> Self:
        """Give the rates for one number: about the share of the calls that something happens to.

        Four tenths each are errors and wrong calls, two tenths are calls after which the session
        is left.

        Raises
        ------
        ValueError
            Where `level` is not in [0, 1].
        """
        if not 0 <= level <= 1:
            raise ValueError(f"level must be in [0, 1], got {level}.")
        return cls(error=0.4 * level, wrong=0.4 * level, abandon=0.2 * level)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class NoisyCalls:
    """Calls as they were made, session after session; arrays of one length but the last two."""

    source: NDArray[np.int64]
    """Which call of the `Walk` each was meant to be."""
    operation: NDArray[np.int64]
    """Row of the operation that was called."""
    kind: NDArray[np.int64]
    """Code in `KINDS`."""
    failed: NDArray[np.bool_]
    lengths: NDArray[np.int64]
    """Shape (n_sessions,): calls of each session."""
    abandoned: NDArray[np.bool_]
    """Shape (n_sessions,): whether a session was left before its end."""


def add_noise(
    walk: Walk, noise: Noise, *, n_operations: int, rng: np.random.Generator
) -> NoisyCalls:
    """Make calls fail, be repeated, be mistaken and stop, at the rates of `noise`."""
    n_sessions = len(walk.lengths)
    session = np.repeat(np.arange(n_sessions), walk.lengths)
    step = np.arange(len(session)) - walk.offsets[session]
    is_last = step == walk.lengths[session] - 1
    left = (rng.random(len(session)) < noise.abandon) & ~is_last
    kept = walk.lengths.copy()
    np.minimum.at(kept, session[left], step[left] + 1)
    abandoned = kept < walk.lengths
    source = np.flatnonzero(step < kept[session])
    n = len(source)
    wrong = (rng.random(n) < noise.wrong) & (n_operations > 1)
    failed = rng.random(n) < noise.error
    retried = failed & (rng.random(n) < noise.retry)
    # Any operation but the meant one: a step of 1 to n - 1 round the catalogue.
    mistaken = walk.operation[source]
    mistaken = (mistaken + 1 + (rng.random(n) * (n_operations - 1)).astype(np.int64)) % n_operations
    calls = 1 + wrong.astype(np.int64) + retried
    first = np.cumsum(calls) - calls
    meant = np.repeat(np.arange(n), calls)
    kind = np.full(len(meant), WORKFLOW, dtype=np.int64)
    kind[first[wrong]] = WRONG
    kind[(first + calls - 1)[retried]] = RETRY
    operation = walk.operation[source][meant]
    operation[first[wrong]] = mistaken[wrong]
    return NoisyCalls(
        source=source[meant],
        operation=operation,
        kind=kind,
        failed=failed[meant] & (kind == WORKFLOW),
        lengths=np.bincount(session[source][meant], minlength=n_sessions),
        abandoned=abandoned,
    )
