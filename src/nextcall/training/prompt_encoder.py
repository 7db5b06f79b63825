"""A static encoder of prompts for one catalogue, whose operations stay encoded by the teacher."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog import Catalog
from nextcall.embedding.base_map import shipped_map
from nextcall.embedding.distill import DISTILLATION, Distillation, distill, fit_map
from nextcall.embedding.embedder import Embedder
from nextcall.embedding.search import top_rows
from nextcall.embedding.static_embedder import StaticEmbedder
from nextcall.embedding.static_files import EncoderCard
from nextcall.progress import Progress, silent
from nextcall.ranking.comparison import paired_difference
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.metrics import metrics_table
from nextcall.ranking.operation_texts import operation_text
from nextcall.ranking.rows import check_answers
from nextcall.sessions import Query

_DEPTH: Final = 100  # ranks that are looked at
_BLOCK: Final = 128


def catalog_views(catalog: Catalog) -> list[list[str]]:
    """Say each operation in three ways; a prompt may be like any of them.

    Returns
    -------
    list of list of str
        The full text, the words of the name, and the summary (the name where there is none); each
        a list over the operations.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> one = describe_operation(operation_id="s3:CreateBucket", service="s3", summary="Makes one.")
    >>> catalog_views(Catalog("s3", (one,)))
    [['s3: create bucket. Makes one.'], ['create bucket'], ['Makes one.']]
    """
    names = [" ".join(operation.words) for operation in catalog]
    return [
        [operation_text(operation) for operation in catalog],
        names,
        [operation.summary or name for operation, name in zip(catalog, names, strict=True)],
    ]


def distill_for(
    index: CatalogIndex,
    pieces: NDArray[np.float32],
    *,
    settings: Distillation = DISTILLATION,
    progress: Progress = silent,
) -> tuple[StaticEmbedder, EncoderCard]:
    """Distil an encoder of prompts on a catalogue; no prompt and no label is used.

    Each way to say an operation is to have the vector by which the operation is found. The package
    holds a map of AWS to begin with, for the teacher that it ships too.

    Parameters
    ----------
    index : CatalogIndex
        Holds the vectors of the operations.
    pieces : array of shape (N_PIECES, dimensions)
        The teacher's vectors of the word pieces: see `piece_vectors`.

    Returns
    -------
    StaticEmbedder
        For an index of the same catalogue, whose ``document_embedder`` is the teacher's.
    EncoderCard
        What it was made of.
    """
    texts, targets = _texts_and_targets(index)
    embedder = distill(
        texts,
        targets,
        pieces=pieces,
        teacher=index.teacher.name,
        base=shipped_map(index.teacher.name),
        settings=settings,
        progress=progress,
    )
    card = EncoderCard(
        catalog=index.catalog.name,
        catalog_hash=index.catalog.content_hash,
        n_texts=len(texts),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return embedder, card


def map_for(
    index: CatalogIndex, pieces: NDArray[np.float32], *, progress: Progress = silent
) -> NDArray[np.float32]:
    """Find the map of a large catalogue from which `distill_for` may begin on smaller ones."""
    texts, targets = _texts_and_targets(index)
    return fit_map(texts, targets, pieces=pieces, progress=progress)


def _texts_and_targets(index: CatalogIndex) -> tuple[list[str], NDArray[np.float32]]:
    views = catalog_views(index.catalog)
    texts = [text for view in views for text in view]
    return texts, np.tile(index.vectors, (len(views), 1))


def compare_dense(
    index: CatalogIndex,
    embedder: Embedder,
    queries: Sequence[Query],
    *,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> dict[str, float]:
    """Search with the vectors of an encoder and with those of the index's own, on the same queries.

    Returns
    -------
    dict of str to float
        NDCG@10 of each (``dense.ndcg@10``, ``dense.teacher.ndcg@10``), and the encoder's minus the
        teacher's with its 95 % interval over services.

    Raises
    ------
    ValueError
        As `check_answers`.
    """
    check_answers(index, queries)
    prompts = [query.prompt for query in queries]
    own = _ndcg(index, queries, embedder.encode(prompts))
    teacher = _ndcg(
        index, queries, index.encode_prompts(prompts, embedder=index.teacher, progress=progress)
    )
    found = paired_difference(
        own,
        teacher,
        groups=[index.catalog[query.relevant[0]].service for query in queries],
        rng=rng,
    )
    return {
        "dense.ndcg@10": float(own.mean()),
        "dense.teacher.ndcg@10": float(teacher.mean()),
        "dense.difference": found.difference,
        "dense.difference.low": found.ci_lower,
        "dense.difference.high": found.ci_upper,
    }


def _ndcg(
    index: CatalogIndex, queries: Sequence[Query], vectors: NDArray[np.float32]
) -> NDArray[np.float64]:
    """NDCG@10 of searching by vectors alone, shape (n_queries,)."""
    depth = min(_DEPTH, len(index))
    scores = np.empty((len(queries), depth))
    relevance = np.empty((len(queries), depth))
    rights = [index.positions(query.relevant) for query in queries]
    for start in range(0, len(queries), _BLOCK):
        block = vectors[start : start + _BLOCK] @ index.vectors.T
        for place, values in enumerate(block, start=start):
            top = top_rows(values, depth)
            scores[place] = values[top]
            relevance[place] = np.isin(top, rights[place])
    table = metrics_table(relevance, scores, n_relevant=np.array([len(r) for r in rights]))
    return table["ndcg@10"].to_numpy(dtype=np.float64)
