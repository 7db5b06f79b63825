"""What followed what in a target's own sessions, smoothed toward what any API does."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog.actions import ACTIONS
from nextcall.ranking.array_file import ArrayGroup
from nextcall.ranking.statics import Statics
from nextcall.ranking.workflow import Kinds, WorkflowPrior

_STRENGTH: Final = 2.0  # calls that a shorter history's distribution is worth
_RECENT: Final = 10


class CallCounts:
    """Counts of the operations of one catalogue, over sessions given as rows of operations.

    Parameters
    ----------
    sessions : sequence of arrays
        Rows of each session's calls, in order; at least one session with a call.
    statics : Statics or Kinds
        Facts of the catalogue's operations.
    prior : WorkflowPrior
        What follows an action in any API.
    """

    def __init__(
        self,
        sessions: Sequence[NDArray[np.int64]],
        statics: Statics | Kinds,
        prior: WorkflowPrior,
    ) -> None:
        n = len(statics.action)
        self._n, self._kinds, self._prior = n, Kinds.of(statics), prior
        self._runs = tuple(sessions)
        calls = np.concatenate(sessions)
        self.calls = np.bincount(calls, minlength=n).astype(np.float64)
        within = [np.unique(session) for session in sessions]
        self.sessions = np.bincount(np.concatenate(within), minlength=n).astype(np.float64)
        self.n_sessions = len(sessions)
        first = np.bincount([s[0] for s in sessions if len(s)], minlength=n)
        self.popularity = (self.calls + 1 / n) / (self.calls.sum() + 1)
        self.first = (first + _STRENGTH * self.popularity) / (self.n_sessions + _STRENGTH)
        self._after: defaultdict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        self._later: defaultdict[int, Counter[int]] = defaultdict(Counter)
        again = np.zeros(n)
        for session, distinct in zip(sessions, within, strict=True):
            rows = session.tolist()
            for i, row in enumerate(rows):
                if i:
                    self._after[(rows[i - 1],)][row] += 1
                if i > 1:
                    self._after[rows[i - 2], rows[i - 1]][row] += 1
            seen: set[int] = set()
            for i, row in enumerate(rows):
                if row not in seen:
                    self._later[row].update(set(rows[i + 1 :]))
                seen.add(row)
            counts = np.bincount(session, minlength=n)[distinct]
            again[distinct[counts > 1]] += 1
        mean_again = (again.sum() + 0.5) / (self.sessions.sum() + 1)
        self.repeats = (again + mean_again) / (self.sessions + 1)
        """Share of an operation's sessions that call it more than once."""
        mean_calls = self.calls.sum() / self.sessions.sum()
        self.calls_a_session = (self.calls + mean_calls) / (self.sessions + 1)
        """Calls of an operation in a session that calls it."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give the sessions as plain arrays, which `from_arrays` counts again."""
        return {
            "calls": np.concatenate(self._runs),
            "lengths": np.array([len(run) for run in self._runs], dtype=np.int64),
            "action": self._kinds.action,
            "service": self._kinds.service,
            "resource": self._kinds.resource,
        }

    @classmethod
    def from_arrays(cls, arrays: ArrayGroup, prior: WorkflowPrior) -> Self:
        """Read what `to_arrays` gave.

        Raises
        ------
        ValueError
            Where the arrays are not of that form.
        """
        action = arrays.take("action", None, dtype="|i1")
        n = len(action)
        kinds = Kinds(
            action=action,
            service=arrays.take("service", n, dtype="<i4"),
            resource=arrays.take("resource", n, dtype="<i4"),
        )
        calls = arrays.places("calls", None, below=n)
        lengths = arrays.places("lengths", None, below=len(calls) + 1)
        if not len(calls) or not ((action >= 0) & (action < len(ACTIONS))).all():
            raise ValueError("calls and actions must be those of sessions")
        if lengths.sum() != len(calls):
            raise ValueError(f"lengths must sum to the number of calls, {len(calls)}")
        return cls(np.split(calls, np.cumsum(lengths)[:-1]), kinds, prior)

    def following(self, called: NDArray[np.int64]) -> tuple[NDArray[np.float64], float]:
        """Probability of each operation after the last call, and how often that was seen."""
        last = int(called[-1])
        shorter = _STRENGTH * (self.popularity + self._abstract(called)) / 2
        counts, total = self._counted((last,))
        return (counts + shorter) / (total + _STRENGTH), total

    def following_two(
        self, called: NDArray[np.int64], following: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Probability of each operation after the last two calls; after one, as after the last."""
        if len(called) < 2:
            return following
        counts, total = self._counted((int(called[-2]), int(called[-1])))
        after: NDArray[np.float64] = (counts + _STRENGTH * following) / (total + _STRENGTH)
        return after

    def later(self, called: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Share of sessions with a call of the last ten in which each operation came later.

        Returns
        -------
        two arrays of shape (n_operations,)
            The mean and the highest over the calls.
        """
        shares = np.zeros((len(np.unique(called[-_RECENT:])), self._n))
        for place, row in enumerate(np.unique(called[-_RECENT:]).tolist()):
            found = self._later.get(row)
            chance = self.sessions / self.n_sessions
            shares[place] = chance
            if found:
                shares[place][list(found)] += list(found.values())
            shares[place] /= self.sessions[row] + 1
        return shares.mean(axis=0), shares.max(axis=0)

    def _counted(self, context: tuple[int, ...]) -> tuple[NDArray[np.float64], float]:
        counts = np.zeros(self._n)
        found = self._after.get(context)
        if found:
            counts[list(found)] = list(found.values())
        return counts, float(counts.sum())

    def _abstract(self, called: NDArray[np.int64]) -> NDArray[np.float64]:
        """What the abstract prior says, shared out among the operations of an action."""
        rows = np.arange(self._n)
        relation = self._prior.relations(self._kinds, called[-1], rows)
        bigram, _ = self._prior.probabilities(self._kinds, called)
        action = self._kinds.action.astype(np.int64)
        kind = action * bigram.shape[1] + relation
        shared = bigram[action, relation] / np.bincount(kind)[kind]
        probability: NDArray[np.float64] = shared / max(float(shared.sum()), 1e-12)
        return probability
