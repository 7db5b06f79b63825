"""An adapted ranker on disk: beside its trees its base and its evidence, each proved by its hash.

Nothing in it runs when it is read.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from nextcall.ranking.adapted_features import TargetEvidence
from nextcall.ranking.adapted_ranker import AdaptedRanker
from nextcall.ranking.adapted_score import ADAPTED_COLUMNS, WEIGHED, AdaptedScore
from nextcall.ranking.any_ranker import ADAPTED_FORMAT
from nextcall.ranking.array_file import ArrayGroup, read_arrays, write_arrays
from nextcall.ranking.boosting import Trees
from nextcall.ranking.calibration import Calibration
from nextcall.ranking.model_files import (
    RANKER_FILE,
    ModelCard,
    ModelError,
    load_ranker,
    remove_others,
    save_ranker,
)
from nextcall.ranking.signed_files import (
    read_text,
    read_values,
    require,
    write_text,
    write_values,
)


def save_adapted(
    ranker: AdaptedRanker, directory: Path, *, card: ModelCard, base_card: ModelCard
) -> None:
    """Write an adapted ranker; a model that lies there stays usable until the new one is whole.

    Parameters
    ----------
    card : ModelCard
        Of the adapted ranker; its embedder is that of the index it was adapted with.
    base_card : ModelCard
        Of the ranker that was adapted, which is written, too, in a folder of its own.
    """
    text = ranker.score.trees.to_text()
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    trees = f"trees-{sha256[:12]}.txt"
    base = f"base-{ranker.base.digest[:12]}"
    save_ranker(ranker.base, directory / base, card=base_card)
    write_text(text, directory / trees)
    evidence, proof = write_arrays(ranker.evidence.to_arrays(), directory, stem="evidence")
    values = {
        "format": ADAPTED_FORMAT,
        "base": {"folder": base, "sha256": ranker.base.digest},
        "trees": {"file": trees, "sha256": sha256},
        "feature_names": list(ranker.score.trees.feature_names),
        "weights": dict(zip(WEIGHED, ranker.score.weights.tolist(), strict=True)),
        "tree_weight": ranker.score.tree_weight,
        "calibration": ranker.calibration.to_dict(),
        "evidence": {
            "file": evidence,
            "sha256": proof,
            "content_hash": ranker.evidence.content_hash,
            "encoder": ranker.evidence.encoder,
            "ordered": ranker.evidence.ordered,
        },
        "card": {**asdict(card), "metrics": dict(card.metrics), "versions": dict(card.versions)},
    }
    write_values(values, directory / RANKER_FILE)
    remove_others(directory, keep={trees, evidence, base})


def load_adapted(directory: Path) -> tuple[AdaptedRanker, ModelCard]:
    """Read what `save_adapted` wrote; it ranks bit for bit as it did.

    Raises
    ------
    ModelError
        Where the folder holds no adapted ranker, a damaged one, or one of another format.
    """
    path = directory / RANKER_FILE
    values = read_values(path, form=ADAPTED_FORMAT)
    try:
        return _rebuild(values, directory)
    except ModelError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: holds no whole adapted ranker: {error!r}.") from error


def _rebuild(values: Mapping[str, Any], directory: Path) -> tuple[AdaptedRanker, ModelCard]:
    """Make a ranker of what the file says and of what lies beside it."""
    path = directory / RANKER_FILE
    require(
        tuple(values["feature_names"]) == ADAPTED_COLUMNS,
        path,
        "its features are not those of this version: adapt it again",
    )
    folder = directory / Path(values["base"]["folder"]).name
    base, _ = load_ranker(folder)
    require(
        base.digest == values["base"]["sha256"], folder, f"is not the base that {path.name} names"
    )
    file = directory / Path(values["trees"]["file"]).name
    text = read_text(file, sha256=values["trees"]["sha256"], stated_in=RANKER_FILE)
    stated = values["evidence"]
    file = directory / Path(stated["file"]).name
    arrays = read_arrays(file, sha256=stated["sha256"], stated_in=RANKER_FILE)
    try:
        evidence = TargetEvidence.from_arrays(
            ArrayGroup(arrays),
            base.prior_,
            content_hash=str(stated["content_hash"]),
            encoder=str(stated["encoder"]),
            ordered=bool(stated["ordered"]),
        )
    except ValueError as error:
        raise ModelError(f"{file}: holds no whole evidence: {error}.") from error
    weights = [float(values["weights"][name]) for name in WEIGHED]
    tree_weight = float(values["tree_weight"])
    require(all(map(isfinite, (*weights, tree_weight))), path, "its weights must be finite")
    score = AdaptedScore(
        trees=Trees.from_text(text), tree_weight=tree_weight, weights=np.array(weights)
    )
    calibration = Calibration.from_dict(values["calibration"])
    card = ModelCard(**values["card"])
    return AdaptedRanker(base, evidence, score, calibration), card
