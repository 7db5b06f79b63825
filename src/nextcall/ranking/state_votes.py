"""What came next where like prompts stood after like calls."""

from collections.abc import Sequence
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from nextcall.ranking.answer_votes import AnswerVotes
from nextcall.ranking.array_file import ArrayGroup, within
from nextcall.ranking.likeness import HistoryLikeness, PromptLikeness, Question

_JOINT: Final = (0.25, 0.25, 0.5)  # likeness of states: prompts', histories', their product


class StateVotes:
    """Votes of known states, each a prompt after some calls.

    Parameters
    ----------
    states : sequence of Question
    nexts : sequence of arrays
        Rows of the operations that came next after each.
    n_operations : int
    """

    def __init__(
        self, states: Sequence[Question], nexts: Sequence[NDArray[np.int64]], n_operations: int
    ) -> None:
        self._prompts = PromptLikeness(states)
        self._histories = HistoryLikeness(states, n_operations)
        joint = _joint(self._prompts.matrix(), self._histories.matrix())
        self.votes = AnswerVotes(joint, nexts, n_operations)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give plain arrays that `from_arrays` reads back exactly."""
        arrays = within("prompts", self._prompts.to_arrays())
        arrays |= within("histories", self._histories.to_arrays())
        return arrays | within("votes", self.votes.to_arrays())

    @classmethod
    def from_arrays(cls, arrays: ArrayGroup, *, n_operations: int) -> Self:
        """Read what `to_arrays` gave.

        Raises
        ------
        ValueError
            Where the arrays are not of that form.
        """
        states: Self = cls.__new__(cls)
        states._prompts = PromptLikeness.from_arrays(arrays.within("prompts"))
        n = len(states._prompts)
        histories, votes = arrays.within("histories"), arrays.within("votes")
        states._histories = HistoryLikeness.from_arrays(histories, n=n, n_operations=n_operations)
        states.votes = AnswerVotes.from_arrays(votes, n=n, n_operations=n_operations)
        return states

    def likeness(self, question: Question) -> NDArray[np.float64]:
        """Likeness of a state to each known one, shape (n,)."""
        return _joint(self._prompts.to(question), self._histories.to(question))

    def columns(self, question: Question) -> dict[str, NDArray[np.float64]]:
        """Compute the features of a state, each of shape (n_operations,)."""
        likeness = self.likeness(question)
        expected = self.votes.regression(likeness)
        return {
            "state_regression": expected,
            "state_regression_gap": expected.max() - expected,
            "state_nearest": self.votes.nearest(likeness),
            "state_votes": self.votes.votes(likeness),
        }


def _joint(prompts: NDArray[np.float64], histories: NDArray[np.float64]) -> NDArray[np.float64]:
    first, second, both = _JOINT
    joint: NDArray[np.float64] = first * prompts + second * histories + both * prompts * histories
    return joint
