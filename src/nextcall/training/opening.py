"""A catalogue file opened for ranking, as every command and notebook does it."""

from pathlib import Path
from typing import Final

from nextcall.catalog import Catalog
from nextcall.embedding.onnx import OnnxEmbedder
from nextcall.progress import Progress, silent
from nextcall.ranking.index import CatalogIndex

DOCUMENT_TOKENS: Final = 40
"""Tokens of an operation's text that are encoded: its service, its name and about 20 words.

A text costs about 12 ms of CPU at 48 tokens, 9 at 40 and 8 at 32 (2 cores, int8 model)."""

_WORKERS: Final = 2


def open_index(catalog: Catalog, *, cache: Path, progress: Progress = silent) -> CatalogIndex:
    """Index a catalogue with the int8 encoder; vectors are kept in `cache`, keyed by content."""
    return CatalogIndex(
        catalog,
        OnnxEmbedder(workers=_WORKERS),
        document_embedder=OnnxEmbedder(max_tokens=DOCUMENT_TOKENS, workers=_WORKERS),
        cache=cache / "vectors",
        progress=progress,
    )
