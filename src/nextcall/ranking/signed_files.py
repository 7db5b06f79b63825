"""Files of a saved model that are proved by hashes: their own, or one that is stated elsewhere."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from nextcall.files import atomic_path

_LARGEST: Final = 256 << 20  # bytes of a file that is read at once


class ModelError(ValueError):
    """A folder holds no ranker that can be used; the message says which file and why."""


def write_values(values: Mapping[str, Any], path: Path) -> None:
    """Write values as JSON, with their hash among them; the file is whole or absent."""
    signed = {**values, "sha256": digest(values)}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(signed, indent=1, sort_keys=True), encoding="utf-8")


def read_values(path: Path, *, form: str) -> dict[str, Any]:
    """Read what `write_values` wrote, of one format.

    Raises
    ------
    ModelError
        Where there is no such file, or it is damaged, larger than any of ours, or of another
        format.
    """
    values = _object(path)
    given = values.get("format")
    require(given == form, path, f"format must be {form!r}, got {given!r}")
    stated = values.pop("sha256", None)
    require(
        stated == digest(values), path, "its content does not match its own sha256: it is damaged"
    )
    return values


def format_of(path: Path) -> object:
    """Tell which format a file of values states; its content is not proved.

    Raises
    ------
    ModelError
        Where there is no such file, or it holds no JSON object.
    """
    return _object(path).get("format")


def write_text(text: str, path: Path) -> None:
    """Write a text; the file is whole or absent."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_text(path: Path, *, sha256: str, stated_in: str) -> str:
    """Read a text whose hash is stated elsewhere.

    Raises
    ------
    ModelError
        Where it cannot be read, or is another.
    """
    try:
        text = _bounded(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}.") from error
    intact = hashlib.sha256(text.encode()).hexdigest() == sha256
    require(intact, path, f"does not match the sha256 in {stated_in}: it is damaged")
    return text


def require(condition: bool, path: Path, rule: str) -> None:  # noqa: FBT001  # a condition
    """Raise `ModelError` where a condition does not hold."""
    if not condition:
        raise ModelError(f"{path}: {rule}.")


def digest(values: Mapping[str, Any]) -> str:
    """Hash plain JSON values, in whatever order they stand."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _object(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(_bounded(path).decode("utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{path.parent}: must hold a ranker ({path.name}), found none.") from error
    except ModelError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: must be JSON: {error}.") from error
    require(isinstance(values, dict), path, "must hold a JSON object")
    return dict(values)


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    require(len(data) <= _LARGEST, path, f"must have at most {_LARGEST:,} bytes, got more")
    return data
