"""What a model must do before it answers anybody, but being as good: see `quality`."""

import math
from collections.abc import Iterator
from typing import Final

from nextcall.catalog import Catalog
from nextcall.ranking.model_files import ModelCard, ModelError
from nextcall.serve.predictor import Predictor

PROMPTS: Final = 20
"""Known prompts that are asked: summaries of operations all over the catalogue."""

_K: Final = 3
_NDCG: Final = ("validation.ndcg@10", "held_out.ndcg@10")  # of a trained one, of the packaged one


def validation_ndcg(card: ModelCard | None) -> float | None:
    """Give NDCG@10 of a model on queries that were kept from its training; None where unknown."""
    known = {} if card is None else card.metrics
    return next((known[name] for name in _NDCG if name in known), None)


def known_prompts(catalog: Catalog) -> Iterator[str]:
    """Give prompts that any model of a catalogue can answer.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> one = describe_operation(operation_id="getUser", method="GET", path="/users/{id}")
    >>> list(known_prompts(Catalog(name="one", operations=(one,))))
    ['getUser']
    """
    operations = catalog.operations
    step = max(1, math.ceil(len(operations) / PROMPTS))
    for operation in operations[::step]:
        yield operation.summary or operation.operation_id


def check_answers(candidate: Predictor) -> None:
    """See whether a model was made for this catalogue, and answers with numbers that are some.

    Raises
    ------
    ModelError
        Where it was not, or does not; the message says which rule.
    """
    ranker, card, index = candidate.ranker, candidate.card, candidate.index
    if ranker is None or card is None:
        raise ModelError("The model must hold a ranker with its card.")
    catalog = index.catalog
    if card.catalog_hash != catalog.content_hash:
        raise ModelError(
            f"The model must be trained on this catalogue ({catalog.content_hash[:12]}), got one "
            f"of {card.catalog_hash[:12]}."
        )
    for prompt in known_prompts(catalog):
        answers = ranker.answer(index, prompt, k=_K).ranked
        if not answers:
            raise ModelError("The model must answer known prompts, got no answer.")
        for one in answers:
            if not (math.isfinite(one.score) and 0.0 <= one.confidence <= 1.0):
                raise ModelError(
                    "The model must give finite scores and confidences from 0 to 1, got "
                    f"{one.score} and {one.confidence}."
                )
