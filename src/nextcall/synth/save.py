"""A simulation as files: the sessions, the truth about them, and what they were made from."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nextcall.files import atomic_path, sha256_file
from nextcall.sessions.jsonl import read_queries
from nextcall.sessions.table import save_sessions
from nextcall.synth.simulate import Simulation


def load_prompts(path: Path) -> dict[str, list[str]]:
    """Read real prompts by operation id from queries (JSONL), for `simulate`.

    A query with several right answers gives its prompt to each of them.
    """
    prompts: dict[str, list[str]] = {}
    for query in read_queries(path):
        for operation_id in query.relevant:
            prompts.setdefault(operation_id, []).append(query.prompt)
    return prompts


def save_simulation(
    simulation: Simulation,
    folder: Path,
    *,
    session_format: str = "parquet",
    manifest: Mapping[str, Any] | None = None,
) -> Path:
    """Write a simulation into a folder.

    The files are ``sessions.parquet`` (or ``.jsonl``), ``truth.json`` (chains, rates and counts),
    ``truth_calls.parquet`` (what each call was meant to be), ``truth_sessions.parquet`` and
    ``truth_users.parquet``, and ``manifest.json`` (settings, `manifest`, versions, and the SHA-256
    of the catalogue's content and of every other file). The same simulation gives the same bytes.

    Parameters
    ----------
    simulation : Simulation
        What is written.
    folder : Path
        Made where it is missing; files of these names are replaced.
    session_format : str
        ``parquet`` or ``jsonl``.
    manifest : mapping, optional
        What else led to the simulation, as values that JSON can hold.

    Returns
    -------
    Path
        The file of the sessions.

    Raises
    ------
    ValueError
        Where the format is neither.
    """
    if session_format not in {"parquet", "jsonl"}:
        raise ValueError(f"session_format must be 'parquet' or 'jsonl', got {session_format!r}.")
    truth = simulation.truth
    sessions = folder / f"sessions.{session_format}"
    save_sessions(simulation.sessions, sessions)
    _write_json(folder / "truth.json", truth.to_dict())
    files = [sessions, folder / "truth.json"]
    for name in ("calls", "sessions", "users"):
        path = folder / f"truth_{name}.parquet"
        with atomic_path(path) as temporary:
            getattr(truth, name).to_parquet(temporary, compression="zstd", index=False)
        files.append(path)
    settings = asdict(truth.settings) | {"start": truth.settings.start.isoformat()}
    _write_json(
        folder / "manifest.json",
        {
            **(manifest or {}),
            "settings": settings,
            "catalog": {
                "name": simulation.catalog.name,
                "operations": len(simulation.catalog),
                "sha256": simulation.catalog.content_hash,
            },
            "versions": {name: version(name) for name in ("nextcall", "numpy", "pandas")},
            "files": {path.name: sha256_file(path) for path in files},
        },
    )
    return sessions


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
