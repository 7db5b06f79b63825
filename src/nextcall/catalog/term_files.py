"""Term tables kept in a file: plain arrays, no pickle."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from nextcall.catalog.terms import TermTables
from nextcall.files import atomic_path


def save_tables(path: Path, tables: TermTables) -> None:
    """Write tables to a file (``npz``) that is whole or absent."""
    arrays = {name: getattr(tables, name) for name in TermTables.__slots__ if name != "terms"}
    words = np.frombuffer("\n".join(tables.terms).encode(), dtype=np.uint8)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, terms=words, **arrays)


def load_tables(path: Path) -> TermTables | None:
    """Read what `save_tables` wrote; None where there is no file, or none that is whole."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in TermTables.__slots__}
            words = arrays.pop("terms").tobytes().decode()
            return TermTables(terms=tuple(words.split("\n")) if words else (), **arrays)
    # What zipfile and numpy raise where a byte has changed; such a file is built anew.
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, BadZipFile):
        return None
