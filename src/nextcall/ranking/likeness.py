"""How alike two questions are: their prompts by meaning and by words, and the calls before them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from nextcall.ranking.array_file import ArrayGroup, of_texts, within
from nextcall.ranking.lexicon import prompt_words, stems

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_LAST_SHARE: Final = 0.5  # of the likeness of two histories: their last calls; else all calls


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt after some calls, as evidence sees it."""

    terms: tuple[str, ...]
    """Stems of the prompt, each as often as it occurs."""
    vector: NDArray[np.float32]
    """The prompt, shape (dimensions,)."""
    called: NDArray[np.int64]
    """Rows of the known calls so far, oldest first."""

    @classmethod
    def of(
        cls, prompt: str, vector: NDArray[np.float32], called: NDArray[np.int64] | None = None
    ) -> Self:
        """Split the prompt into its terms; no calls came before where none are given."""
        before = np.empty(0, dtype=np.int64) if called is None else called
        return cls(tuple(stems(prompt_words(prompt))), vector, before)


class PromptLikeness:
    """Likeness of any prompt to some known ones: half cosine of vectors, half of tf-idf.

    Parameters
    ----------
    questions : sequence of Question
        The known ones; only their prompts are looked at.
    """

    def __init__(self, questions: Sequence[Question]) -> None:
        self._vectors = np.stack([question.vector for question in questions])
        distinct = sorted({term for question in questions for term in question.terms})
        self._vocabulary = {term: column for column, term in enumerate(distinct)}
        counts = Counter(term for question in questions for term in set(question.terms))
        n = len(questions)
        self._idf = np.array([np.log((n + 1) / (counts[term] + 0.5)) for term in distinct])
        self._rarest = float(np.log((n + 1) / 0.5))
        self._words = _stack([self._weigh(question) for question in questions], len(distinct))

    def __len__(self) -> int:
        """Count the known prompts."""
        return len(self._vectors)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give plain arrays that `from_arrays` reads back exactly."""
        terms = of_texts(list(self._vocabulary))
        words = within("words", _unstacked(self._words))
        return words | {"vectors": self._vectors, "terms": terms, "idf": self._idf}

    @classmethod
    def from_arrays(cls, arrays: ArrayGroup) -> Self:
        """Read what `to_arrays` gave.

        Raises
        ------
        ValueError
            Where the arrays are not of that form.
        """
        prompts: Self = cls.__new__(cls)
        prompts._vectors = arrays.take("vectors", None, None, dtype="<f4")
        prompts._vocabulary = {term: place for place, term in enumerate(arrays.texts("terms"))}
        n, width = len(prompts._vectors), len(prompts._vocabulary)
        prompts._idf = arrays.take("idf", width, dtype="<f8")
        prompts._rarest = float(np.log((n + 1) / 0.5))
        prompts._words = _restacked(arrays.within("words"), n, width)
        return prompts

    def to(self, question: Question) -> NDArray[np.float64]:
        """Likeness of a prompt to each known one, shape (n,); 1 where the text is the same."""
        columns, weights = self._weigh(question)
        row = np.zeros(len(self._vocabulary))
        row[columns] = weights
        likeness: NDArray[np.float64] = (self._vectors @ question.vector) / 2 + (
            self._words @ row
        ) / 2
        return likeness

    def matrix(self) -> NDArray[np.float64]:
        """Likeness of the known ones to one another, shape (n, n)."""
        dense = (self._vectors @ self._vectors.T).astype(np.float64)
        matrix: NDArray[np.float64] = dense / 2 + (self._words @ self._words.T).toarray() / 2
        return matrix

    def _weigh(self, question: Question) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Give columns and weights of the terms that are known, of a row of norm 1 or less."""
        counts = Counter(question.terms)
        known = [term for term in counts if term in self._vocabulary]
        columns = np.array([self._vocabulary[term] for term in known], dtype=np.int64)
        often = 1 + np.log(np.array([counts[term] for term in known], dtype=np.float64))
        weights = often * self._idf[columns]
        unknown = self._rarest**2 * (len(counts) - len(known))
        return columns, weights / max(float(np.sqrt((weights**2).sum() + unknown)), 1e-9)


class HistoryLikeness:
    """Likeness of the calls so far to those before some known questions.

    Half of it says whether the last calls are the same, half is the cosine of how often each
    operation was called; that nothing was called counts as a call of its own.
    """

    def __init__(self, questions: Sequence[Question], n_operations: int) -> None:
        self._n = n_operations
        self._last = np.array([self._newest(question.called) for question in questions])
        self._calls = _stack([self._weigh(q.called) for q in questions], n_operations + 1)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give plain arrays that `from_arrays` reads back exactly."""
        return {"last": self._last} | within("calls", _unstacked(self._calls))

    @classmethod
    def from_arrays(cls, arrays: ArrayGroup, *, n: int, n_operations: int) -> Self:
        """Read what `to_arrays` gave, of `n` known histories.

        Raises
        ------
        ValueError
            Where the arrays are not of that form.
        """
        histories: Self = cls.__new__(cls)
        histories._n = n_operations
        histories._last = arrays.places("last", n, below=n_operations + 1)
        histories._calls = _restacked(arrays.within("calls"), n, n_operations + 1)
        return histories

    def to(self, question: Question) -> NDArray[np.float64]:
        """Likeness to each known history, shape (n,), from 0 to 1."""
        columns, weights = self._weigh(question.called)
        row = np.zeros(self._n + 1)
        row[columns] = weights
        same = self._last == self._newest(question.called)
        likeness: NDArray[np.float64] = _LAST_SHARE * same + (1 - _LAST_SHARE) * (self._calls @ row)
        return likeness

    def matrix(self) -> NDArray[np.float64]:
        """Likeness of the known ones to one another, shape (n, n)."""
        same = self._last[:, None] == self._last
        calls = (self._calls @ self._calls.T).toarray()
        matrix: NDArray[np.float64] = _LAST_SHARE * same + (1 - _LAST_SHARE) * calls
        return matrix

    def _newest(self, called: NDArray[np.int64]) -> int:
        return int(called[-1]) if len(called) else self._n

    def _weigh(self, called: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        columns, counts = np.unique(np.append(called, self._n), return_counts=True)
        weights = np.sqrt(counts.astype(np.float64))
        return columns, weights / np.sqrt(counts.sum())


def _stack(
    rows: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]], width: int
) -> "csr_array":
    from scipy.sparse import csr_array  # noqa: PLC0415  # 10 MB, and only where answers are kept

    indptr = np.concatenate([[0], np.cumsum([len(columns) for columns, _ in rows])])
    columns = np.concatenate([columns for columns, _ in rows])
    values = np.concatenate([weights for _, weights in rows])
    return csr_array((values, columns, indptr), shape=(len(rows), width))


def _unstacked(rows: "csr_array") -> dict[str, NDArray[Any]]:
    return {
        "starts": rows.indptr.astype(np.int64),
        "columns": rows.indices.astype(np.int64),
        "values": rows.data,
    }


def _restacked(arrays: ArrayGroup, n: int, width: int) -> "csr_array":
    from scipy.sparse import csr_array  # noqa: PLC0415  # as above

    values = arrays.take("values", None, dtype="<f8")
    starts = arrays.places("starts", n + 1, below=len(values) + 1)
    columns = arrays.places("columns", len(values), below=width)
    if starts[0] != 0 or starts[-1] != len(values) or (np.diff(starts) < 0).any():
        raise ValueError("starts must rise from 0 to the number of values")
    return csr_array((values, columns, starts), shape=(n, width))
