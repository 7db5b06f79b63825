"""An encoder without a network: the sum of learned vectors of word pieces and of their pairs."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nextcall.embedding.embedder import Embedder, check_texts
from nextcall.embedding.wordpieces import N_PIECES, WordPieces, tokenizer_digest
from nextcall.progress import Progress, silent

LONGEST: Final = 126
"""Word pieces of a text that are read; the teacher's 128 hold two special ones."""

_STEPS: Final = 127.0  # of int8 on either side of 0
_LOADING: Final = Lock()


class StaticEmbedder:
    """Encode a text as the normalised sum of vectors, one a word piece and one a known pair.

    `distill` makes one. Its vectors lie in the space of those that it was made for, so a catalogue
    stays encoded by the teacher, while a prompt costs microseconds and no ONNX session. It may
    serve many threads.

    Parameters
    ----------
    table : array of int8, shape (N_PIECES + n_pairs, dimensions)
        Vectors of the word pieces by their id, then of the pairs; each row in steps of its own.
    steps : array of float32, shape (N_PIECES + n_pairs,)
        What 1 in each row stands for, at least 0.
    pairs : array of int64, shape (n_pairs,)
        Keys of the pairs of neighbours, ``left * N_PIECES + right``, ascending.
    blank : array of float32, shape (dimensions,)
        Vector of a text that no row speaks of; norm 1.
    teacher : str
        Name of the embedder whose vectors are the space.
    name : str, optional
        Its own, where the caller has proved it: else it is computed, of all bytes of the arrays.

    Raises
    ------
    ValueError
        Where types or shapes do not fit together, the keys do not ascend, or a value is out of its
        range.

    Examples
    --------
    >>> vectors = np.zeros((N_PIECES, 2), dtype=np.float32)
    >>> vectors[[2862, 3972]] = [0, 1], [3, 0]  # "list" and "del"
    >>> embedder = StaticEmbedder.of(vectors, blank=np.array([1.0, 1.0]), teacher="by hand")
    >>> embedder.encode(["list", "del list", ""])
    array([[0.        , 1.        ],
           [0.94868326, 0.31622776],
           [0.70710677, 0.70710677]], dtype=float32)
    """

    def __init__(
        self,
        *,
        table: NDArray[np.int8],
        steps: NDArray[np.float32],
        pairs: NDArray[np.int64],
        blank: NDArray[np.float32],
        teacher: str,
        name: str | None = None,
    ) -> None:
        _check(table, steps, pairs, blank)
        self.table = table
        self.steps = steps
        self.pairs = pairs
        self.blank = blank
        self.teacher = teacher
        if name is not None:
            vars(self)["name"] = name  # as if it had been computed

    @classmethod
    def of(
        cls,
        vectors: NDArray[np.float32],
        *,
        blank: NDArray[np.floating],
        teacher: str,
        pairs: NDArray[np.int64] | None = None,
    ) -> "StaticEmbedder":
        """Make one of vectors as they are learned, rounding each to 127 steps either side of 0."""
        steps = (np.abs(vectors).max(axis=1) / _STEPS).astype(np.float32)
        rounded = np.rint(vectors / np.maximum(steps, np.finfo(np.float32).tiny)[:, None])
        return cls(
            table=rounded.astype(np.int8),
            steps=steps,
            pairs=np.empty(0, dtype=np.int64) if pairs is None else pairs,
            blank=(blank / np.linalg.norm(blank)).astype(np.float32),
            teacher=teacher,
        )

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self.table.shape[1])

    @cached_property
    def name(self) -> str:
        """The word static and a digest of all that makes a vector."""
        digest = hashlib.sha256(tokenizer_digest().encode())
        for array in (self.table, self.steps, self.pairs, self.blank):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return f"static-{digest.hexdigest()[:16]}"

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> NDArray[np.float32]:
        """Encode texts as an array of shape (len(texts), dimensions); every row has norm 1.

        Raises
        ------
        TypeError
            Where `texts` is one string, or holds what is none.
        """
        check_texts(texts)
        with _LOADING:
            wordpieces = self._wordpieces
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        numbered = enumerate(progress(texts, description="embedding texts", total=len(texts)))
        for row, text in numbered:
            vectors[row] = self._vector(wordpieces.cut(text))
        return vectors

    def _vector(self, pieces: list[int]) -> NDArray[np.float32]:
        rows = pieces.copy()
        for left, right in pairwise(pieces):
            pair = self._row_of_pair.get(left * N_PIECES + right)
            if pair is not None:
                rows.append(pair)
        places = np.array(rows, dtype=np.int64)
        summed = self.table.take(places, axis=0).astype(np.float32)
        total: NDArray[np.float32] = self.steps.take(places) @ summed
        square = float(total @ total)
        return total / np.float32(square**0.5) if square > 0 else self.blank

    @cached_property
    def _row_of_pair(self) -> dict[int, int]:
        return {key: N_PIECES + place for place, key in enumerate(self.pairs.tolist())}

    @cached_property
    def _wordpieces(self) -> WordPieces:
        return WordPieces(longest=LONGEST)


def vector_model(embedder: Embedder) -> str:
    """Name the model in whose space the vectors lie, however long its texts may be.

    Examples
    --------
    >>> from nextcall.embedding.onnx import OnnxEmbedder
    >>> prompts, documents = OnnxEmbedder(), OnnxEmbedder(max_tokens=40)
    >>> vector_model(prompts) == vector_model(documents)
    True
    """
    name = embedder.teacher if isinstance(embedder, StaticEmbedder) else embedder.name
    return name.rpartition("-")[0] or name


def _check(
    table: NDArray[np.int8],
    steps: NDArray[np.float32],
    pairs: NDArray[np.int64],
    blank: NDArray[np.float32],
) -> None:
    """Refuse arrays that make no encoder."""
    given: dict[str, tuple[NDArray[Any], type]] = {
        "table": (table, np.int8),
        "steps": (steps, np.float32),
        "pairs": (pairs, np.int64),
        "blank": (blank, np.float32),
    }
    for name, (array, kind) in given.items():
        if array.dtype != kind:
            raise ValueError(f"{name} must be of {np.dtype(kind)}, got {array.dtype}.")
    n_rows = N_PIECES + pairs.size
    if table.ndim != 2 or pairs.ndim != 1 or len(table) != n_rows:
        raise ValueError(
            f"table must have {n_rows:,} rows, one a word piece and one a pair, "
            f"got shape {table.shape}."
        )
    if steps.shape != (n_rows,) or blank.shape != table.shape[1:]:
        raise ValueError(
            f"steps and blank must have shapes {(n_rows,)} and {table.shape[1:]}, "
            f"got {steps.shape} and {blank.shape}."
        )
    if len(pairs) and (pairs[0] < 0 or pairs[-1] >= N_PIECES**2 or np.any(np.diff(pairs) <= 0)):
        raise ValueError(f"pairs must ascend from 0 on, below {N_PIECES**2}.")
    if not np.all(np.isfinite(steps) & (steps >= 0)):
        raise ValueError("steps must be finite and at least 0.")
    if not abs(float(np.linalg.norm(blank)) - 1) < 1e-3:
        raise ValueError(f"blank must have norm 1, got {float(np.linalg.norm(blank)):.4f}.")
