"""What is known of one catalogue: vectors, BM25, terms of fields; built once, then only read."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog import Catalog, Operation
from nextcall.catalog.actions import ACTIONS, verb_action
from nextcall.catalog.graph import OperationGraph
from nextcall.catalog.text import identifier_words, singular
from nextcall.embedding.embedder import Embedder
from nextcall.embedding.search import VectorSearch
from nextcall.embedding.static_embedder import StaticEmbedder
from nextcall.embedding.store import encode_cached
from nextcall.progress import Progress, silent
from nextcall.ranking.feature_kernels import Facts, Words
from nextcall.ranking.lexical_index import (
    DOCUMENT_CHARACTERS,
    FIELDS,
    LexicalIndex,
    service_label,
)
from nextcall.ranking.lexicon import prompt_tokens, stem, stems

STATIC_FEATURES: Final = (
    "endpoint_type", "n_parameters", "n_required", "n_name_words", "description_length",
    "deprecated", "service_size", "name_twins",
)  # fmt: skip
"""Features that no query changes, as they stand side by side in the feature table."""

_MEMORY: Final = 20_000  # tokens of prompts that are remembered
_BLOCK: Final = 2_048  # operations whose vectors are copied at a time


def operation_text(operation: Operation) -> str:
    """Text of an operation that is embedded and that the plain BM25 baseline searches.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> operation_text(describe_operation(
    ...     operation_id="s3:CreateBucket", service="s3", description="Creates a new bucket."))
    's3: create bucket. Creates a new bucket.'
    """
    label = service_label(operation)
    belongs = f"{label}: " if label else ""
    text = operation.description[:DOCUMENT_CHARACTERS]
    summary = operation.summary.rstrip(".")
    if not (text.startswith(summary) or summary.startswith(text)):
        text = f"{summary}. {text}"
    return f"{belongs}{' '.join(operation.words)}. {text}"


def label_text(operation: Operation) -> str:
    """Name of an operation with its service: what is embedded beside the fuller text.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> label_text(describe_operation(operation_id="s3:CreateBucket", service="s3"))
    'create bucket s3'
    """
    service = () if operation.service == operation.source else (operation.service,)
    return " ".join((*operation.words, *service))


@dataclass(frozen=True, slots=True)
class PromptTerms:
    """A prompt as a catalogue sees it."""

    ids: NDArray[np.int32]
    """Distinct known terms, shape (n_known,)."""
    bigrams: NDArray[np.int32]
    """Distinct known pairs of neighbouring terms, shape (n_known_pairs,)."""
    weight: float
    """Sum of the weights of all distinct terms, unknown ones at the highest weight."""
    verb: int
    """Id of the prompt's verb, -1 where it has none."""
    action: int
    """Code of the action that the verb stands for, -1 where there is none."""
    plural: float
    """1 where the words after the verb speak of many things, 0 of one, 0.5 where neither shows."""
    n_words: int


class _Word(NamedTuple):
    """One word of a prompt as a catalogue sees it."""

    text: str
    stem: str
    """Empty for a stop word."""
    term: int
    """-1 where the catalogue does not know the stem."""
    action: int
    """Code of the action that it stands for as a verb, -1 for none."""
    verb: int
    """Its term as a verb, a stop word's too; -1 where there is none."""


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
        self.statics = _statics(catalog, self.lexical.vocabulary)

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
    def _words_of(self) -> Callable[[str], tuple["_Word", ...]]:
        """Look up the words of a token of a prompt; remembers, as long as the index lives."""
        vocabulary = self.lexical.vocabulary

        def word(text: str) -> _Word:
            [kept] = stems([text]) or [""]
            action = verb_action(text)
            code = -1 if action is None else ACTIONS.index(action)
            verb = vocabulary.get(stem(text), -1)
            return _Word(text, kept, vocabulary.get(kept, -1), code, verb)

        return lru_cache(_MEMORY)(lambda token: tuple(map(word, identifier_words(token))))

    @cached_property
    def _rarest(self) -> float:
        return float(self.lexical.weights.max())

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
        words = [word for token in prompt_tokens(prompt) for word in self._words_of(token)]
        kept = [word for word in words if word.stem]
        row = [word.term for word in kept]
        ids = np.array([term for term in dict.fromkeys(row) if term >= 0], dtype=np.int32)
        pairs = [self.lexical.bigrams[p] for p in pairwise(row) if p in self.lexical.bigrams]
        n_unknown = len({word.stem for word in kept if word.term < 0})
        weight = float(self.lexical.weights[ids].sum()) + self._rarest * n_unknown
        verb_at = next((i for i, word in enumerate(words) if word.action >= 0), None)
        verb = action = -1
        if verb_at is not None:
            action = words[verb_at].action
            verb = words[verb_at].verb
        after = words if verb_at is None else words[verb_at + 1 :]
        return PromptTerms(
            ids=ids,
            bigrams=np.array(list(dict.fromkeys(pairs)), dtype=np.int32),
            weight=max(weight, 1e-6),
            verb=verb,
            action=action,
            plural=_plural([word.text for word in after]),
            n_words=len(kept),
        )


@dataclass(frozen=True, slots=True)
class Statics:
    """Facts of every operation, each an array of shape (n_operations,)."""

    action: NDArray[np.int8]
    service: NDArray[np.int32]
    resource: NDArray[np.int32]
    verb: NDArray[np.int32]
    plural: NDArray[np.float32]
    n_parameters: NDArray[np.float32]
    n_required: NDArray[np.float32]
    n_words: NDArray[np.float32]
    description_length: NDArray[np.float32]
    deprecated: NDArray[np.float32]


def _plural(words: Sequence[str]) -> float:
    for word in words:
        if word in {"a", "an", "one", "single", "specific"}:
            return 0.0
        if (
            word in {"all", "multiple", "several", "many", "every", "various"}
            or singular(word) != word
        ):
            return 1.0
    return 0.5


def _statics(catalog: Catalog, vocabulary: Mapping[str, int]) -> Statics:
    services = {name: code for code, name in enumerate(catalog.services)}
    resources = {name: code for code, name in enumerate(sorted({o.resource for o in catalog}))}
    verbs = [next((w for w in o.words[:3] if verb_action(w)), "") for o in catalog]

    def floats(values: Sequence[float]) -> NDArray[np.float32]:
        return np.array(values, dtype=np.float32)

    return Statics(
        action=np.array([ACTIONS.index(o.action) for o in catalog], dtype=np.int8),
        service=np.array([services[o.service] for o in catalog], dtype=np.int32),
        resource=np.array([resources[o.resource] for o in catalog], dtype=np.int32),
        verb=np.array([vocabulary.get(stem(verb), -2) for verb in verbs], dtype=np.int32),
        plural=floats(
            [1.0 if o.words and singular(o.words[-1]) != o.words[-1] else 0.0 for o in catalog]
        ),
        n_parameters=floats([len(o.parameters) for o in catalog]),
        n_required=floats([sum(p.required for p in o.parameters) for o in catalog]),
        n_words=floats([len(o.words) for o in catalog]),
        description_length=floats([len(o.description) for o in catalog]),
        deprecated=floats(
            [
                float(
                    "deprecated" in o.description[:300].lower()
                    or "no longer" in o.description[:300].lower()
                )
                for o in catalog
            ]
        ),
    )
