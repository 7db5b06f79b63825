"""Abstention: how likely it is that a prompt asks for nothing that the catalogue offers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, Self
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextcall.embedding.static_embedder import vector_model
from nextcall.ranking.background import Background, Outlook
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

NONE_THRESHOLD: Final = 0.9
"""Probability of "none of these" from which it is said, where a user names no other.

Rather late: where catalogues and prompts are unlike those of the training, it is too high."""

_RIDGE: Final = 1e-3  # least loss from one world of training catalogues to another
_CLIP: Final = 3.0  # standard deviations beyond which an input says no more
_N_TERMS: Final = 4 * len(INPUTS) + 1
_SIZE: Final = INPUTS.index("size")
_WORDS: Final = INPUTS.index("words")
_FEW: Final = 5


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
    _views: WeakKeyDictionary[CatalogIndex, Outlook] = field(
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
        from scipy.optimize import minimize  # noqa: PLC0415  # 30 MB, and only to fit
        from scipy.special import expit  # noqa: PLC0415

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

    def knows(self, index: CatalogIndex) -> bool:
        """Whether an index has vectors of the model that this was learned with."""
        return vector_model(index.embedder) == self.background.model

    def probability(self, index: CatalogIndex, prompt: str, found: Retrieved) -> float:
        """Give the probability that the catalogue has no answer to the prompt, in [0, 1].

        Parameters
        ----------
        found : Retrieved
            What `retrieve` gave for this index and prompt.

        Raises
        ------
        ValueError
            Where the index has vectors of another model.
        """
        view = self._views.get(index)
        if view is None:
            view = self._views[index] = Outlook.of(self.background, index)
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
        margin: NDArray[np.float64] = z @ np.array(self.weights)
        return 0.5 + 0.5 * np.tanh(0.5 * margin)  # the logistic function, without overflow

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON values."""
        return {
            "inputs": list(INPUTS),
            "means": list(self.means),
            "scales": list(self.scales),
            "weights": list(self.weights),
            "background": self.background.to_dict(),
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
        return cls(Background.from_dict(values.get("background")), **numbers)


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
    view = Outlook.of(background, index)
    rows = [_inputs(view, index, prompt, found) for prompt, found in prompts.items()]
    return np.array(rows).reshape(len(rows), len(INPUTS))


def _inputs(
    view: Outlook, index: CatalogIndex, prompt: str, found: Retrieved
) -> NDArray[np.float64]:
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


def _said(view: Outlook, index: CatalogIndex, prompt: str) -> tuple[float, int, int]:
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
