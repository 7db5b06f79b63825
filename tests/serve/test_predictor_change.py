"""A predictor that becomes another answers as one or as the other, never as a mix of both."""

from nextcall.cache.cache import Cache
from nextcall.serve.caching.prompt_views import PromptViews
from nextcall.serve.predictor import Predictor
from nextcall.serve.schemas import HistoryEvent, PredictRequest


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


def test_what_a_model_found_of_prompts_is_forgotten_with_it(
    predictor: Predictor, fallback: Predictor
) -> None:
    served = predictor.pinned()
    kept = Cache[object](ttl=60, entries=10)
    served.views = PromptViews(kept)
    kept.put("of/another", object())
    for _ in range(2):
        served.predict(PredictRequest(prompt="list my buckets", max_predictions=3))
    assert len(kept) == 2
    served.become(fallback)
    assert kept.get("of/another") is not None
    assert len(kept) == 1
    assert fallback.views is None


def test_one_prompt_after_other_calls_is_looked_at_no_third_time(predictor: Predictor) -> None:
    served, alone = predictor.pinned(), predictor.pinned()
    kept = Cache[object](ttl=60, entries=10)
    served.views, alone.views = PromptViews(kept), None
    calls = ["sqs:CreateQueue", "sqs:SendMessage", "GET /nothing", "s3:ListBuckets"]
    for k, count in ((3, 0), (3, 1), (5, 2), (1, 4)):
        history = [HistoryEvent(api_call=call) for call in calls[:count]]
        request = PredictRequest(prompt="send it", history=history, max_predictions=k)
        one, other = served.predict(request), alone.predict(request)
        assert (one.predictions, one.metadata) == (other.predictions, other.metadata)
    stats = kept.stats
    assert (stats.hits, stats.misses, stats.entries) == (2, 1, 1)
    kept.clear()
    served.predict(PredictRequest(prompt="send it", max_predictions=3))
    assert kept.stats.misses == 2


def test_a_view_belongs_to_the_model_that_made_it(predictor: Predictor) -> None:
    kept = Cache[object](ttl=60, entries=10)
    for version in (None, "v"):
        one = Predictor(
            predictor.index, ranker=predictor.ranker, card=predictor.card, version=version
        )
        one.views = PromptViews(kept)
        for _ in range(3):
            one.predict(PredictRequest(prompt="send it", max_predictions=3))
    assert (kept.stats.hits, kept.stats.misses, kept.stats.entries) == (2, 2, 2)


def test_a_prompt_that_comes_once_leaves_nothing(predictor: Predictor) -> None:
    served, kept = predictor.pinned(), Cache[object](ttl=60, entries=10)
    served.views = PromptViews(kept)
    for prompt in ("send it", "list my buckets", "create a topic"):
        served.predict(PredictRequest(prompt=prompt, max_predictions=3))
    assert (kept.stats.entries, kept.stats.misses) == (0, 0)
