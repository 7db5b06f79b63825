"""Learn a static encoder from texts and the vectors that they should have."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from nextcall.embedding.embedder import Embedder, check_texts
from nextcall.embedding.static_embedder import LONGEST, StaticEmbedder
from nextcall.embedding.store import encode_cached
from nextcall.embedding.wordpieces import N_PIECES, WordPieces, piece_texts
from nextcall.progress import Progress, silent

_SYMBOLS: Final = 999  # id of the first piece that is no special one: "!"
_WORDS: Final = 1996  # id of "the", the commonest word
_SHARE_OF_SYMBOL: Final = 0.1  # of short English texts that hold a given one; a guess
_SHARE_OF_FIRST: Final = 2.0  # by Zipf's law over the rank; a text of 20 words holds "the" twice
_LEAST_RARITY: Final = 1e-3  # what stands in every text still has a direction
_THREADS: Final = 2  # that multiply side by side
_TINY: Final = 1e-12  # keeps a division by a squared norm finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """What decides how a static encoder is learned, beside its texts."""

    pairs: int = 32_000
    """The most pairs of neighbouring word pieces that get a vector of their own; the commonest."""
    pair_weight: float = 0.5
    """Weight of a pair beside that of a word piece as rare; above 0."""
    english: float = 30_000
    """Texts of plain English that rarity supposes beside the given ones; at least 0."""
    ridge: float = 1.0
    """What a squared unit of departure from the teacher's own vectors costs; above 0."""
    map_ridge: float = 0.1
    """The same of the linear map from the teacher's vectors of word pieces; above 0."""
    base_ridge: float = 100.0
    """The same of the map's departure from a base, where there is one; above 0."""
    steps: int = 10
    """Steps of conjugate gradients; fewer stay nearer to the map."""

    def __post_init__(self) -> None:
        for name in ("pairs", "english", "steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}.")
        for name in ("pair_weight", "ridge", "map_ridge", "base_ridge"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}.")


DISTILLATION: Final = Distillation()
"""As was measured on AWS: see docs/embedding.md."""


def piece_vectors(
    teacher: Embedder, *, directory: Path, progress: Progress = silent
) -> NDArray[np.float32]:
    """Encode every word piece by itself, shape (N_PIECES, dimensions); kept in `directory`."""
    return encode_cached(teacher, piece_texts(), directory=directory, progress=progress)


def distill(
    texts: Sequence[str],
    targets: NDArray[np.float32],
    *,
    pieces: NDArray[np.float32],
    teacher: str,
    base: NDArray[np.float32] | None = None,
    settings: Distillation = DISTILLATION,
    progress: Progress = silent,
) -> StaticEmbedder:
    """Learn vectors of word pieces and pairs whose sum over a text points to its target.

    A text is a bag of word pieces and pairs, each weighted by its rarity. A ridge
    regression maps the teacher's own vectors of the word pieces, summed, to the targets; a second
    one, solved by conjugate gradients, lets each word piece and pair of the texts depart from that.
    What stands in no text keeps its mapped vector.

    Parameters
    ----------
    texts : sequence of str
        At least one; the same words may stand for several targets.
    targets : array of shape (len(texts), dimensions)
        Unit vector that each text should have.
    pieces : array of shape (N_PIECES, dimensions)
        The teacher's vectors of the word pieces: see `piece_vectors`.
    teacher : str
        Name of the embedder that made `targets`.
    base : array of shape (dimensions, dimensions), optional
        A map that `fit_map` found on many texts: few texts cannot tell one, so theirs departs from
        the base only as far as they demand.

    Raises
    ------
    ValueError
        Where there is no text, or shapes do not fit.
    """
    bags, pairs, rarity = _rare_bags(
        texts, targets, pieces, most_pairs=settings.pairs, settings=settings, progress=progress
    )
    start = np.zeros((bags.shape[1], pieces.shape[1]), dtype=np.float32)
    start[:N_PIECES] = _centred(pieces) @ _map(bags, targets, pieces, base=base, settings=settings)
    seen = np.unique(bags.indices)
    start[seen] += _departure(
        bags[:, seen].tocsr(), targets, start[seen], settings=settings, progress=progress
    )
    return StaticEmbedder.of(
        start * rarity[:, None], pairs=pairs, blank=targets.mean(axis=0), teacher=teacher
    )


def fit_map(
    texts: Sequence[str],
    targets: NDArray[np.float32],
    *,
    pieces: NDArray[np.float32],
    settings: Distillation = DISTILLATION,
    progress: Progress = silent,
) -> NDArray[np.float32]:
    """Find the map from the teacher's vectors of word pieces with which `distill` would begin.

    Returns
    -------
    array of shape (dimensions, dimensions)
        A base for catalogues that are too small to tell one.
    """
    bags, _, _ = _rare_bags(
        texts, targets, pieces, most_pairs=0, settings=settings, progress=progress
    )
    return _map(bags, targets, pieces, base=None, settings=settings)


def _rare_bags(
    texts: Sequence[str],
    targets: NDArray[np.float32],
    pieces: NDArray[np.float32],
    *,
    most_pairs: int,
    settings: Distillation,
    progress: Progress,
) -> tuple[sp.csr_array, NDArray[np.int64], NDArray[np.float32]]:
    """Check what comes; give bags weighted by rarity, the keys of their pairs, and the weights."""
    check_texts(texts)
    if not len(texts) or targets.shape != (len(texts), pieces.shape[1]):
        raise ValueError(
            f"targets must have a row a text and {pieces.shape[1]} columns, at least one row, "
            f"got shape {targets.shape} for {len(texts)} texts."
        )
    if len(pieces) != N_PIECES:
        raise ValueError(f"pieces must have {N_PIECES:,} rows, got {len(pieces):,}.")
    wordpieces = WordPieces(longest=LONGEST)
    cut = [
        wordpieces.cut(text)
        for text in progress(texts, description="Cutting texts", total=len(texts))
    ]
    pairs = _commonest_pairs(cut, most_pairs)
    bags = _bags(cut, pairs)
    rarity = _rarity(bags, settings)
    return (bags @ sp.diags_array(rarity)).tocsr(), pairs, rarity


def _rarity(bags: sp.csr_array, settings: Distillation) -> NDArray[np.float32]:
    """Weigh each word piece and pair by how few texts hold it.

    Most words of a prompt stand nowhere in a small catalogue, and "please" is no rare word for
    that. So the texts are joined by others, in which words are as common as they are in English:
    the vocabulary lists them by frequency, and by Zipf's law that falls as one over the rank.
    """
    share = np.zeros(N_PIECES)
    share[_SYMBOLS:_WORDS] = _SHARE_OF_SYMBOL
    share[_WORDS:] = np.minimum(1, _SHARE_OF_FIRST / np.arange(1, N_PIECES - _WORDS + 1))
    n_texts = np.full(bags.shape[1], bags.shape[0], dtype=np.float64)
    n_with = np.bincount(bags.indices, minlength=bags.shape[1]).astype(np.float64)
    n_texts[:N_PIECES] += settings.english
    n_with[:N_PIECES] += settings.english * share
    rarity = np.log((n_texts + 1) / (n_with + 1))
    rarity[N_PIECES:] *= settings.pair_weight
    return np.maximum(rarity, _LEAST_RARITY).astype(np.float32)


def _map(
    bags: sp.csr_array,
    targets: NDArray[np.float32],
    pieces: NDArray[np.float32],
    *,
    base: NDArray[np.float32] | None,
    settings: Distillation,
) -> NDArray[np.float32]:
    inputs = _unit(bags[:, :N_PIECES] @ _centred(pieces))
    if base is None:
        return _ridge_map(inputs, targets, settings.map_ridge)
    return base + _ridge_map(inputs, targets - inputs @ base, settings.base_ridge)


def _centred(pieces: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take away what all word pieces have in common, which says nothing of any."""
    centred: NDArray[np.float32] = pieces - pieces.mean(axis=0)
    return centred


def _keys(cut: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Key of every pair of neighbours, and the text in which it stands."""
    flat = np.array([piece for pieces in cut for piece in pieces], dtype=np.int64)
    text = np.repeat(np.arange(len(cut)), [len(pieces) for pieces in cut])
    inside = text[1:] == text[:-1]
    return (flat[:-1] * N_PIECES + flat[1:])[inside], text[1:][inside]


def _commonest_pairs(cut: Sequence[Sequence[int]], most: int) -> NDArray[np.int64]:
    """Keys of the pairs that are seen most often, ascending; ties by key."""
    keys, counts = np.unique(_keys(cut)[0], return_counts=True)
    return np.sort(keys[np.argsort(-counts, kind="stable")[:most]])


def _bags(cut: Sequence[Sequence[int]], pairs: NDArray[np.int64]) -> sp.csr_array:
    """How often each word piece and pair stands in each text, shape (n_texts, n_rows)."""
    flat = np.array([piece for pieces in cut for piece in pieces], dtype=np.int64)
    text = np.repeat(np.arange(len(cut)), [len(pieces) for pieces in cut])
    keys, text_of_pair = _keys(cut)
    known = np.isin(keys, pairs)
    columns = np.concatenate([flat, N_PIECES + np.searchsorted(pairs, keys[known])])
    rows = np.concatenate([text, text_of_pair[known]])
    ones = np.ones(len(rows), dtype=np.float32)
    bags = sp.csr_array((ones, (rows, columns)), shape=(len(cut), N_PIECES + len(pairs)))
    bags.sum_duplicates()
    return bags


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = rows / np.maximum(norms, _TINY)
    return unit


def _ridge_map(
    inputs: NDArray[np.float32], targets: NDArray[np.float32], ridge: float
) -> NDArray[np.float32]:
    """Least-squares linear map of inputs to targets, shape (dimensions, dimensions)."""
    x = inputs.astype(np.float64)
    gram = x.T @ x + ridge * np.eye(x.shape[1])
    return np.linalg.solve(gram, x.T @ targets).astype(np.float32)


class _Product:
    """A sparse matrix that multiplies a part of its rows on each of some threads.

    SciPy leaves Python's lock while it multiplies, and no sum changes.
    """

    def __init__(self, matrix: sp.csr_array) -> None:
        ends = np.linspace(0, matrix.shape[0], _THREADS + 1).astype(int)
        self._parts = [matrix[first:last] for first, last in pairwise(ends)]

    def __matmul__(self, dense: NDArray[np.float32]) -> NDArray[np.float32]:
        with ThreadPoolExecutor(_THREADS) as pool:
            return np.concatenate(list(pool.map(lambda part: part @ dense, self._parts)))


def _departure(
    bags: sp.csr_array,
    targets: NDArray[np.float32],
    start: NDArray[np.float32],
    *,
    settings: Distillation,
    progress: Progress,
) -> NDArray[np.float32]:
    """Ridge-penalised change of the rows of `start` that brings sums over bags to the targets.

    Only directions count, so each bag is first scaled to the length at which the start fits its
    target best. Conjugate gradients, preconditioned by the diagonal; all columns at once.
    """
    sums = bags @ start
    fit = np.einsum("ij,ij->i", sums, targets) / (np.einsum("ij,ij->i", sums, sums) + _TINY)
    scaled = (sp.diags_array(np.maximum(fit, 0).astype(np.float32)) @ bags).tocsr()
    there, back = _Product(scaled), _Product(scaled.T.tocsr())
    diagonal = scaled.multiply(scaled).sum(axis=0) + settings.ridge
    inverse = (1 / diagonal).astype(np.float32)[:, None]
    change = np.zeros_like(start)
    residual = back @ (targets - there @ start)
    direction = inverse * residual
    energy = (residual * direction).sum(axis=0)
    for _ in progress(range(settings.steps), description="Fitting vectors", total=settings.steps):
        pushed = back @ (there @ direction) + np.float32(settings.ridge) * direction
        length = energy / ((direction * pushed).sum(axis=0) + np.float32(_TINY))
        change += length * direction
        residual -= length * pushed
        preconditioned = inverse * residual
        before, energy = energy, (residual * preconditioned).sum(axis=0)
        direction = preconditioned + energy / (before + np.float32(_TINY)) * direction
    return change
