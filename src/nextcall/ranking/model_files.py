"""A ranker on disk: LightGBM's text, JSON files, and the prompts that it learned from if kept.

Nothing in it runs when it is read.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
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
from nextcall.ranking.training_prompts import TrainingPrompts
from nextcall.ranking.workflow import WorkflowPrior

_FORMAT: Final = "nextcall.ranker.1"
_FILE: Final = "ranker.json"
_PROMPTS_FORMAT: Final = b"nextcall.prompts.1"
_PROMPTS: Final = "prompts-*.parquet"  # named after the trees that learned from them
_PROMPTS_SCHEMA: Final = pa.schema(
    [pa.field("prompt", pa.string()), pa.field("relevant", pa.list_(pa.string()))]
)
_ABSTENTION_FORMAT: Final = "nextcall.abstention.1"
_ABSTENTION_FILE: Final = "abstention.json"
_PACKAGES: Final = ("nextcall", "lightgbm", "numpy")


class ModelError(ValueError):
    """A folder holds no ranker that can be used; the message says which file and why."""


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
    digest = hashlib.sha256(text.encode()).hexdigest()
    trees = directory / f"trees-{digest[:12]}.txt"
    with atomic_path(trees) as temporary:
        temporary.write_text(text, encoding="utf-8")
    values = {
        "format": _FORMAT,
        "trees": {"file": trees.name, "sha256": digest},
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
    _write_values(values, directory / _FILE)
    for old in directory.glob("trees-*.txt"):
        if old != trees:
            old.unlink()
    for old in directory.glob(_PROMPTS):
        if old != _prompts_path(directory, digest):
            old.unlink()
    if ranker.prompts_ is not None:
        save_prompts(ranker.prompts_, directory)


def save_prompts(prompts: TrainingPrompts, directory: Path) -> None:
    """Put the prompts that a saved ranker learned from beside it.

    Raises
    ------
    ModelError
        Where the folder holds no ranker.
    """
    columns = {"prompt": list(prompts.prompts), "relevant": [list(r) for r in prompts.relevant]}
    metadata = {"format": _PROMPTS_FORMAT, "sha256": _digest(columns)}
    table = pa.table(columns, schema=_PROMPTS_SCHEMA.with_metadata(metadata))
    with atomic_path(_prompts_path(directory, _trees_digest(directory))) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def forget_prompts(directory: Path) -> None:
    """Remove the training prompts that lie beside a ranker, if any."""
    for path in directory.glob(_PROMPTS):
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
    _require(
        metadata.get(b"format") == _PROMPTS_FORMAT and table.schema.equals(_PROMPTS_SCHEMA),
        path,
        "must be training prompts that nextcall wrote",
    )
    columns = table.to_pydict()
    _require(
        metadata.get(b"sha256") == _digest(columns).encode(),
        path,
        "its content does not match its own sha256: it is damaged",
    )
    return TrainingPrompts(
        prompts=tuple(columns["prompt"]), relevant=tuple(map(tuple, columns["relevant"]))
    )


def _prompts_path(directory: Path, digest: str) -> Path:
    return directory / _PROMPTS.replace("*", digest[:12])


def _trees_digest(directory: Path) -> str:
    path = directory / _FILE
    trees = _read_values(path, form=_FORMAT).get("trees")
    digest = trees.get("sha256") if isinstance(trees, dict) else None
    _require(isinstance(digest, str), path, "must state the sha256 of its trees")
    return str(digest)


def load_ranker(directory: Path) -> tuple[CallRanker, ModelCard]:
    """Read what `save_ranker` wrote.

    Raises
    ------
    ModelError
        Where the folder holds no ranker, a damaged one, or one of another format.
    """
    path = directory / _FILE
    values = _read_values(path, form=_FORMAT)
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
    _write_values(values, path)
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
    values = _read_values(path, form=_ABSTENTION_FORMAT)
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
    _require(
        names == FEATURE_NAMES,
        directory / _FILE,
        "its features are not those of this version: train it again",
    )
    trees_path = directory / Path(values["trees"]["file"]).name
    try:
        text = trees_path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{trees_path}: cannot be read: {error}.") from error
    intact = hashlib.sha256(text.encode()).hexdigest() == values["trees"]["sha256"]
    _require(intact, trees_path, f"does not match the sha256 in {_FILE}: it is damaged")
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


def _write_values(values: Mapping[str, Any], path: Path) -> None:
    signed = {**values, "sha256": _digest(values)}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(signed, indent=1, sort_keys=True), encoding="utf-8")


def _read_values(path: Path, *, form: str) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{path.parent}: must hold a ranker ({path.name}), found none.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: must be JSON: {error}.") from error
    _require(isinstance(values, dict), path, "must hold a JSON object")
    given = values.get("format")
    _require(given == form, path, f"format must be {form!r}, got {given!r}")
    stated = values.pop("sha256", None)
    intact = stated == _digest(values)
    _require(intact, path, "its content does not match its own sha256: it is damaged")
    return dict(values)


def _require(condition: bool, path: Path, rule: str) -> None:  # noqa: FBT001  # a condition
    if not condition:
        raise ModelError(f"{path}: {rule}.")


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
