"""A catalogue from whatever file of ours holds it."""

from pathlib import Path

from nextcall.catalog.catalog import Catalog, CatalogError
from nextcall.catalog.jsonl import read_jsonl


def load_catalog(path: Path) -> Catalog:
    """Load a built catalogue (``.parquet``) or a catalogue as JSON lines (``.jsonl``).

    Raises
    ------
    CatalogError
        Where it is neither, or broken; the message says how a catalogue is built.
    OSError
        Where the file cannot be read.
    """
    if path.suffix == ".parquet":
        return Catalog.load(path)
    if path.suffix == ".jsonl":
        return read_jsonl(path)
    raise CatalogError(
        f"{path}: a catalogue must be a .parquet file or a catalog.jsonl; build one with "
        "`nextcall catalog build openapi PATH --output F.parquet` (or aws, google, functions)."
    )
