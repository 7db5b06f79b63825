"""Answers where no trained ranker is at hand: fused retrieval, or the conventions of an API."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.ranking.candidates import retrieve
from nextcall.ranking.cold_start import (
    ColdStartLevel,
    Conventions,
    best_rows,
    choose_level,
    names_something,
)
from nextcall.ranking.index import CatalogIndex
from nextcall.serve.answers import ProcessingMethod
from nextcall.serve.found import Found
from nextcall.serve.schemas import PredictRequest
from nextcall.sessions import Call

METHODS: Final[Mapping[ColdStartLevel, ProcessingMethod]] = {
    ColdStartLevel.FUSED_RETRIEVAL: "fused_retrieval",
    ColdStartLevel.REST_CONVENTIONS: "rest_conventions",
    ColdStartLevel.GENERIC_CRUD: "generic_crud",
}
"""What orders an answer where the trained ranker does not."""


class WithoutRanker:
    """Orders the operations of one catalogue by what nobody had to train.

    Parameters
    ----------
    index : CatalogIndex
    """

    def __init__(self, index: CatalogIndex) -> None:
        self._index = index

    @cached_property
    def _conventions(self) -> Conventions:
        return Conventions(self._index)

    def warm(self) -> None:
        """Read the conventions of the API, which a request that names nothing needs."""
        self._conventions.rest_scores("list everything")

    def answer(
        self,
        request: PredictRequest,
        history: Sequence[Call],
        *,
        known_calls: int,
        vector: NDArray[np.float32],
    ) -> tuple[ColdStartLevel, list[Found]]:
        """Find the first answers, and say what ordered them.

        Parameters
        ----------
        request : PredictRequest
        history : sequence of Call
            That are used.
        known_calls : int
            Those of them that the catalogue has.
        vector : array of shape (dimensions,)
            Of the prompt.
        """
        searched = retrieve(self._index, request.prompt, history, vector=vector)
        level = choose_level(
            has_ranker=False,
            trained_here=False,
            known_calls=known_calls,
            text_match=names_something(searched),
            has_paths=self._conventions.has_paths,
        )
        rows = searched.rows
        if level == ColdStartLevel.REST_CONVENTIONS:
            scores = self._conventions.rest_scores(request.prompt, history)
            rows = best_rows(scores, request.max_predictions)
        elif level == ColdStartLevel.GENERIC_CRUD:
            scores = self._conventions.crud_scores(request.prompt)
            rows = best_rows(scores, request.max_predictions)
        return level, [
            Found(
                operation=self._index.catalog.operations[row],
                rank=place + 1,
                similarity=float(self._index.text_vectors[row] @ vector),
            )
            for place, row in enumerate(rows[: request.max_predictions])
        ]
