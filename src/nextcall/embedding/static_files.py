"""A static encoder on disk: its arrays and one JSON file; nothing that runs when it is read."""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from nextcall.embedding.mapped import mapped_member
from nextcall.embedding.static_embedder import StaticEmbedder
from nextcall.embedding.wordpieces import tokenizer_digest
from nextcall.files import atomic_path, sha256_file

_FORMAT: Final = "nextcall.static.1"
_FILE: Final = "encoder.json"
_TABLE: Final = "table"
_ARRAYS: Final = ("steps", "pairs", "blank")
_PACKAGES: Final = ("nextcall", "numpy", "scipy")


class EncoderError(ValueError):
    """A folder holds no static encoder that can be used; the message says which file and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderCard:
    """What a static encoder was made of and how good it was."""

    catalog: str
    """Name of the catalogue that it was distilled on."""
    catalog_hash: str
    """Content hash of that catalogue."""
    n_texts: int
    """Texts that it was distilled on."""
    made_at: str
    """ISO 8601, UTC."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Figures, by name."""
    versions: Mapping[str, str] = field(
        default_factory=lambda: {package: version(package) for package in _PACKAGES}
    )
    """Versions of the packages that made it."""


def save_static(embedder: StaticEmbedder, directory: Path, *, card: EncoderCard) -> None:
    """Write an encoder; one that lies there stays usable until the new one is whole."""
    arrays = directory / f"{embedder.name}.npz"
    with atomic_path(arrays) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            table=np.ascontiguousarray(embedder.table),
            steps=embedder.steps,
            pairs=embedder.pairs,
            blank=embedder.blank,
        )
    values = {
        "format": _FORMAT,
        "arrays": {"file": arrays.name, "sha256": sha256_file(arrays)},
        "name": embedder.name,
        "teacher": embedder.teacher,
        "tokenizer": tokenizer_digest(),
        "card": {**asdict(card), "metrics": dict(card.metrics), "versions": dict(card.versions)},
    }
    values["sha256"] = _digest(values)
    with atomic_path(directory / _FILE) as temporary:
        temporary.write_text(json.dumps(values, indent=1, sort_keys=True), encoding="utf-8")
    for old in directory.glob("static-*.npz"):
        if old != arrays:
            old.unlink()


def load_static(directory: Path) -> tuple[StaticEmbedder, EncoderCard]:
    """Read what `save_static` wrote.

    Raises
    ------
    EncoderError
        Where the folder holds no encoder, a damaged one, or one of another format or tokenizer.
    """
    path = directory / _FILE
    values = _read_values(path)
    if values.get("format") != _FORMAT:
        raise EncoderError(f"{path}: format must be {_FORMAT!r}, got {values.get('format')!r}.")
    if values.pop("sha256", None) != _digest(values):
        raise EncoderError(f"{path}: its content does not match its own sha256: it is damaged.")
    if values.get("tokenizer") != tokenizer_digest():
        raise EncoderError(f"{path}: was made for another tokenizer: distil it again.")
    try:
        arrays = directory / Path(values["arrays"]["file"]).name
        _prove(arrays, values["arrays"]["sha256"])
        embedder = _read_arrays(arrays, teacher=values["teacher"], name=values["name"])
        card = EncoderCard(**values["card"])
    except (KeyError, TypeError, AttributeError) as error:
        raise EncoderError(f"{path}: holds no whole encoder: {error!r}.") from error
    return embedder, card


def _prove(path: Path, sha256: str) -> None:
    """Refuse a file whose bytes are not those that were written."""
    try:
        intact = sha256_file(path) == sha256
    except OSError as error:
        raise EncoderError(f"{path}: cannot be read: {error}.") from error
    if not intact:
        raise EncoderError(f"{path}: does not match the sha256 in {_FILE}: it is damaged.")


def _read_arrays(path: Path, *, teacher: str, name: str) -> StaticEmbedder:
    """Make an encoder of the arrays of a file; the table, its largest, stays there."""
    try:
        table = mapped_member(path, _TABLE)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {array: stored[array] for array in _ARRAYS}
        return StaticEmbedder(table=table, **arrays, teacher=teacher, name=name)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise EncoderError(f"{path}: holds no static encoder: {error}.") from error


def _read_values(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EncoderError(
            f"{path.parent}: must hold a static encoder ({path.name}), found none."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise EncoderError(f"{path}: must be JSON: {error}.") from error
    if not isinstance(values, dict):
        raise EncoderError(f"{path}: must hold a JSON object, got {type(values).__name__}.")
    return values


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
