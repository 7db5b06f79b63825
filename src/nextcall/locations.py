"""Where things lie when a command is not told: read from the environment, in one place."""

import os
import sys
from pathlib import Path


def cache_dir() -> Path:
    """Folder for what can be computed again: ``NEXTCALL_CACHE_DIR``, else the user's cache."""
    if named := os.environ.get("NEXTCALL_CACHE_DIR"):
        return Path(named).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "nextcall"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "nextcall"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "nextcall"


def data_dir() -> Path:
    """Folder for catalogues and models: ``NEXTCALL_DATA_DIR``, else ``data`` here."""
    return Path(os.environ.get("NEXTCALL_DATA_DIR", "data"))


def shared_dir() -> Path:
    """Folder of the evaluation data, which no package ships: ``NEXTCALL_SHARED``."""
    return Path(os.environ.get("NEXTCALL_SHARED", "../shared"))


def demo_catalog(data: Path) -> Path:
    """Catalogue that ``nextcall demo`` builds in a data folder; taken where none is given."""
    return data / "catalogs" / "aws.parquet"


def packaged_model() -> Path:
    """Folder of the ranker that comes with the package and serves catalogues it has not seen."""
    return Path(__file__).parent / "ranking" / "data" / "default_model"


def model_for(catalog: Path, *, data: Path) -> Path:
    """Folder of the ranker for a catalogue, where none is given.

    The demo's own for the demo's catalogue, once it is trained; else the packaged one.
    """
    own = data / "models" / "aws"
    return own if catalog == demo_catalog(data) and own.exists() else packaged_model()
