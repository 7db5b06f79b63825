"""Words of a whole catalogue: one vocabulary, BM25 and terms of fields; kept as plain arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog import Catalog, Operation
from nextcall.catalog.text import identifier_words
from nextcall.files import atomic_path
from nextcall.ranking.lexicon import Bm25, Terms, pad_terms, prompt_words, stems
from nextcall.ranking.list_kernels import search_postings

DOCUMENT_CHARACTERS: Final = 200
"""Characters of the documentation that are embedded and searched beside the name."""

FIELDS: Final = ("name", "resource", "service", "text", "parameters")
"""Fields whose terms are compared with a prompt's."""

BM25_FIELDS: Final = ("text", "name", "full")
"""Documents that BM25 searches: the text that is embedded too, the name, and everything."""

_VERSION: Final = 2  # of what is computed here; a file of another version is not read
_WIDTHS: Final = {"name": 14, "resource": 8, "service": 10, "text": 48, "parameters": 32}
_BIGRAMS: Final = 12


@dataclass(frozen=True, slots=True)
class LexicalIndex:
    """What the words of a catalogue's operations are, and how rare."""

    vocabulary: Mapping[str, int]
    """Id of each stem."""
    weights: NDArray[np.float32]
    """Inverse document frequency of each term, shape (n_terms + 1,); 0 for the padding."""
    terms: Mapping[str, Terms]
    """Distinct terms of each of `FIELDS`, and pairs of neighbouring name terms as ``bigrams``."""
    bigrams: Mapping[tuple[int, int], int]
    """Id of each pair of neighbouring name terms."""
    bm25: Mapping[str, Bm25]
    """By each of `BM25_FIELDS`."""
    ids: NDArray[np.int32]
    """Those of `terms` of all `FIELDS` side by side, shape (n_operations, width); held once."""

    @classmethod
    def build(cls, catalog: Catalog) -> Self:
        """Read every word of a catalogue; about 3 CPU seconds for 18,000 operations."""
        fields = [_fields(operation) for operation in catalog]
        vocabulary: dict[str, int] = {}
        for field in fields:
            for term in field["full"]:
                vocabulary.setdefault(term, len(vocabulary))
        numbers = {
            name: [[vocabulary[term] for term in field[name]] for field in fields]
            for name in (*FIELDS, "full")
        }
        weights = _inverse_document_frequency(numbers["full"], len(vocabulary))
        terms = {name: pad_terms(numbers[name], weights, width=_WIDTHS[name]) for name in FIELDS}
        bigrams: dict[tuple[int, int], int] = {}
        pairs = [
            [bigrams.setdefault(pair, len(bigrams)) for pair in pairwise(row)]
            for row in numbers["name"]
        ]
        ones = np.append(np.ones(len(bigrams), dtype=np.float32), np.float32(0))
        terms["bigrams"] = pad_terms(pairs, ones, width=_BIGRAMS)
        named = zip(numbers["name"], numbers["service"], strict=True)
        documents = {
            "text": numbers["text"],
            "name": [[*name, *name, *service] for name, service in named],
            "full": numbers["full"],
        }
        bm25 = {name: Bm25.build(documents[name], n_terms=len(vocabulary)) for name in BM25_FIELDS}
        ids, terms = _side_by_side(terms)
        return cls(vocabulary, weights, terms, bigrams, bm25, ids)

    @classmethod
    def cached(cls, catalog: Catalog, directory: Path) -> Self:
        """Read what an earlier call for the same content left in a folder, or build and keep it."""
        path = directory / f"lexical-{_VERSION}-{catalog.content_hash}.npz"
        kept = cls._load(path)
        if kept is not None:
            return kept
        built = cls.build(catalog)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **built.arrays())  # type: ignore[arg-type]  # arrays by name
        return built

    def search(
        self,
        terms: NDArray[np.int32],
        listed: NDArray[np.int64],
        counts: NDArray[np.int64],
        best: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Score every operation by each BM25, and find the best that share a term.

        Parameters
        ----------
        terms : array of shape (n,)
            Distinct terms of the vocabulary.
        listed : array of shape (n_fields, depth)
            Is filled with rows, best first, ties by row.
        counts : array of shape (n_fields,)
            Is filled with how many rows each list holds.
        best : array of shape (n_fields,)
            Is filled with the highest scores.

        Returns
        -------
        array of shape (n_fields, n_operations)
            As `Bm25.scores` gives them, bit for bit, in the order of `BM25_FIELDS`.
        """
        engines = [self.bm25[name] for name in BM25_FIELDS]
        scores = np.zeros((len(engines), engines[0].n_documents), dtype=np.float32)
        postings = tuple((engine.data, engine.rows, engine.starts) for engine in engines)
        search_postings(postings, terms, scores, listed, counts, best)
        return scores

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Give everything as plain arrays, by name."""
        words = "\n".join(self.vocabulary).encode()
        arrays: dict[str, NDArray[np.generic]] = {
            "vocabulary": np.frombuffer(words, dtype=np.uint8),
            "weights": self.weights,
            "bigrams": np.array(list(self.bigrams), dtype=np.int32).reshape(-1, 2),
        }
        for name, terms in self.terms.items():
            arrays |= {f"terms.{name}.ids": terms.ids, f"terms.{name}.weight": terms.weight}
        for name, bm25 in self.bm25.items():
            arrays |= {
                f"bm25.{name}.data": bm25.data,
                f"bm25.{name}.rows": bm25.rows,
                f"bm25.{name}.starts": bm25.starts,
            }
        return arrays

    @classmethod
    def _load(cls, path: Path) -> Self | None:
        """Read a kept file; None where there is none that is whole."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                return cls._of_arrays({name: archive[name] for name in archive.files})
        # What zipfile and numpy raise where a byte has changed; such a file is built anew.
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, BadZipFile):
            return None

    @classmethod
    def _of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        text = arrays["vocabulary"].tobytes().decode()
        words = text.split("\n") if text else []
        bigrams = [(int(first), int(second)) for first, second in arrays["bigrams"]]
        pads = {name: len(words) for name in FIELDS} | {"bigrams": len(bigrams)}
        n_operations = len(arrays["terms.name.ids"])
        ids, terms = _side_by_side(
            {
                name: Terms(arrays[f"terms.{name}.ids"], arrays[f"terms.{name}.weight"], pad)
                for name, pad in pads.items()
            }
        )
        return cls(
            vocabulary={word: term for term, word in enumerate(words)},
            weights=arrays["weights"],
            terms=terms,
            bigrams={pair: row for row, pair in enumerate(bigrams)},
            bm25={
                name: Bm25(
                    arrays[f"bm25.{name}.data"],
                    arrays[f"bm25.{name}.rows"],
                    arrays[f"bm25.{name}.starts"],
                    n_operations,
                )
                for name in BM25_FIELDS
            },
            ids=ids,
        )


def _side_by_side(terms: Mapping[str, Terms]) -> tuple[NDArray[np.int32], dict[str, Terms]]:
    """Put the ids of all fields side by side, and let each field look at its own."""
    ids = np.hstack([terms[name].ids for name in FIELDS])
    ends = np.cumsum([terms[name].ids.shape[1] for name in FIELDS])
    parts = zip(FIELDS, np.split(ids, ends[:-1], axis=1), strict=True)
    return ids, dict(terms) | {name: replace(terms[name], ids=part) for name, part in parts}


def service_label(operation: Operation) -> str:
    """Say what an operation belongs to: its tags and its service, each once.

    A service that is only the name of where the description came from says nothing to a prompt.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> service_label(describe_operation(
    ...     operation_id="sqs:SendMessage", service="sqs", tags=("Amazon Simple Queue Service",)))
    'Amazon Simple Queue Service sqs'
    """
    service = () if operation.service == operation.source else (operation.service,)
    return " ".join(dict.fromkeys((*operation.tags, *service)))


def _fields(operation: Operation) -> dict[str, list[str]]:
    name = stems(operation.words)
    resource = stems(operation.resource.split())
    service = stems(prompt_words(service_label(operation)))
    head = stems(prompt_words(operation.description[:DOCUMENT_CHARACTERS]))
    tail = stems(prompt_words(operation.description[DOCUMENT_CHARACTERS:]))
    summary = stems(prompt_words(operation.summary))
    parameters = stems(word for p in operation.parameters for word in identifier_words(p.name))
    return {
        "name": name,
        "resource": resource,
        "service": service,
        "text": [*service, *name, *head],
        "parameters": parameters,
        "full": [*service, *name, *resource, *summary, *head, *tail, *parameters],
    }


def _inverse_document_frequency(
    documents: Sequence[Sequence[int]], n_terms: int
) -> NDArray[np.float32]:
    counts = np.bincount(
        np.fromiter((term for d in documents for term in set(d)), dtype=np.int64),
        minlength=n_terms,
    )
    weights = np.log1p((len(documents) - counts + 0.5) / (counts + 0.5))
    return np.append(weights, 0.0).astype(np.float32)
