"""Queries that were kept from a training, and hashes of those that it learned from."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nextcall.ranking.model_files import ModelError
from nextcall.ranking.signed_files import read_values, write_values
from nextcall.sessions import Query

_FORMAT: Final = "nextcall.learned.1"
_DIGITS: Final = 16  # of a hash: among a million queries two are alike once in 40 million trainings


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Queries that a ranker did not learn from, one entry each."""

    queries: tuple[Query, ...]
    groups: tuple[str, ...]
    """What the split kept together: the service that answers, or the session."""
    digests: tuple[str, ...]
    """By which another ranker's learned queries are told; of a copy, that of its original."""

    def __post_init__(self) -> None:
        if not len(self.queries) == len(self.groups) == len(self.digests):
            raise ValueError(
                "queries, groups and digests must be equally many, "
                f"got {len(self.queries)}, {len(self.groups)} and {len(self.digests)}."
            )

    def __len__(self) -> int:
        return len(self.queries)

    def select(self, positions: Iterable[int]) -> "HeldOut":
        """Take some, in the order given."""
        chosen = list(positions)
        return HeldOut(
            queries=tuple(self.queries[i] for i in chosen),
            groups=tuple(self.groups[i] for i in chosen),
            digests=tuple(self.digests[i] for i in chosen),
        )


def query_digest(query: Query) -> str:
    """Hash what a query asks and what answers it: its names, and its calls' times, do not count.

    Examples
    --------
    >>> one, other = (Query(query_id=name, prompt="all", relevant=("list",)) for name in "ab")
    >>> query_digest(one) == query_digest(other), len(query_digest(one))
    (True, 16)
    """
    calls = [call.operation_id for call in query.history]
    told = json.dumps([query.prompt, calls, sorted(query.relevant)])
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def save_learned(learned: Iterable[str], directory: Path, *, trees: str) -> None:
    """Write the hashes of the queries that a saved ranker learned from beside it.

    Parameters
    ----------
    learned : iterable of str
        As `query_digest` gives them.
    trees : str
        Hash of the ranker's trees: the hashes of another ranker are not taken for its own.
    """
    values = {"format": _FORMAT, "learned": sorted(set(learned))}
    write_values(values, _path(directory, trees))


def load_learned(directory: Path, *, trees: str) -> frozenset[str] | None:
    """Read what `save_learned` wrote; None where nothing was written.

    Raises
    ------
    ModelError
        Where the file is damaged.
    """
    path = _path(directory, trees)
    if not path.exists():
        return None
    learned = read_values(path, form=_FORMAT).get("learned")
    if not isinstance(learned, list) or not all(isinstance(each, str) for each in learned):
        raise ModelError(f"{path}: must list hashes of queries.")
    return frozenset(learned)


def _path(directory: Path, trees: str) -> Path:
    return directory / f"learned-{trees[:12]}.json"
