"""What a new model gained beside another one on the same queries, kept beside its files."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from nextcall.files import sha256_file
from nextcall.ranking.model_files import RANKER_FILE, ModelError
from nextcall.ranking.signed_files import read_values, write_values

_FORMAT: Final = "nextcall.judged.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnSameQueries:
    """NDCG@10 of two models on the same queries, 0 to 1; higher is better."""

    ndcg: float
    """Of the new model."""
    present_ndcg: float
    """Of the one that it is held against."""
    difference: float
    """New minus present."""
    ci_lower: float | None
    """Lower end of the 95 % interval of the difference, by whole groups; None for one group."""
    ci_upper: float | None
    queries: int
    groups: int
    """What the split kept together: services, or sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How a new model did beside another."""

    against: str
    """Which one that was, as `model_digest` names it."""
    on_same: OnSameQueries | None
    """None where too few queries were new to both."""
    left_out: int
    """Queries kept from the new model's training that the other is known to have learned from."""
    may_have_learned: bool
    """Whether the other may have learned from those that are left: it keeps no hashes of its own.
    That can only favour the other."""


def model_digest(directory: Path) -> str:
    """Name a saved model by the hash of the file that proves all others.

    Raises
    ------
    ModelError
        Where the folder holds no ranker.
    """
    try:
        return sha256_file(directory / RANKER_FILE)
    except OSError as error:
        raise ModelError(f"{directory}: must hold a ranker ({RANKER_FILE}).") from error


def save_judged(judged: Judged, directory: Path, *, trees: str) -> None:
    """Write beside a saved model how it did; `trees` is the hash of its trees."""
    write_values({"format": _FORMAT, "judged": asdict(judged)}, _path(directory, trees))


def load_judged(directory: Path, *, trees: str) -> Judged | None:
    """Read what `save_judged` wrote; None where nothing was written.

    Raises
    ------
    ModelError
        Where the file is damaged.
    """
    path = _path(directory, trees)
    if not path.exists():
        return None
    values = read_values(path, form=_FORMAT)
    try:
        return _rebuilt(values["judged"])
    except (KeyError, TypeError) as error:
        raise ModelError(f"{path}: holds no whole judgement: {error!r}.") from error


def _rebuilt(values: Mapping[str, Any]) -> Judged:
    on_same = values["on_same"]
    found = None if on_same is None else OnSameQueries(**on_same)
    return Judged(**{**values, "on_same": found})


def _path(directory: Path, trees: str) -> Path:
    return directory / f"judged-{trees[:12]}.json"
