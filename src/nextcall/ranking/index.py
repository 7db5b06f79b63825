"""What is known of one catalogue: vectors, BM25, terms of fields; built once, then only read."""

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog import Catalog
from nextcall.catalog.graph import OperationGraph
from nextcall.embedding.embedder import Embedder
from nextcall.embedding.search import VectorSearch
from nextcall.embedding.static_embedder import StaticEmbedder
from nextcall.embedding.store import encode_cached
from nextcall.progress import Progress, silent
from nextcall.ranking.index_arrays import Facts, Words
from nextcall.ranking.lexical_index import FIELDS, LexicalIndex
from nextcall.ranking.operation_texts import label_text, operation_text
from nextcall.ranking.prompt_terms import PromptTerms, PromptWords
from nextcall.ranking.statics import Statics

STATIC_FEATURES: Final = (
    "endpoint_type", "n_parameters", "n_required", "n_name_words", "description_length",
    "deprecated", "service_size", "name_twins",
)  # fmt: skip
"""Features that no query changes, as they stand side by side in the feature table."""

_BLOCK: Final = 2_048  # operations whose vectors are copied at a time


class CatalogIndex:
    """Everything about a catalogue that no query changes.

    Parameters
    ----------
    catalog : Catalog
    embedder : Embedder
        Encodes each prompt, and the operations too where no `document_embedder` is given.
    cache : Path, optional
        Folder where vectors, words and the graph are kept, keyed by their content; nothing is kept
        where none is given.
    document_embedder : Embedder, optional
        Encodes the operations where that shall differ from prompts, in length, workers or model;
        its vectors must lie in the space of the embedder's, as a `StaticEmbedder`'s do in that of
        its teacher.
    teacher : Embedder, optional
        Encodes prompts where a baseline or a comparison wants the model that `embedder` was
        distilled from; `embedder` itself where none is given.
    vectors : two arrays of shape (n_operations, dimensions), optional
        Vectors of every operation's text and label, where the caller has them; nothing is encoded.
    progress : Progress
        Shows the encoding.
    """

    def __init__(
        self,
        catalog: Catalog,
        embedder: Embedder,
        *,
        document_embedder: Embedder | None = None,
        teacher: Embedder | None = None,
        vectors: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
        cache: Path | None = None,
        progress: Progress = silent,
    ) -> None:
        self.catalog = catalog
        self.embedder = embedder
        self.teacher = teacher or embedder
        self._cache = cache
        self._prompts: dict[str, dict[str, NDArray[np.float32]]] = {}
        self._encoder = document_embedder or embedder
        on_disk = vectors is None and cache is not None
        if vectors is None:
            texts = [operation_text(operation) for operation in catalog]
            texts_encoded = self._encode(self._encoder, texts, progress, mapped=True)
            vectors = texts_encoded, self._labels(progress)
        self.text_vectors, labels = vectors
        self._label_vectors = None if on_disk else labels
        # What was read from disk is ours to write over.
        self.vectors = np.add(self.text_vectors, labels, out=labels if on_disk else None)
        self.norms = np.concatenate(
            [
                np.linalg.norm(self.vectors[i : i + _BLOCK], axis=1)
                for i in range(0, len(self), _BLOCK)
            ]
        )
        self.vectors /= self.norms[:, None]
        self.nearest = VectorSearch(self.vectors)
        self.lexical = (
            LexicalIndex.build(catalog) if cache is None else LexicalIndex.cached(catalog, cache)
        )
        self.statics = Statics.of(catalog, self.lexical.vocabulary)

    def __len__(self) -> int:
        return len(self.catalog)

    def subset(self, catalog: Catalog) -> "CatalogIndex":
        """Index some of the operations: their words are counted anew, no text is encoded again.

        Parameters
        ----------
        catalog : Catalog
            Operations of this index, as they are in it.

        Raises
        ------
        ValueError
            Where an operation is not in this index.
        """
        unknown = [o.operation_id for o in catalog if o.operation_id not in self.catalog]
        if unknown:
            raise ValueError(
                f"catalog must hold operations of {self.catalog.name!r} only, got {unknown[:3]}."
            )
        rows = self.positions([operation.operation_id for operation in catalog])
        part = CatalogIndex(
            catalog,
            self.embedder,
            teacher=self.teacher,
            vectors=(self.text_vectors[rows], self.label_vectors[rows]),
        )
        part._prompts = self._prompts  # one memory of encoded prompts for both
        return part

    def with_embedder(self, embedder: Embedder) -> "CatalogIndex":
        """Give an index that encodes prompts another way and shares all else with this one.

        Parameters
        ----------
        embedder : Embedder
            Its vectors must lie in the space of the operations'.

        Raises
        ------
        ValueError
            Where its vectors have another length.
        """
        if embedder.dimensions != self.vectors.shape[1]:
            raise ValueError(
                f"embedder must give vectors of {self.vectors.shape[1]} dimensions, as the "
                f"operations have, got {embedder.dimensions}."
            )
        other = copy(self)
        other.embedder = embedder
        return other

    @cached_property
    def graph(self) -> OperationGraph:
        """Which operation's output feeds which one's input; inferred where it is first asked."""
        if self._cache is None:
            return OperationGraph.build(self.catalog)
        return OperationGraph.cached(self.catalog, self._cache)

    @property
    def label_vectors(self) -> NDArray[np.float32]:
        """Vectors of every operation's name with its service, shape (n_operations, dimensions).

        Not held where they are kept on disk: only the sum with the text's is searched.
        """
        return self._labels(silent) if self._label_vectors is None else self._label_vectors

    def _labels(self, progress: Progress) -> NDArray[np.float32]:
        labels = [label_text(operation) for operation in self.catalog]
        return self._encode(self._encoder, labels, progress)

    @cached_property
    def services(self) -> dict[str, int]:
        """Code of each service."""
        return {name: code for code, name in enumerate(self.catalog.services)}

    @cached_property
    def words(self) -> Words:
        """Words of the operations, as features read them."""
        fields = [self.lexical.terms[field] for field in FIELDS]
        ends = np.cumsum([field.ids.shape[1] for field in fields])
        bigrams = self.lexical.terms["bigrams"]
        return Words(
            weights=self.lexical.weights,
            ids=self.lexical.ids,
            bounds=np.concatenate([[0], ends]),
            field_weights=np.column_stack([field.weight for field in fields]),
            bigrams=bigrams.ids,
            bigram_counts=bigrams.weight,
        )

    @cached_property
    def facts(self) -> Facts:
        """Facts of the operations, as features read them."""
        statics = self.statics
        return Facts(
            action=statics.action,
            service=statics.service,
            resource=statics.resource,
            verb=statics.verb,
            plural=statics.plural,
        )

    @cached_property
    def static_features(self) -> NDArray[np.float32]:
        """Features that no query changes, shape (n_operations, n); columns as `STATIC_FEATURES`."""
        statics = self.statics
        columns = (
            statics.action,
            statics.n_parameters,
            statics.n_required,
            statics.n_words,
            statics.description_length,
            statics.deprecated,
            self.service_sizes[statics.service],
            self.name_twins,
        )
        return np.column_stack(columns).astype(np.float32)

    @cached_property
    def service_sizes(self) -> NDArray[np.float32]:
        """Operations of each service, by its code."""
        return np.bincount(self.statics.service).astype(np.float32)

    @cached_property
    def name_twins(self) -> NDArray[np.float32]:
        """Other operations with the very same name terms, shape (n_operations,)."""
        _, inverse, counts = np.unique(
            np.sort(self.lexical.terms["name"].ids, axis=1),
            axis=0,
            return_inverse=True,
            return_counts=True,
        )
        return (counts[inverse.ravel()] - 1).astype(np.float32)

    def positions(self, operation_ids: Sequence[str]) -> NDArray[np.int64]:
        """Rows of the operations that the catalogue knows; others are left out."""
        known = (self.catalog.positions.get(name) for name in operation_ids)
        return np.array([row for row in known if row is not None], dtype=np.int64)

    def encode_prompts(
        self,
        prompts: Sequence[str],
        *,
        embedder: Embedder | None = None,
        progress: Progress = silent,
    ) -> NDArray[np.float32]:
        """Encode prompts, shape (n_prompts, dimensions); each is encoded once in an index's life.

        They are kept on disk too where the index keeps vectors, unless the embedder is quicker
        than a file.

        Parameters
        ----------
        embedder : Embedder, optional
            Another than the index's own: its teacher, for a comparison.
        """
        chosen = embedder or self.embedder
        known = self._prompts.setdefault(chosen.name, {})
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in known]
        if new:
            vectors = (
                chosen.encode(new)
                if isinstance(chosen, StaticEmbedder)
                else self._encode(chosen, new, progress)
            )
            known.update(zip(new, vectors, strict=True))
        rows = [known[prompt] for prompt in prompts]
        return np.array(rows, dtype=np.float32).reshape(len(rows), chosen.dimensions)

    def _encode(
        self, embedder: Embedder, texts: list[str], progress: Progress, *, mapped: bool = False
    ) -> NDArray[np.float32]:
        if self._cache is None:
            return embedder.encode(texts, progress=progress)
        return encode_cached(
            embedder, texts, directory=self._cache, mapped=mapped, progress=progress
        )

    def prompt_terms(self, prompt: str) -> PromptTerms:
        """Look a prompt's words up in the vocabulary."""
        return self._prompt_words.terms(prompt)

    @cached_property
    def _prompt_words(self) -> PromptWords:
        return PromptWords(self.lexical)
