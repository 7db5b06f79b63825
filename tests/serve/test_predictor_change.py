"""A predictor that becomes another answers as one or as the other, never as a mix of both."""

from nextcall.serve.predictor import Predictor
from nextcall.serve.schemas import PredictRequest


def test_one_that_is_pinned_stays_as_it_was(predictor: Predictor, fallback: Predictor) -> None:
    served = predictor.pinned()
    before = served.pinned()
    served.become(fallback)
    assert (before.ranker, before.model_version) == (predictor.ranker, predictor.model_version)
    assert (served.ranker, served.model_version) == (None, None)
    assert served.fallback_reason == "there is none."
    request = PredictRequest(prompt="list my buckets", max_predictions=3)
    for one, other in ((before, predictor), (served, fallback)):
        assert one.predict(request).predictions == other.predict(request).predictions


def test_what_makes_another_answer_makes_another_identity(predictor: Predictor) -> None:
    again = Predictor(predictor.index, ranker=predictor.ranker, card=predictor.card)
    assert again.identity == predictor.identity
    named = Predictor(predictor.index, ranker=predictor.ranker, card=predictor.card, version="v")
    bare = Predictor(predictor.index)
    assert len({again.identity, named.identity, bare.identity}) == 3


def test_vectors_are_kept_on(predictor: Predictor, fallback: Predictor) -> None:
    served, vectors = predictor.pinned(), object()
    served.vectors = vectors  # type: ignore[assignment]  # only that it is the same counts
    served.become(fallback)
    assert served.vectors is vectors
    assert fallback.vectors is not vectors
