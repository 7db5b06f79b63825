"""Where a report comes from: ``manifest.json``."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import get_args, get_origin, get_type_hints

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a run was made of, enough to tell whether another would give the same."""

    name: str
    question: str
    experiment: str
    """The YAML file, relative to the project."""
    notebook: str
    """The ``.py`` file, relative to the project."""
    notebook_sha256: str
    package_sha256: str
    """One hash over the sources and the shipped data of the package."""
    data: Mapping[str, str | None]
    """Path to sha256; None where a small run did without the file."""
    parameters: Mapping[str, object]
    """All of them, as the notebook saw them, but for `out`."""
    smoke: bool
    seed: int
    figures: Mapping[str, str]
    """Result to label: what the index shows."""
    commit: str | None
    """None outside a git checkout."""
    dirty: bool | None
    """Whether anything but reports differed from the commit; None outside a git checkout."""
    versions: Mapping[str, str]
    machine: str
    cores: int
    started: str
    """UTC, ISO 8601."""
    finished: str
    """UTC, ISO 8601."""
    duration_s: float
    outputs: Mapping[str, str]
    """Every other file of the report folder to its sha256."""


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest as JSON, one key a line."""
    text = json.dumps(dataclasses.asdict(manifest), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where the file is no manifest: names the file, the key and the rule.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: must be JSON: {error}.") from error
    if not isinstance(raw, dict):
        raise ValueError(  # noqa: TRY004  # bad data, not a bad argument
            f"{path}: must be a map of the manifest's keys."
        )
    hints = get_type_hints(Manifest)
    for key in hints.keys() | raw.keys():
        if key not in raw or key not in hints:
            rule = "be given" if key not in raw else "be left out, for no manifest has it"
            raise ValueError(f"{path}: {key} must {rule}.")
        hint = hints[key]
        if not isinstance(raw[key], _classes(hint)):
            raise ValueError(  # noqa: TRY004  # as above
                f"{path}: {key} must be {_spell(hint)}, got {raw[key]!r}."
            )
    return Manifest(**raw)


def _classes(hint: object) -> tuple[type, ...]:
    if get_origin(hint) is Mapping:
        return (dict,)
    kinds = get_args(hint) or (hint,)
    return tuple(kind for kind in kinds if isinstance(kind, type))


def _spell(hint: object) -> str:
    return " or ".join(
        "null" if kind is NoneType else "a map" if kind is dict else kind.__name__
        for kind in _classes(hint)
    )
