"""What was learned of attacks: weights of features, and the risk that they give a text."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextcall.files import atomic_path
from nextcall.guard.features import FEATURES, TextFeatures
from nextcall.guard.grams import GRAMS, add_scores, logistic
from nextcall.guard.signatures import FAMILIES, SIGNATURES

_WEIGHTS: Final = "weights.npz"
OF_A_WORD: Final = -3.0  # far below all thresholds, which are at least 0
"""Most that a score of a single word may be, but for that of an instruction."""

_MANIFEST: Final = "manifest.json"
_LEVELS: Final = 127  # of a weight of an n-gram on either side of zero


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardModel:
    """Weights of features by family, and how their sums become risks.

    Attributes
    ----------
    weights : NDArray of float32 of shape (n_features, n_families)
        What each feature adds to a family's score.
    intercepts : NDArray of float64 of shape (n_families,)
        Score of a text without a feature.
    thresholds : NDArray of float64 of shape (n_families,)
        Score from which a text is taken for an attack; its risk is 0.5.
    slopes : NDArray of float64 of shape (n_families,)
        How fast the log-odds of an attack grow with the score.
    """

    weights: NDArray[np.float32]
    intercepts: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    slopes: NDArray[np.float64]

    def scores(self, features: TextFeatures) -> NDArray[np.float64]:
        """Sum the weights of a text's features, by family.

        A single word of letters and digits is no payload: it is a name, or a value.
        """
        scores = self.intercepts.copy()
        traits = np.array(features.traits, np.int64)
        add_scores(features.grams, features.counts, traits, self.weights, scores)
        if features.text.isalnum():
            scores[1:] = np.minimum(scores[1:], OF_A_WORD)
        return scores

    def risks(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Turn scores into risks in [0, 1]; 0.5 at the threshold."""
        every = np.asarray(scores, np.float64)
        rows = np.ascontiguousarray(every).reshape(-1, len(self.thresholds))
        return logistic(rows, self.thresholds, self.slopes).reshape(every.shape)

    def save(self, folder: Path, *, manifest: dict[str, object]) -> None:
        """Write weights and manifest into a folder; those of n-grams with eight bits."""
        grams = self.weights[:GRAMS]
        steps = np.maximum(np.abs(grams).max(axis=0), 1e-12) / _LEVELS
        with atomic_path(folder / _WEIGHTS) as path:
            np.savez_compressed(
                path,
                grams=np.rint(grams / steps).astype(np.int8),
                steps=steps,
                traits=self.weights[GRAMS:],
                intercepts=self.intercepts,
                thresholds=self.thresholds,
                slopes=self.slopes,
            )
        names = {"families": FAMILIES, "signatures": [signature.name for signature in SIGNATURES]}
        with atomic_path(folder / _MANIFEST) as path:
            path.write_text(json.dumps({**names, **manifest}, indent=1, ensure_ascii=False) + "\n")


def load_guard_model(folder: Path) -> GuardModel:
    """Read what `GuardModel.save` wrote.

    Raises
    ------
    ValueError
        Where the model was trained with other features than this version computes.
    """
    manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    if manifest["signatures"] != [signature.name for signature in SIGNATURES]:
        raise ValueError(f"{folder} must be trained with this version's signatures, is not.")
    with np.load(folder / _WEIGHTS, allow_pickle=False) as arrays:
        grams = arrays["grams"].astype(np.float32) * arrays["steps"].astype(np.float32)
        weights = np.concatenate([grams, arrays["traits"].astype(np.float32)])
        if weights.shape != (FEATURES, len(FAMILIES)):
            raise ValueError(
                f"{folder} must hold weights of {FEATURES} features, has {weights.shape[0]}."
            )
        return GuardModel(
            weights=weights,
            intercepts=arrays["intercepts"],
            thresholds=arrays["thresholds"],
            slopes=arrays["slopes"],
        )


def guard_model_version(folder: Path) -> str:
    """Name a model: how many texts it was trained with, and the start of its files' hash.

    Parameters
    ----------
    folder : Path
        That `GuardModel.save` wrote.
    """
    manifest = (folder / _MANIFEST).read_bytes()
    digest = hashlib.sha256(manifest + (folder / _WEIGHTS).read_bytes()).hexdigest()
    return f"{json.loads(manifest).get('texts', 0)}-{digest[:8]}"
