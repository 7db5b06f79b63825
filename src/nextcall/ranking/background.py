"""A background of other APIs, against which a prompt's similarity to a catalogue is judged."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from nextcall.embedding.static_embedder import vector_model
from nextcall.ranking.index import CatalogIndex

_NEAR: Final = 0.45  # cosine to the catalogue from which an operation is no background to it
_FEWEST: Final = 100  # operations that stay the background, however near
_BLOCK: Final = 2048  # operations compared with the background at once: 8 MB at 1,000
_LEVELS: Final = 127


@dataclass(frozen=True, slots=True)
class Background:
    """Operations of many other APIs: what a prompt is near to that the catalogue does not serve.

    A similarity means little alone: long prompts, small catalogues and curt operations lower it.
    So it is compared with what the same prompt reaches in the background, and with what the
    background reaches in the same catalogue, as speaker verification does with a cohort.

    References
    ----------
    Auckenthaler, Carey & Lloyd-Thomas (2000), Digital Signal Processing 10: Z-norm and T-norm.
    """

    levels: NDArray[np.int8]
    """Vectors of the operations, in 127ths of each one's largest value; (n_operations, n)."""
    weights: Mapping[str, float]
    """Rarity of each word stem that stands in two of the operations or more."""
    model: str
    """What made the vectors, as `vector_model` names it."""

    @classmethod
    def of_index(cls, index: CatalogIndex) -> Self:
        """Take the operations of an index as the background."""
        largest = np.abs(index.vectors).max(axis=1, keepdims=True)
        levels = np.rint(index.vectors / largest * _LEVELS).astype(np.int8)
        lexical = index.lexical
        once = np.log1p((len(index) - 0.5) / 1.5)  # the weight of a word of one operation
        weights = {
            word: round(float(lexical.weights[term]), 4)
            for word, term in lexical.vocabulary.items()
            if lexical.weights[term] < once - 1e-3
        }
        return cls(levels, weights, vector_model(index.embedder))

    def vectors(self) -> NDArray[np.float32]:
        """Give the vectors at norm 1, shape (n_operations, n_dimensions)."""
        values = self.levels.astype(np.float32)
        values /= np.linalg.norm(values, axis=1, keepdims=True)
        return values

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON values; the vectors as base64."""
        return {
            "model": self.model,
            "dimensions": self.levels.shape[1],
            "levels": b64encode(self.levels.tobytes()).decode("ascii"),
            "weights": dict(self.weights),
        }

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Read what `to_dict` gave.

        Raises
        ------
        ValueError
            Where the values are not of that form.
        """
        if not isinstance(values, dict):
            raise ValueError(f"background must be an object, got {type(values).__name__}.")  # noqa: TRY004  # a file's content
        model, dimensions = values.get("model"), values.get("dimensions")
        if not isinstance(model, str):
            raise ValueError(f"model of the background must be a name, got {model!r}.")  # noqa: TRY004  # as above
        words = values.get("weights")
        if not isinstance(dimensions, int) or dimensions < 1:
            raise ValueError(
                f"dimensions of the background must be at least 1, got {dimensions!r}."
            )
        if not isinstance(words, dict) or not all(
            isinstance(weight, int | float) and isfinite(weight) for weight in words.values()
        ):
            raise ValueError("weights of the background must be numbers by word.")
        raw = b64decode(str(values.get("levels")), validate=True)
        levels = np.frombuffer(raw, dtype=np.int8)
        if len(levels) == 0 or len(levels) % dimensions:
            raise ValueError(
                f"levels of the background must be rows of {dimensions}, got {len(levels)} values."
            )
        levels = levels.reshape(-1, dimensions)
        if not levels.any(axis=1).all():
            raise ValueError("levels of the background must hold no row of zeros.")
        return cls(levels, {word: float(weight) for word, weight in words.items()}, model)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a background says of one catalogue, whatever the prompt."""

    vectors: NDArray[np.float32]
    """Of the operations that are not of the catalogue's own kind."""
    usual: float
    """Median of the highest similarity that an operation of the background has here."""
    spread: float
    """Its 90 % quantile less its 10 % quantile."""
    weights: NDArray[np.float32]
    """Rarity of each term of the catalogue's vocabulary, shape (n_terms + 1,); 0 for padding."""
    elsewhere: Mapping[str, float]
    """Rarity of every word of the background."""

    @classmethod
    def of(cls, background: Background, index: CatalogIndex) -> Self:
        """Compare a background with a catalogue, once for all its prompts.

        Raises
        ------
        ValueError
            Where the index has vectors of another model.
        """
        model = vector_model(index.embedder)
        if model != background.model:
            raise ValueError(
                f"index must have vectors of {background.model!r}, as the background, "
                f"got {model!r}."
            )
        vectors = background.vectors()
        best = np.full(len(vectors), -1.0, dtype=np.float32)
        for start in range(0, len(index), _BLOCK):
            block = index.vectors[start : start + _BLOCK]
            np.maximum(best, (block @ vectors.T).max(axis=0), out=best)
        apart = np.flatnonzero(best < _NEAR)
        if len(apart) < _FEWEST:
            apart = np.argsort(best, kind="stable")[:_FEWEST]
        low, usual, high = np.quantile(best, [0.1, 0.5, 0.9])
        vocabulary = index.lexical.vocabulary
        rarest = max(background.weights.values(), default=1.0)
        weights = np.zeros(len(vocabulary) + 1, dtype=np.float32)
        for word, term in vocabulary.items():
            weights[term] = background.weights.get(word, rarest)
        spread = max(float(high - low), 1e-3)
        return cls(vectors[apart], float(usual), spread, weights, background.weights)
