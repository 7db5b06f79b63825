"""The state of entities' patterns as a file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nextcall.anomaly.entity_record import (
    EASE,
    EXCESS,
    MOST_VISITS,
    NAMES,
    RISK,
    SQUARES,
    EntityRecord,
)
from nextcall.anomaly.state_file import check_beginning
from nextcall.files import atomic_path

_FORMAT: Final = 2
_NEW: Final = EntityRecord()
_PARTS: Final = ("numbers", "levels", "visits", "learned", "counts")


def save_entities(
    path: Path, *, rate: float, span: float, zone: str, records: Mapping[str, EntityRecord]
) -> None:
    """Write rate, span, zone and all entities; as `EntityPatterns.save`."""
    names = [[entity, list(record.behaviors)] for entity, record in records.items()]

    def of_all(part: str) -> NDArray[Any]:
        rows = np.zeros((len(records), *getattr(_NEW, part).shape), getattr(_NEW, part).dtype)
        for row, record in zip(rows, records.values(), strict=True):
            row[...] = getattr(record, part)
        return rows

    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            format=_FORMAT,
            options=np.array([rate, span]),
            zone=np.frombuffer(zone.encode(), dtype=np.uint8),
            names=np.frombuffer(json.dumps(names).encode(), dtype=np.uint8),
            numbers=of_all("numbers"),
            levels=of_all("levels"),
            visits=of_all("visits"),
            learned=of_all("learned"),
            counts=of_all("counts"),
        )


def load_entities(path: Path) -> tuple[float, float, str, dict[str, EntityRecord]]:
    """Read rate, span, zone and entities; as `EntityPatterns.load`."""
    try:
        with path.open("rb") as file:
            check_beginning(file)
            with np.load(file, allow_pickle=False) as arrays:
                version, options, text = (arrays[name] for name in ("format", "options", "names"))
                zone = arrays["zone"].tobytes().decode()
                parts = {part: arrays[part] for part in _PARTS}
        if version.shape or version != _FORMAT:
            raise ValueError(f"its format must be {_FORMAT}, got {version}")  # noqa: TRY301  # told with the path below
        if options.shape != (2,) or options.dtype != np.float64:
            raise ValueError("its options must be two numbers")  # noqa: TRY301  # as above
        names = _read_names(json.loads(text.tobytes()))
        _check_parts(parts, len(names))
    except (AttributeError, BadZipFile, EOFError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no state of entities: {error}.") from error
    records = {}
    for row, (entity, behaviors) in enumerate(names.items()):
        record = records[entity] = EntityRecord()
        record.behaviors = {name: place for place, name in enumerate(behaviors)}
        for part in _PARTS:
            getattr(record, part)[...] = parts[part][row]
    rate, span = options.tolist()
    return rate, span, zone, records


def _read_names(found: Any) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for entity, behaviors in found:
        if not all(isinstance(name, str) for name in (entity, *behaviors)):
            raise ValueError("its names must be text")
        if entity in names or len(set(behaviors)) < len(behaviors):
            raise ValueError("a name occurs twice")
        if len(behaviors) > NAMES:
            raise ValueError(f"an entity has more than {NAMES} behaviors by name")
        names[entity] = behaviors
    return names


def _check_parts(parts: dict[str, NDArray[Any]], n_entities: int) -> None:
    for name, values in parts.items():
        like = getattr(_NEW, name)
        if values.dtype != like.dtype or values.shape != (n_entities, *like.shape):
            raise ValueError(f"its {name} must be {like.dtype} of shape {like.shape} an entity")
        if not np.isfinite(values).all():
            raise ValueError("a number of its state is not finite")
        if name != "numbers" and (values < 0).any():
            raise ValueError("a number of its state is below 0")
    numbers = parts["numbers"]
    whole = numbers[:, :RISK]
    if not ((np.abs(whole) < 2**53) & (whole == np.floor(whole))).all():
        raise ValueError("a count of its state is not one")
    if (numbers[:, 1:EXCESS] < 0).any() or (
        np.delete(numbers, EASE, axis=1)[:, SQUARES:] < 0
    ).any():
        raise ValueError("a number of its state is below 0")
    if (parts["visits"] > MOST_VISITS).any():
        raise ValueError("an hour of its state was seen too often")
