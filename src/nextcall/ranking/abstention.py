"""Abstention: how likely it is that a prompt asks for nothing that the catalogue offers."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, Self
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit

from nextcall.ranking.candidates import Retrieved
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.lexicon import prompt_words, stems

INPUTS: Final = (
    "similarity", "similarity_of_five", "lead_over_ten", "text_similarity", "label_similarity",
    "background", "background_of_five", "usual", "above_usual", "bm25_text", "bm25_full",
    "text_covers", "name_covers", "three_cover", "known_words", "text_covers_own", "agreement",
    "size", "words", "names",
)  # fmt: skip
"""What an abstention knows of a prompt and a catalogue, in order; no input names either."""

_RIDGE: Final = 1e-3  # least loss from one world of training catalogues to another
_CLIP: Final = 3.0  # standard deviations beyond which an input says no more
_N_TERMS: Final = 4 * len(INPUTS) + 1
_SIZE: Final = INPUTS.index("size")
_WORDS: Final = INPUTS.index("words")
_NEAR: Final = 0.45  # cosine to the catalogue from which an operation is no background to it
_FEWEST: Final = 100  # operations that stay the background, however near
_FEW: Final = 5
_BLOCK: Final = 2048  # operations compared with the background at once: 6 MB at 800
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
        return cls(levels, weights)

    def vectors(self) -> NDArray[np.float32]:
        """Give the vectors at norm 1, shape (n_operations, n_dimensions)."""
        values = self.levels.astype(np.float32)
        values /= np.linalg.norm(values, axis=1, keepdims=True)
        return values


@dataclass(frozen=True, slots=True)
class _View:
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


@dataclass(frozen=True, slots=True)
class Abstention:
    """A logistic model of "none of these", over one prompt and what retrieval found for it.

    Its terms are the inputs, their squares, and their products with the length of the prompt and
    the size of the catalogue: what a similarity means depends on both.

    Its probability holds where foreign prompts are as frequent as own ones, as in its training.
    It judges the prompt alone: calls that came before do not count.
    """

    background: Background
    means: tuple[float, ...]
    """Of each of `INPUTS` in training."""
    scales: tuple[float, ...]
    """Standard deviation of each of `INPUTS` in training."""
    weights: tuple[float, ...]
    """One for each term, in the order of `_terms`; the last is the constant."""
    _views: WeakKeyDictionary[CatalogIndex, _View] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False, compare=False
    )

    @classmethod
    def fit(cls, background: Background, inputs: ArrayLike, foreign: ArrayLike) -> Self:
        """Learn from prompts of which it is known whether they are of the catalogue.

        Own and foreign prompts weigh the same, however many there are of each.

        Parameters
        ----------
        background : Background
            The one that the inputs were computed with.
        inputs : array-like of shape (n_prompts, n_inputs)
            Of `abstention_inputs`, over catalogues of many kinds and sizes.
        foreign : array-like of shape (n_prompts,)
            True where nothing in the catalogue answers the prompt.

        Raises
        ------
        ValueError
            Where the shapes do not agree, or own or foreign prompts are missing.
        """
        x = np.asarray(inputs, dtype=np.float64)
        y = np.asarray(foreign, dtype=np.bool_)
        if x.shape != (len(y), len(INPUTS)):
            expected = (len(y), len(INPUTS))
            raise ValueError(f"inputs must have the shape {expected}, got {x.shape}.")
        if y.all() or not y.any():
            raise ValueError(
                f"foreign must have both kinds, got {int(y.sum())} of {len(y)} foreign."
            )
        means, scales = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
        z = _terms(x, means, scales)
        share = np.where(y, 0.5 / y.sum(), 0.5 / (~y).sum())

        def loss(beta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            margin = z @ beta
            slopes = np.append(beta[:-1], 0.0)
            value = float(share @ (np.logaddexp(0.0, margin) - y * margin))
            gradient = z.T @ (share * (expit(margin) - y)) + 2 * _RIDGE * slopes
            return value + _RIDGE * float(slopes @ slopes), gradient

        found = minimize(loss, np.zeros(z.shape[1]), jac=True, method="L-BFGS-B")
        return cls(background, _floats(means), _floats(scales), _floats(found.x))

    def probability(self, index: CatalogIndex, prompt: str, found: Retrieved) -> float:
        """Give the probability that the catalogue has no answer to the prompt, in [0, 1].

        Parameters
        ----------
        found : Retrieved
            What `retrieve` gave for this index and prompt.
        """
        view = self._views.get(index)
        if view is None:
            view = self._views[index] = _View.of(self.background, index)
        return float(self.probabilities(_inputs(view, index, prompt, found)[None])[0])

    def probabilities(self, inputs: ArrayLike) -> NDArray[np.float64]:
        """Give the same for inputs that were computed before.

        Parameters
        ----------
        inputs : array-like of shape (n_prompts, n_inputs)

        Returns
        -------
        array of shape (n_prompts,)
        """
        x = np.asarray(inputs, dtype=np.float64)
        z = _terms(x, np.array(self.means), np.array(self.scales))
        probability: NDArray[np.float64] = expit(z @ np.array(self.weights))
        return probability

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON values."""
        levels = self.background.levels
        return {
            "inputs": list(INPUTS),
            "means": list(self.means),
            "scales": list(self.scales),
            "weights": list(self.weights),
            "background": {
                "dimensions": levels.shape[1],
                "levels": b64encode(levels.tobytes()).decode("ascii"),
                "weights": dict(self.background.weights),
            },
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave.

        Raises
        ------
        ValueError
            Where the values are not of that form.
        """
        if values.get("inputs") != list(INPUTS):
            raise ValueError(
                f"abstention must know the inputs {list(INPUTS)}, got {values.get('inputs')!r}."
            )
        n = len(INPUTS)
        lengths = {"means": n, "scales": n, "weights": _N_TERMS}
        numbers = {name: _numbers(values, name, length) for name, length in lengths.items()}
        if min(numbers["scales"]) <= 0:
            raise ValueError(f"scales must be above 0, got {min(numbers['scales'])}.")
        return cls(_background(values.get("background")), **numbers)


def abstention_inputs(
    background: Background, index: CatalogIndex, prompts: Mapping[str, Retrieved]
) -> NDArray[np.float64]:
    """Compute the inputs of many prompts over one catalogue.

    Parameters
    ----------
    prompts : mapping of str to Retrieved
        Each prompt with what `retrieve` gave for it and this index.

    Returns
    -------
    array of shape (n_prompts, n_inputs)
        Columns as `INPUTS`.
    """
    view = _View.of(background, index)
    rows = [_inputs(view, index, prompt, found) for prompt, found in prompts.items()]
    return np.array(rows).reshape(len(rows), len(INPUTS))


def _inputs(view: _View, index: CatalogIndex, prompt: str, found: Retrieved) -> NDArray[np.float64]:
    dense, rows, terms = found.scores["dense"], found.rows, found.terms
    nearest = -np.sort(-dense)
    best = found.best["dense"]
    text = index.text_vectors[rows] @ found.vector
    label = dense * index.norms[rows] - text  # the searched vector is their sum, to norm 1
    outside = view.vectors @ found.vector
    outside = outside[np.argpartition(outside, -min(_FEW, len(outside)))[-_FEW:]]
    n_words = max(terms.n_words, 1)
    weight, n_names, n_distinct = _said(view, index, prompt)
    said = np.zeros(len(view.weights), dtype=np.float32)
    said[terms.ids] = view.weights[terms.ids]
    texts, names = index.lexical.terms["text"].ids, index.lexical.terms["name"].ids
    covered = said[texts[rows]].sum(axis=1)
    own = np.zeros(len(view.weights), dtype=np.float32)
    own[terms.ids] = index.lexical.weights[terms.ids]
    few = set(np.argsort(-dense, kind="stable")[:_FEW].tolist())
    agreed = few & set(np.argsort(-found.scores["full"], kind="stable")[:_FEW].tolist())
    return np.array(
        [
            best,
            nearest[:_FEW].mean(),
            best - nearest[:10].mean(),
            text.max(),
            label.max(),
            outside.max(),
            outside.mean(),
            view.usual,
            (best - view.usual) / view.spread,
            found.best["text"] / n_words,
            found.best["full"] / n_words,
            covered.max() / weight,
            said[names[rows]].sum(axis=1).max() / weight,
            said[np.unique(texts[rows[:3]])].sum() / weight,
            said.sum() / weight,
            own[texts[rows]].sum(axis=1).max() / terms.weight,
            len(agreed) / _FEW,
            np.log(len(index)),
            np.log(n_words),
            n_names / n_distinct,
        ]
    )


def _said(view: _View, index: CatalogIndex, prompt: str) -> tuple[float, int, int]:
    """Weight of the words that a catalogue or the background knows, number of others, of all."""
    distinct = dict.fromkeys(stems(prompt_words(prompt)))
    known = index.lexical.vocabulary
    weight, n_names = 0.0, 0
    for word in distinct:
        if word in known:
            weight += float(view.weights[known[word]])
        elif word in view.elsewhere:
            weight += view.elsewhere[word]
        else:
            n_names += 1
    return max(weight, 1e-6), n_names, max(len(distinct), 1)


def _terms(
    x: NDArray[np.float64], means: NDArray[np.float64], scales: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Columns: inputs in standard deviations, times words, times size, squared, a constant."""
    z = np.clip((x - means) / scales, -_CLIP, _CLIP)
    return np.hstack([z, z * z[:, [_WORDS]], z * z[:, [_SIZE]], z**2, np.ones((len(z), 1))])


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _numbers(values: Mapping[str, Any], name: str, length: int) -> tuple[float, ...]:
    found = values.get(name)
    if (
        not isinstance(found, list)
        or len(found) != length
        or not all(isinstance(value, int | float) and isfinite(value) for value in found)
    ):
        raise ValueError(f"abstention must hold {length} {name}, got {found!r}.")
    return tuple(float(value) for value in found)


def _background(values: object) -> Background:
    if not isinstance(values, dict):
        raise ValueError(f"background must be an object, got {type(values).__name__}.")  # noqa: TRY004  # a file's content
    dimensions, words = values.get("dimensions"), values.get("weights")
    if not isinstance(dimensions, int) or dimensions < 1:
        raise ValueError(f"dimensions of the background must be at least 1, got {dimensions!r}.")
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
    return Background(levels, {word: float(weight) for word, weight in words.items()})
