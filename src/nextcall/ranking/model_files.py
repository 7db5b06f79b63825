"""A ranker on disk: LightGBM's text, JSON files, and the prompts that it learned from if kept.

Nothing in it runs when it is read.
"""

import hashlib
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from nextcall.files import atomic_path
from nextcall.locations import packaged_model
from nextcall.ranking.abstention import Abstention
from nextcall.ranking.boosting import BoostingSettings, Trees
from nextcall.ranking.calibration import Calibration
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.signed_files import (
    ModelError,
    digest,
    read_text,
    read_values,
    require,
    write_text,
    write_values,
)
from nextcall.ranking.training_prompts import TrainingPrompts
from nextcall.ranking.workflow import WorkflowPrior

__all__ = [
    "RANKER_FILE",
    "ModelCard",
    "ModelError",
    "forget_prompts",
    "load_abstention",
    "load_prompts",
    "load_ranker",
    "packaged_abstention",
    "remove_others",
    "save_abstention",
    "save_prompts",
    "save_ranker",
]

_FORMAT: Final = "nextcall.ranker.1"
RANKER_FILE: Final = "ranker.json"
"""What a model's folder is known by: it names, and proves, all other files of it."""

_PROMPTS_FORMAT: Final = b"nextcall.prompts.1"
_PROMPTS: Final = "prompts-*.parquet"  # named after the trees that learned from them
_LEARNED: Final = "learned-*.json"  # hashes of the queries that they learned from
_OF_ONE_MODEL: Final = (
    *("trees-*.txt", _PROMPTS, _LEARNED),
    *("judged-*.json", "evidence-*.npz", "base-*"),
)
_PROMPTS_SCHEMA: Final = pa.schema(
    [pa.field("prompt", pa.string()), pa.field("relevant", pa.list_(pa.string()))]
)
_ABSTENTION_FORMAT: Final = "nextcall.abstention.1"
_ABSTENTION_FILE: Final = "abstention.json"
_PACKAGES: Final = ("nextcall", "lightgbm", "numpy")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What a ranker was made of and how good it was."""

    catalog: str
    """Name of the catalogue that it was trained on."""
    catalog_hash: str
    """Content hash of that catalogue."""
    embedder: str
    """Name of the embedder whose similarities it knows."""
    trained_at: str
    """ISO 8601, UTC."""
    seed: int
    n_queries: int
    """Training queries."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Held-out figures, by name."""
    versions: Mapping[str, str] = field(
        default_factory=lambda: {package: version(package) for package in _PACKAGES}
    )
    """Versions of the packages that trained it."""


def save_ranker(ranker: CallRanker, directory: Path, *, card: ModelCard) -> None:
    """Write a fitted ranker; a model that lies there stays usable until the new one is whole.

    Its training prompts are written too where it has them; those of other trees are removed.

    Raises
    ------
    ValueError
        Where the ranker was not fitted.
    """
    if not hasattr(ranker, "trees_"):
        raise ValueError("ranker must be fitted before it is saved.")
    text = ranker.trees_.to_text()
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    trees = directory / f"trees-{sha256[:12]}.txt"
    write_text(text, trees)
    values = {
        "format": _FORMAT,
        "trees": {"file": trees.name, "sha256": sha256},
        "feature_names": list(ranker.trees_.feature_names),
        "settings": asdict(ranker.settings),
        "hard_negatives": ranker.hard_negatives,
        "random_negatives": ranker.random_negatives,
        "calibration": ranker.calibration_.to_dict(),
        "prior": ranker.prior_.to_dict(),
        "card": {**asdict(card), "metrics": dict(card.metrics), "versions": dict(card.versions)},
    }
    if ranker.abstention_ is None:
        (directory / _ABSTENTION_FILE).unlink(missing_ok=True)
    else:
        save_abstention(ranker.abstention_, directory)
    write_values(values, directory / RANKER_FILE)
    remove_others(directory, keep={trees.name, _prompts_path(directory, sha256).name})
    if ranker.prompts_ is not None:
        save_prompts(ranker.prompts_, directory)


def remove_others(directory: Path, *, keep: Container[str]) -> None:
    """Remove files of other models from a folder, by their names."""
    for pattern in _OF_ONE_MODEL:
        for old in directory.glob(pattern):
            if old.name not in keep and old.is_dir():
                rmtree(old)
            elif old.name not in keep:
                old.unlink()


def save_prompts(prompts: TrainingPrompts, directory: Path) -> None:
    """Put the prompts that a saved ranker learned from beside it.

    Raises
    ------
    ModelError
        Where the folder holds no ranker.
    """
    columns = {"prompt": list(prompts.prompts), "relevant": [list(r) for r in prompts.relevant]}
    metadata = {"format": _PROMPTS_FORMAT, "sha256": digest(columns)}
    table = pa.table(columns, schema=_PROMPTS_SCHEMA.with_metadata(metadata))
    with atomic_path(_prompts_path(directory, _trees_digest(directory))) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def forget_prompts(directory: Path) -> None:
    """Remove the training prompts that lie beside a ranker, and their hashes, if any."""
    for pattern in (_PROMPTS, _LEARNED):
        for path in directory.glob(pattern):
            path.unlink()


def load_prompts(directory: Path) -> TrainingPrompts:
    """Read the prompts that a saved ranker learned from.

    Raises
    ------
    ModelError
        Where the folder holds no ranker, or one that keeps no prompts, or they are damaged.
    """
    path = _prompts_path(directory, _trees_digest(directory))
    try:
        with path.open("rb") as file:
            table = pq.read_table(file)
    except FileNotFoundError as error:
        raise ModelError(
            f"{directory}: keeps no training prompts ({path.name}): it was trained without keeping "
            "them."
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise ModelError(f"{path}: must be a whole Parquet file: {error}.") from error
    metadata = table.schema.metadata or {}
    require(
        metadata.get(b"format") == _PROMPTS_FORMAT and table.schema.equals(_PROMPTS_SCHEMA),
        path,
        "must be training prompts that nextcall wrote",
    )
    columns = table.to_pydict()
    require(
        metadata.get(b"sha256") == digest(columns).encode(),
        path,
        "its content does not match its own sha256: it is damaged",
    )
    return TrainingPrompts(
        prompts=tuple(columns["prompt"]), relevant=tuple(map(tuple, columns["relevant"]))
    )


def _prompts_path(directory: Path, sha256: str) -> Path:
    return directory / _PROMPTS.replace("*", sha256[:12])


def _trees_digest(directory: Path) -> str:
    path = directory / RANKER_FILE
    trees = read_values(path, form=_FORMAT).get("trees")
    sha256 = trees.get("sha256") if isinstance(trees, dict) else None
    require(isinstance(sha256, str), path, "must state the sha256 of its trees")
    return str(sha256)


def load_ranker(directory: Path) -> tuple[CallRanker, ModelCard]:
    """Read what `save_ranker` wrote.

    Raises
    ------
    ModelError
        Where the folder holds no ranker, a damaged one, or one of another format.
    """
    path = directory / RANKER_FILE
    values = read_values(path, form=_FORMAT)
    try:
        return _rebuild(values, directory)
    except ModelError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: holds no whole ranker: {error!r}.") from error


def save_abstention(abstention: Abstention, directory: Path) -> Path:
    """Write what was learned of abstaining beside a ranker, whose own files stay; give the path."""
    values = {"format": _ABSTENTION_FORMAT, "abstention": abstention.to_dict()}
    path = directory / _ABSTENTION_FILE
    write_values(values, path)
    return path


def load_abstention(directory: Path) -> Abstention | None:
    """Read what `save_abstention` wrote; None where nothing was written.

    Raises
    ------
    ModelError
        Where the file is damaged, or of another format.
    """
    path = directory / _ABSTENTION_FILE
    if not path.exists():
        return None
    values = read_values(path, form=_ABSTENTION_FORMAT)
    try:
        return Abstention.from_dict(values["abstention"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: holds no whole abstention: {error!r}.") from error


def packaged_abstention(index: CatalogIndex) -> Abstention | None:
    """Give what the packaged ranker has learned of abstaining, for a ranker over an index.

    None where the index has vectors of another model.
    """
    found = load_abstention(packaged_model())
    return found if found is not None and found.knows(index) else None


def _rebuild(values: Mapping[str, Any], directory: Path) -> tuple[CallRanker, ModelCard]:
    """Make a ranker of what the file says and of the trees beside it."""
    names = tuple(values["feature_names"])
    require(
        names == FEATURE_NAMES,
        directory / RANKER_FILE,
        "its features are not those of this version: train it again",
    )
    trees_path = directory / Path(values["trees"]["file"]).name
    text = read_text(trees_path, sha256=values["trees"]["sha256"], stated_in=RANKER_FILE)
    settings = values["settings"]
    ranker = CallRanker(
        settings=BoostingSettings(**{**settings, "ignored": tuple(settings.get("ignored", ()))}),
        hard_negatives=values["hard_negatives"],
        random_negatives=values["random_negatives"],
    )
    ranker.trees_ = Trees.from_text(text)
    ranker.prior_ = WorkflowPrior.from_dict(values["prior"])
    ranker.calibration_ = Calibration.from_dict(values["calibration"])
    ranker.abstention_ = load_abstention(directory)
    return ranker, ModelCard(**values["card"])
