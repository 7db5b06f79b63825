"""A second model beside the one that is served, to be compared with it in an A/B test."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nextcall.embedding.static_files import EncoderError
from nextcall.ranking.any_ranker import check_ranker, load_any_ranker
from nextcall.ranking.model_files import ModelError
from nextcall.serve.caching.caches import ServiceCaches, open_caches
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings
from nextcall.training.opening import encoder_for_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenger:
    """A second model over the same catalogue, or why there is none."""

    predictor: Predictor | None
    caches: ServiceCaches | None = None
    """Keep its answers alone: none is ever given in the place of another model's."""
    reason: str | None = None
    """Why it cannot be used."""


@contextmanager
def open_challenger(settings: Settings, current: Predictor) -> Iterator[Challenger | None]:
    """Load the challenger that is set, and open its caches; None where none is set.

    One that is missing or damaged is told of, and the current model answers alone.

    Parameters
    ----------
    current : Predictor
        Shares all but its ranker and its encoder of prompts.
    """
    if settings.challenger_model is None:
        yield None
        return
    try:
        predictor = load_challenger(settings, current)
    except (ModelError, EncoderError) as error:
        folder = settings.challenger_model
        yield Challenger(predictor=None, reason=str(error).replace(str(folder), folder.name))
        return
    with open_caches(settings, predictor) as caches:
        yield Challenger(predictor=predictor, caches=caches)


def load_challenger(settings: Settings, current: Predictor) -> Predictor:
    """Load the challenger that is set, over the index of another predictor.

    Its prompts are encoded as they were when it was trained.

    Raises
    ------
    ModelError, EncoderError
        Where it cannot be used.
    """
    folder = settings.challenger_model
    if folder is None:
        raise ModelError("challenger_model must be set, got none.")
    ranker, card = load_any_ranker(folder)
    index = current.index
    chosen = encoder_for_model(index, folder, card, cache=settings.cache_dir)
    embedder = index.teacher if chosen is None else chosen[0]
    if embedder.name != index.embedder.name:
        index = index.with_embedder(embedder)
    check_ranker(ranker, index, folder)
    return Predictor(
        index,
        ranker=ranker,
        card=card,
        max_history=settings.max_history,
        none_threshold=settings.none_threshold,
        confidence_threshold=settings.cold_start_confidence,
    )
