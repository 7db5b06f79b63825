"""Queries ranked by scores, where the candidates of one score share their ranks."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TiedRanks:
    """Queries in rows, ranks in columns; a value of a tied rank is that of its whole group."""

    gain: Floats
    """Mean gain of the group at this rank; 0 where nothing was retrieved."""
    start: NDArray[np.intp]
    """Rank, from 0, at which the group begins."""
    size: NDArray[np.intp]
    """Candidates of the group."""
    hits: Floats
    """Relevant candidates of the group; 0 where nothing was retrieved."""
    before: Floats
    """Relevant candidates of all groups before this one."""
    ideal: Floats
    """Gains of all candidates, highest first."""
    n_relevant: Floats
    """Relevant candidates of each query, retrieved or not."""

    @classmethod
    def of(cls, gains: Floats, scores: Floats) -> Self:
        """Rank candidates by score, higher first; both of shape (n_queries, n_candidates)."""
        n_queries, n_candidates = gains.shape
        order = np.argsort(-scores, axis=1, kind="stable")
        sorted_scores = np.take_along_axis(scores, order, axis=1)
        sorted_gains = np.take_along_axis(gains, order, axis=1)
        columns = np.broadcast_to(np.arange(n_candidates), gains.shape)
        begins = np.ones(gains.shape, dtype=bool)
        begins[:, 1:] = sorted_scores[:, 1:] != sorted_scores[:, :-1]
        start = np.maximum.accumulate(np.where(begins, columns, 0), axis=1)
        ends = np.ones(gains.shape, dtype=bool)
        ends[:, :-1] = begins[:, 1:]
        last = np.where(ends, columns, n_candidates)[:, ::-1]
        stop = np.minimum.accumulate(last, axis=1)[:, ::-1] + 1

        def cumulated(values: Floats) -> Floats:
            return np.concatenate([np.zeros((n_queries, 1)), values.cumsum(axis=1)], axis=1)

        retrieved = sorted_scores > -np.inf
        sums = cumulated(sorted_gains)
        counts = cumulated((sorted_gains > 0).astype(np.float64))
        before = np.take_along_axis(counts, start, axis=1)
        within = np.take_along_axis(sums, stop, axis=1) - np.take_along_axis(sums, start, axis=1)
        size = stop - start
        return cls(
            gain=np.where(retrieved, within / size, 0.0),
            start=start,
            size=size,
            hits=np.where(retrieved, np.take_along_axis(counts, stop, axis=1) - before, 0.0),
            before=before,
            ideal=-np.sort(-gains, axis=1),
            n_relevant=counts[:, -1],
        )

    @property
    def ranks(self) -> Floats:
        """Rank of each column, from 1."""
        return np.arange(1.0, self.gain.shape[1] + 1)
