"""A catalogue file opened for ranking, as every command and notebook does it."""

import hashlib
from dataclasses import astuple
from pathlib import Path
from shutil import rmtree
from typing import Final

from nextcall.catalog import Catalog
from nextcall.embedding.embedder import Embedder
from nextcall.embedding.onnx import OnnxEmbedder
from nextcall.embedding.static_embedder import StaticEmbedder
from nextcall.embedding.static_files import EncoderCard, EncoderError, load_static, save_static
from nextcall.progress import Progress, silent
from nextcall.ranking.any_ranker import AnyRanker
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.model_files import ModelCard, save_ranker
from nextcall.ranking.ranker import CallRanker

DOCUMENT_TOKENS: Final = 40
"""Tokens of an operation's text that are encoded: its service, its name and about 20 words.

A text costs about 12 ms of CPU at 48 tokens, 9 at 40 and 8 at 32 (2 cores, int8 model)."""

FEWEST_FOR_STATIC: Final = 50
"""Operations of a catalogue from which a static encoder of prompts is tried: see embedding.md."""

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


def open_for_model(
    catalog: Catalog,
    model: Path,
    card: ModelCard,
    *,
    encoder: str = "auto",
    cache: Path,
    progress: Progress = silent,
) -> CatalogIndex:
    """Index a catalogue for a trained ranker.

    Parameters
    ----------
    model : Path
        Folder of the ranker; it holds the static encoder with which the ranker was trained, if
        there was one.
    encoder : str
        ``auto`` encodes prompts as in training where the ranker was trained on this catalogue, else
        by MiniLM; ``static`` by a table distilled on this catalogue, ``minilm`` by MiniLM; all else
        is the folder of a static encoder.

    Raises
    ------
    EncoderError
        Where the static encoder that is wanted cannot be used.
    """
    index = open_index(catalog, cache=cache, progress=progress)
    return encoded_for_model(index, model, card, encoder=encoder, cache=cache, progress=progress)


def encoded_for_model(
    index: CatalogIndex,
    model: Path,
    card: ModelCard,
    *,
    encoder: str = "auto",
    cache: Path,
    progress: Progress = silent,
) -> CatalogIndex:
    """Give an index as `open_for_model` would, of one that is there; the two share all else.

    Parameters
    ----------
    index : CatalogIndex
        Of the catalogue, as `open_index` gives it, or this function.

    Raises
    ------
    EncoderError
        Where the static encoder that is wanted cannot be used.
    """
    found = encoder_for_model(index, model, card, encoder=encoder, cache=cache, progress=progress)
    chosen: Embedder = index.teacher if found is None else found[0]
    return index if chosen is index.embedder else index.with_embedder(chosen)


def encoder_for_model(
    index: CatalogIndex,
    model: Path,
    card: ModelCard,
    *,
    encoder: str = "auto",
    cache: Path,
    progress: Progress = silent,
) -> tuple[StaticEmbedder, EncoderCard] | None:
    """Find the static encoder that `open_for_model` takes; None where it is MiniLM.

    Raises
    ------
    EncoderError
        As `open_for_model`.
    """
    if encoder == "static":
        return distilled(index, cache=cache, progress=progress)
    if encoder == "auto":
        fits = card.embedder.startswith("static-") and card.catalog == index.catalog.name
        return load_static(model / card.embedder) if fits else None
    return None if encoder == "minilm" else load_static(Path(encoder))


def distilled(
    index: CatalogIndex, *, cache: Path, progress: Progress = silent
) -> tuple[StaticEmbedder, EncoderCard]:
    """Distil an encoder of prompts on an index's catalogue, or read the one distilled before.

    It is kept in `cache`, keyed by the catalogue's content, its vectors, the teacher and the
    settings.
    """
    from nextcall.embedding.distill import DISTILLATION, piece_vectors  # noqa: PLC0415  # as below
    from nextcall.training.prompt_encoder import distill_for  # noqa: PLC0415  # pandas, 45 MB

    searched = hashlib.sha256(index.vectors.data).hexdigest()
    parts = (index.catalog.content_hash, searched, index.teacher.name, *astuple(DISTILLATION))
    key = hashlib.sha256(repr(parts).encode()).hexdigest()
    folder = cache / "encoders" / key[:24]
    try:
        return load_static(folder)
    except EncoderError:  # none there yet, or one of an earlier version
        pieces = piece_vectors(index.teacher, directory=cache / "vectors", progress=progress)
        embedder, card = distill_for(index, pieces, progress=progress)
        save_static(embedder, folder, card=card)
        return embedder, card


def save_trained(
    ranker: AnyRanker,
    directory: Path,
    *,
    card: ModelCard,
    encoder: tuple[StaticEmbedder, EncoderCard] | None = None,
    base_card: ModelCard | None = None,
) -> None:
    """Write a ranker, and beside it the static encoder if it was trained with that one.

    `base_card` is that of the base of an adapted ranker, which must have one.

    The encoder lies in a folder of its own name, which the card states; what lies there from
    another training stays until the new model is whole.
    """
    kept = encoder is not None and encoder[0].name == card.embedder
    if encoder is not None and kept:
        save_static(encoder[0], directory / card.embedder, card=encoder[1])
    if isinstance(ranker, CallRanker):
        save_ranker(ranker, directory, card=card)
    elif base_card is None:
        raise ValueError("base_card must be given for an adapted ranker, got none.")
    else:
        from nextcall.ranking.adapted_files import save_adapted  # noqa: PLC0415  # it needs more

        save_adapted(ranker, directory, card=card, base_card=base_card)
    for old in directory.glob("static-*"):
        if old.name != card.embedder:
            rmtree(old)
