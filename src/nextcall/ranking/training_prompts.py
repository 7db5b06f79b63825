"""The prompts that a ranker learned from, with their answers; which of them are near another."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from nextcall.progress import Progress, silent
from nextcall.ranking.index import CatalogIndex
from nextcall.sessions import Query

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPrompts:
    """Distinct prompts, each with every operation that was a right answer to it."""

    prompts: tuple[str, ...]
    relevant: tuple[tuple[str, ...], ...]
    """Operation ids of the catalogue that was trained on, one tuple a prompt."""

    def __post_init__(self) -> None:
        if len(self.prompts) != len(self.relevant):
            raise ValueError(
                "prompts and relevant must be equally many, "
                f"got {len(self.prompts)} and {len(self.relevant)}."
            )
        if len(set(self.prompts)) != len(self.prompts):
            raise ValueError("prompts must be distinct, got one twice.")

    def __len__(self) -> int:
        return len(self.prompts)

    @classmethod
    def of(cls, queries: Iterable[Query]) -> Self:
        """Take the prompts of queries, in their order; blank ones are passed over.

        Examples
        --------
        >>> asked = (("list users", "list"), ("list users", "search"), ("", "get"))
        >>> kept = TrainingPrompts.of(
        ...     Query(query_id=str(i), prompt=prompt, relevant=(answer,))
        ...     for i, (prompt, answer) in enumerate(asked))
        >>> kept.prompts, kept.relevant
        (('list users',), (('list', 'search'),))
        """
        answers: dict[str, dict[str, None]] = {}
        for query in queries:
            if query.prompt.strip():
                answers.setdefault(query.prompt, {}).update(dict.fromkeys(query.relevant))
        return cls(prompts=tuple(answers), relevant=tuple(map(tuple, answers.values())))

    def nearest(
        self, index: CatalogIndex, prompt: str, *, n: int = 5, progress: Progress = silent
    ) -> "pd.DataFrame":
        """Find the prompts that are nearest in meaning to another.

        Their vectors are computed when they are first asked for, by the encoder of `index`, and
        kept where that keeps its vectors.

        Parameters
        ----------
        n : int
            Prompts that come back, at least 1; all where there are fewer.

        Returns
        -------
        DataFrame
            ``prompt, relevant, similarity`` (cosine), the nearest first.
        """
        import pandas as pd  # noqa: PLC0415  # 45 MB that ranking does not need

        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}.")
        vectors = index.encode_prompts(self.prompts, progress=progress)
        similarity = vectors @ index.embedder.encode([prompt])[0]
        best = np.argsort(-similarity, kind="stable")[:n]
        return pd.DataFrame(
            {
                "prompt": [self.prompts[row] for row in best],
                "relevant": [self.relevant[row] for row in best],
                "similarity": similarity[best],
            }
        )
