"""What like questions were answered with: kernel ridge regression, neighbours and naive Bayes."""

from collections.abc import Sequence
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from nextcall.ranking.array_file import ArrayGroup, of_texts
from nextcall.ranking.likeness import Question

_RIDGE: Final = 0.5  # beside a likeness of 1 to itself: one twin's answer counts two thirds
_SHARPNESS: Final = 10.0  # of a vote: a likeness lower by 0.1 weighs a third
_NEAREST: Final = 3
_PSEUDO: Final = 0.5


class AnswerVotes:
    """Answers of known questions, voted for by how alike these are to a new one.

    Parameters
    ----------
    likeness : array of shape (n, n)
        Of the known questions to one another, 1 on the diagonal.
    answers : sequence of arrays
        Rows of the operations that answered each.
    n_operations : int
    """

    def __init__(
        self,
        likeness: NDArray[np.float64],
        answers: Sequence[NDArray[np.int64]],
        n_operations: int,
    ) -> None:
        sizes = [len(rows) for rows in answers]
        example = np.repeat(np.arange(len(answers)), sizes)
        operation = np.concatenate(answers)
        self._n = n_operations
        self._seen, code = np.unique(operation, return_inverse=True)
        order = np.argsort(code, kind="stable")
        self._example, self._code = example[order], code[order]
        self._starts = np.searchsorted(self._code, np.arange(len(self._seen)))
        given = np.zeros((len(answers), len(self._seen)))
        given[example, code] = 1.0
        self._share = given.mean(axis=0)
        ridge = likeness + _RIDGE * np.eye(len(answers))
        self._weights = np.linalg.solve(ridge, given - self._share)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give plain arrays that `from_arrays` reads back exactly."""
        return {
            "seen": self._seen,
            "example": self._example,
            "code": self._code,
            "share": self._share,
            "weights": self._weights,
        }

    @classmethod
    def from_arrays(cls, arrays: ArrayGroup, *, n: int, n_operations: int) -> Self:
        """Read what `to_arrays` gave, of `n` known questions.

        Raises
        ------
        ValueError
            Where the arrays are not of that form.
        """
        votes: Self = cls.__new__(cls)
        votes._n = n_operations
        votes._seen = arrays.places("seen", None, below=n_operations)
        votes._example = arrays.places("example", None, below=n)
        votes._code = arrays.places("code", len(votes._example), below=len(votes._seen))
        votes._starts = np.searchsorted(votes._code, np.arange(len(votes._seen)))
        votes._share = arrays.take("share", len(votes._seen), dtype="<f8")
        votes._weights = arrays.take("weights", n, len(votes._seen), dtype="<f8")
        known = np.unique(votes._code)
        if not len(known) or not np.array_equal(known, np.arange(len(votes._seen))):
            raise ValueError("code must name each operation that answered")
        return votes

    def regression(self, likeness: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expected number of times, 0 or 1, that each operation answers; shape (n_operations,).

        Parameters
        ----------
        likeness : array of shape (n,)
            Of the new question to the known ones.
        """
        return self._spread(self._share + likeness @ self._weights, 0.0)

    def nearest(self, likeness: NDArray[np.float64]) -> NDArray[np.float64]:
        """Likeness of the nearest question that each operation answered; -1 where it did none."""
        return self._spread(np.maximum.reduceat(likeness[self._example], self._starts), -1.0)

    def few_nearest(self, likeness: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean likeness of the three nearest that each answered; what lacks counts 0."""
        values = likeness[self._example]
        order = np.lexsort((-values, self._code))
        place = np.arange(len(order)) - self._starts[self._code]
        best = np.where(place < _NEAREST, values[order], 0.0)
        return self._spread(np.add.reduceat(best, self._starts) / _NEAREST, 0.0)

    def votes(self, likeness: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the known questions, the alike ones weighing more, that each answered."""
        weight = np.exp(_SHARPNESS * (likeness - likeness.max()))
        total = np.add.reduceat(weight[self._example], self._starts)
        return self._spread(total / weight.sum(), 0.0)

    def _spread(self, values: NDArray[np.float64], missing: float) -> NDArray[np.float64]:
        every = np.full(self._n, missing)
        every[self._seen] = values
        return every


class TermVotes:
    """Naive Bayes: how much more often a prompt's terms stand in the prompts of each operation."""

    def __init__(
        self,
        questions: Sequence[Question],
        answers: Sequence[NDArray[np.int64]],
        n_operations: int,
    ) -> None:
        distinct = sorted({term for question in questions for term in question.terms})
        self._vocabulary = {term: column for column, term in enumerate(distinct)}
        holds = np.zeros((len(questions), len(distinct)))
        for row, question in enumerate(questions):
            holds[row, [self._vocabulary[term] for term in question.terms]] = 1.0
        self._n = n_operations
        self._seen, code = np.unique(np.concatenate(answers), return_inverse=True)
        given = np.zeros((len(questions), len(self._seen)))
        given[np.repeat(np.arange(len(answers)), [len(rows) for rows in answers]), code] = 1.0
        base = (holds.sum(axis=0) + _PSEUDO) / (len(questions) + 1)
        often = (given.T @ holds + 2 * base) / (given.sum(axis=0)[:, None] + 2)
        self._lift = np.log(often / base)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give plain arrays that `from_arrays` reads back exactly."""
        return {"terms": of_texts(list(self._vocabulary)), "seen": self._seen, "lift": self._lift}

    @classmethod
    def from_arrays(cls, arrays: ArrayGroup, *, n_operations: int) -> Self:
        """Read what `to_arrays` gave.

        Raises
        ------
        ValueError
            Where the arrays are not of that form.
        """
        votes: Self = cls.__new__(cls)
        votes._n = n_operations
        votes._vocabulary = {term: place for place, term in enumerate(arrays.texts("terms"))}
        votes._seen = arrays.places("seen", None, below=n_operations)
        votes._lift = arrays.take("lift", len(votes._seen), len(votes._vocabulary), dtype="<f8")
        return votes

    def lifts(self, question: Question) -> NDArray[np.float64]:
        """Sum of the log ratios of the known terms / root of their number; 0 where none is."""
        columns = [self._vocabulary[t] for t in set(question.terms) if t in self._vocabulary]
        every = np.zeros(self._n)
        if columns:
            every[self._seen] = self._lift[:, columns].sum(axis=1) / np.sqrt(len(columns))
        return every
