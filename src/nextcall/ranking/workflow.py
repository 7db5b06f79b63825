"""How calls follow one another in any API: actions and relations, never names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog.actions import ACTIONS
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.statics import Statics
from nextcall.sessions import Session
from nextcall.sessions.transitions import Transitions

RELATIONS: Final = ("same", "near", "far")
"""Candidate and last call: the same resource of a service, the same service, another service."""

_FIRST: Final = "first"
_STATES: Final = tuple(
    f"{action}:{relation}" for action in ACTIONS for relation in (*RELATIONS, _FIRST)
)
# Steps that a workflow takes from one action to the next: make, look, change, use, take away.
_EDGES: Final = (
    ("create", "read"), ("create", "list"), ("create", "attach"), ("create", "update"),
    ("create", "start"), ("list", "read"), ("search", "read"), ("list", "search"),
    ("search", "list"),
    ("read", "update"), ("read", "delete"), ("read", "start"), ("read", "attach"), ("read", "send"),
    ("read", "detach"), ("read", "list"), ("update", "read"), ("update", "list"),
    ("update", "start"),
    ("attach", "read"), ("attach", "detach"), ("attach", "start"), ("detach", "delete"),
    ("detach", "read"), ("start", "read"), ("start", "stop"), ("start", "send"), ("stop", "delete"),
    ("stop", "start"), ("stop", "read"), ("send", "read"), ("send", "list"), ("delete", "list"),
    ("delete", "create"), ("other", "read"), ("read", "other"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kinds:
    """What transitions look at of every operation, each an array of shape (n_operations,)."""

    action: NDArray[np.int8]
    service: NDArray[np.int32]
    resource: NDArray[np.int32]

    @classmethod
    def of(cls, statics: "Statics | Kinds") -> "Kinds":
        """Take what transitions need of the facts of a catalogue."""
        return cls(statics.action, statics.service, statics.resource)


@dataclass(frozen=True)
class WorkflowPrior:
    """Transition probabilities between abstract calls, learned from sessions of any catalogue.

    A call is abstracted to its action and to how its resource relates to that of the call before
    it (one of `RELATIONS`), so what one API teaches holds for another.
    """

    transitions: Transitions

    @classmethod
    def fit(cls, index: CatalogIndex, sessions: Iterable[Session]) -> Self:
        """Learn from sessions over one catalogue; calls that it does not know are left out."""
        sequences = (
            cls._tokens(index.statics, index.positions([c.operation_id for c in session.calls]))
            for session in sessions
        )
        return cls(Transitions.fit(sequences, states=_STATES, order=3))

    @classmethod
    def uniform(cls) -> Self:
        """Know nothing: every step is equally likely."""
        return cls(Transitions.fit([], states=_STATES, order=3))

    @staticmethod
    def relations(
        statics: Statics | Kinds, last: np.int64, rows: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Relation of each of `rows` to the call `last`, as positions in `RELATIONS`."""
        same_service = statics.service[rows] == statics.service[last]
        same = same_service & (statics.resource[rows] == statics.resource[last])
        relation: NDArray[np.int64] = np.where(same, 0, np.where(same_service, 1, 2))
        return relation

    @classmethod
    def _tokens(cls, statics: Statics | Kinds, called: NDArray[np.int64]) -> list[str]:
        tokens, before = [], None
        for row in called.tolist():
            kind = statics.service[row], statics.resource[row]
            if before is None:
                relation = _FIRST
            else:
                relation = RELATIONS[0 if kind == before else 1 if kind[0] == before[0] else 2]
            tokens.append(f"{ACTIONS[statics.action[row]]}:{relation}")
            before = kind
        return tokens

    def probabilities(
        self, statics: Statics | Kinds, called: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probability of each action and relation after the last call, and after the last two.

        Parameters
        ----------
        called : array of shape (n_calls,)
            Rows of the calls so far, oldest first; at least one.

        Returns
        -------
        two arrays of shape (n_actions, n_relations)
        """
        tokens = self._tokens(statics, called[-3:])[-2:]
        known = [self._codes[token] for token in tokens]
        before = known[0] if len(known) == 2 else len(_STATES)
        return self._bigrams[known[-1]], self._trigrams(before, known[-1])

    def _trigrams(self, before: int, last: int) -> NDArray[np.float32]:
        key = (before, last)
        if key not in self._memory:
            history = [_STATES[code] for code in key if code < len(_STATES)]
            self._memory[key] = _square(self.transitions.probabilities(history))
        return self._memory[key]

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {state: code for code, state in enumerate(_STATES)}

    @cached_property
    def _bigrams(self) -> list[NDArray[np.float32]]:
        return [_square(self.transitions.probabilities([state], order=2)) for state in _STATES]

    @cached_property
    def _memory(self) -> dict[tuple[int, int], NDArray[np.float32]]:
        return {}

    @cached_property
    def distance(self) -> NDArray[np.float32]:
        """Fewest workflow steps from one action to another, shape (n_actions, n_actions)."""
        n = len(ACTIONS)
        steps = np.full((n, n), float(n), dtype=np.float32)
        np.fill_diagonal(steps, 0.0)
        for start, end in _EDGES:
            steps[ACTIONS.index(start), ACTIONS.index(end)] = 1.0
        for middle in range(n):  # Floyd & Warshall
            steps = np.minimum(steps, steps[:, [middle]] + steps[[middle], :])
        return steps

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON values that `from_dict` reads back exactly."""
        return self.transitions.to_dict()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave.

        Raises
        ------
        ValueError
            Where the values are not of that form.
        """
        transitions = Transitions.from_dict(values)
        if transitions.states != _STATES:
            raise ValueError("workflow prior must be over this version's actions and relations.")
        return cls(transitions)


def _square(probabilities: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float32]:
    width = len(RELATIONS) + 1
    table = np.asarray(probabilities, dtype=np.float32)[: len(_STATES)].reshape(len(ACTIONS), width)
    return np.ascontiguousarray(table[:, : len(RELATIONS)])
