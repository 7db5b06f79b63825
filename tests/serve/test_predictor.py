"""An answer says what the ranker says, and nothing that nobody knows."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.cache.cache import Cache
from nextcall.embedding import Embedder
from nextcall.ranking.candidates import retrieve
from nextcall.ranking.cold_start import ColdStartLevel, Conventions, best_rows
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.serve.answers import Answer, Metadata
from nextcall.serve.predictor import Predictor
from nextcall.serve.schemas import HistoryEvent, PredictRequest
from nextcall.sessions import Call, Query

NOW = datetime(2026, 5, 2, 12, tzinfo=UTC)


def _asked(prompt: str, *calls: str, k: int = 3, at: datetime | None = None) -> PredictRequest:
    history = [HistoryEvent(api_call=call, timestamp=at) for call in calls]
    return PredictRequest(prompt=prompt, history=history, max_predictions=k)


def test_it_answers_what_the_ranker_answers(predictor: Predictor) -> None:
    prompt, then = "Turn on versioning for the bucket", NOW - timedelta(seconds=59)
    answer = predictor.predict_fully(_asked(prompt, "s3:CreateBucket", k=7, at=then), now=NOW)
    assert predictor.ranker is not None
    history = [Call(operation_id="s3:CreateBucket", time=then)]
    ranked = predictor.ranker.rank(predictor.index, prompt, history, k=7, now=NOW)
    assert [one.operation_id for one in answer.predictions] == [
        one.operation.operation_id for one in ranked
    ]
    assert [one.rank for one in answer.predictions] == list(range(1, 8))
    assert answer.confidence_scores == pytest.approx([one.confidence for one in ranked])
    for shown, one in zip(answer.predictions, ranked, strict=True):
        assert shown.confidence == pytest.approx(one.confidence)
        assert shown.ml_ranking_score == pytest.approx(one.score)
        assert shown.semantic_similarity == pytest.approx(one.similarity)
        assert shown.ml_features is not None
        assert list(shown.ml_features) == list(FEATURE_NAMES)
        values = [math.nan if v is None else v for v in shown.ml_features.values()]
        np.testing.assert_allclose(values, one.features, rtol=1e-5, equal_nan=True)
        assert shown.ml_features["time_since_last"] == pytest.approx(math.log(60))


def test_the_reason_is_made_from_what_explains_the_answer(predictor: Predictor) -> None:
    prompt = "List the queues"
    answer = predictor.predict_fully(_asked(prompt, k=2))
    assert predictor.ranker is not None
    explained = predictor.ranker.explain(predictor.index, prompt, k=2)
    for one in answer.predictions:
        of_this = explained[explained["rank"] == one.rank]
        features = of_this[of_this["feature"] != "(base)"].set_index("feature")["contribution"]
        assert one.reasoning.startswith(
            "Its score was raised" if (features > 0).any() else "Nothing raised its score"
        )


def test_real_prompts_find_their_operation(predictor: Predictor, queries: list[Query]) -> None:
    plain = [query for query in queries if not query.history]
    hits = 0
    for query in plain[::4]:
        answer = predictor.predict(_asked(query.prompt, k=5))
        hits += any(one.operation_id in query.relevant for one in answer.predictions)
    assert hits / len(plain[::4]) > 0.8


def test_the_short_answer_is_the_full_one_cut(predictor: Predictor) -> None:
    request = _asked("Delete the queue", "sqs:CreateQueue")
    short, full = predictor.predict(request, now=NOW), predictor.predict_fully(request, now=NOW)
    cut = Answer.model_validate(full.model_dump()).model_dump()
    varying = {"prediction_id", "processing_time_ms"}
    assert {key: cut[key] for key in cut.keys() - varying} == {
        key: value for key, value in short.model_dump().items() if key not in varying
    }
    assert short.prediction_id != full.prediction_id


@pytest.mark.parametrize(
    ("calls", "events", "known", "method"),
    [
        ((), 0, 0, "prompt_only"),
        (("GET /nowhere/at/all", "no:Such"), 2, 0, "prompt_only"),
        (("s3:ListBuckets", "no:Such"), 2, 1, "none"),
        (("GET /my-bucket?versioning",), 1, 1, "none"),
        (("no:Such",) * 50 + ("s3:ListBuckets",) * 100, 100, 100, "none"),
        (("s3:ListBuckets",) * 50 + ("no:Such",) * 100, 100, 0, "prompt_only"),
    ],
)
def test_it_counts_the_calls_that_it_used(
    predictor: Predictor, calls: tuple[str, ...], events: int, known: int, method: str
) -> None:
    answer = predictor.predict_fully(_asked("list all", *calls))
    metadata, cold = answer.metadata, answer.metadata.cold_start_analysis
    assert metadata.context_events_used == events
    assert cold.has_history == (events > 0)
    assert cold.history_events_used == known
    assert metadata.fallback_method == cold.fallback_method == method
    assert {one.cold_start_prediction for one in answer.predictions} == {method != "none"}
    assert (cold.pattern_recognition_confidence is None) == (known == 0)
    features = answer.predictions[0].ml_features
    assert features is not None
    assert features["session_length"] == events  # unknown calls count as calls
    assert features["trigram_prob"] == cold.pattern_recognition_confidence


def test_without_a_ranker_fused_retrieval_answers(fallback: Predictor) -> None:
    prompt, calls = "let others send to it", ("sqs:CreateQueue",)
    answer = fallback.predict_fully(_asked(prompt, *calls, k=10))
    found = retrieve(fallback.index, prompt, [Call(operation_id="sqs:CreateQueue")])
    names = [fallback.index.catalog.operations[row].operation_id for row in found.rows[:10]]
    assert [one.operation_id for one in answer.predictions] == names
    similarity = fallback.index.text_vectors[found.rows[:10]] @ found.vector
    assert [one.semantic_similarity for one in answer.predictions] == pytest.approx(
        similarity.tolist(), abs=1e-6
    )
    metadata = answer.metadata
    assert metadata.processing_method == metadata.fallback_method == "fused_retrieval"
    assert not metadata.ml_ranking_enabled
    assert (metadata.candidates_generated, metadata.candidates_ranked) == (100, 0)
    assert metadata.model_version is None
    assert metadata.performance_metrics.ml_scoring_latency_ms is None
    assert answer.confidence_scores == [None] * 10
    for one in answer.predictions:
        assert (one.confidence, one.ml_ranking_score, one.ml_features) == (None, None, None)
        assert one.cold_start_prediction
        assert "no trained ranker" in one.reasoning


def test_it_says_where_nothing_in_the_catalogue_answers(
    predictor: Predictor, fallback: Predictor
) -> None:
    assert predictor.ranker is not None
    own, foreign = "Turn on versioning for the bucket", "sing me a song about the moon"
    for prompt, calls in ((own, ()), (foreign, ()), (foreign, ("s3:ListBuckets",))):
        request = _asked(prompt, *calls)
        stated = predictor.ranker.answer(predictor.index, prompt).none_probability
        for metadata in (predictor.predict(request).metadata, _full(predictor, request)):
            assert metadata.none_probability == pytest.approx(stated)
            assert metadata.none_of_these is (prompt == foreign)
        answer = predictor.predict(request)
        assert len(answer.predictions) == 3  # they are given all the same
    stated = predictor.predict(_asked(own)).metadata.none_probability
    assert stated is not None
    strict = Predictor(predictor.index, ranker=predictor.ranker, none_threshold=stated)
    assert strict.predict(_asked(own)).metadata.none_of_these
    for metadata in (fallback.predict(_asked(foreign)).metadata, _full(fallback, _asked(foreign))):
        assert (metadata.none_probability, metadata.none_of_these) == (None, None)


def _full(predictor: Predictor, request: PredictRequest) -> Metadata:
    return predictor.predict_fully(request).metadata


def test_what_has_no_source_is_null_and_what_has_one_is_not(predictor: Predictor) -> None:
    metadata = predictor.predict_fully(_asked("publish a message")).metadata
    assert set(metadata.safety_validation.model_dump().values()) == {None}
    assert set(metadata.cost_aware_routing.model_dump().values()) == {None}
    assert (metadata.ai_provider, metadata.k_plus_buffer) == (None, None)
    assert metadata.total_endpoints_considered == len(predictor.index)
    assert metadata.candidates_ranked == metadata.candidates_generated == 100
    measured = metadata.performance_metrics
    assert measured.ml_scoring_latency_ms is not None
    assert measured.ml_scoring_latency_ms > 0
    assert measured.memory_usage_mb > 50
    assert (measured.cache_hit, measured.llm_latency_ms) == (None, None)
    assert predictor.model_version is not None
    assert predictor.model_version.startswith("aws-2026-05-01-")


def test_a_ranker_without_a_card_has_a_version_too(predictor: Predictor) -> None:
    bare = Predictor(predictor.index, ranker=predictor.ranker)
    assert predictor.model_version is not None
    assert bare.model_version == predictor.model_version.rpartition("-")[2]


def test_many_threads_get_what_one_gets(predictor: Predictor, queries: list[Query]) -> None:
    requests = [
        _asked(query.prompt, *(call.operation_id for call in query.history))
        for query in queries[:60]
    ]
    alone = [predictor.predict(request, now=NOW).predictions for request in requests]
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(lambda request: predictor.predict(request, now=NOW), requests)
        assert [answer.predictions for answer in together] == alone


@pytest.mark.parametrize(
    "prompt",
    [
        "!!!",
        "\x00",
        "a\x00b",
        "\U0001f4a3" * 4096,
        "x" * 4096,
        "the of and",
        "名前を一覧",
        "\u202e\u200b.",
        "[SEP] [CLS]",
    ],
)
def test_a_strange_prompt_has_an_answer(
    predictor: Predictor, fallback: Predictor, prompt: str
) -> None:
    for one in (predictor, fallback):
        answer = one.predict_fully(_asked(prompt, "s3:ListBuckets", k=20))
        assert len(answer.predictions) == 20
        assert all(c is None or 0 <= c <= 1 for c in answer.confidence_scores)


def test_warming_loads_all_that_an_answer_needs(predictor: Predictor) -> None:
    predictor.warm()
    assert "name_twins" in vars(predictor.index)


def test_a_catalogue_that_the_ranker_has_not_seen_is_zero_shot(predictor: Predictor) -> None:
    assert predictor.card is not None
    card = replace(predictor.card, catalog_hash="another")
    for shown in (card, None):
        foreign = Predictor(predictor.index, ranker=predictor.ranker, card=shown)
        for calls in ((), ("s3:ListBuckets",)):
            answer = foreign.predict_fully(_asked("list all", *calls), now=NOW)
            assert answer.metadata.fallback_method == "zero_shot"
            assert answer.metadata.processing_method == "lambdamart"
            assert answer.predictions[0].cold_start_prediction
            own = predictor.predict_fully(_asked("list all", *calls), now=NOW)
            assert answer.confidence_scores == own.confidence_scores  # the same ranker


def test_without_ranker_and_words_conventions_answer(fallback: Predictor) -> None:
    answer = fallback.predict_fully(_asked("!!!", "s3:CreateBucket", k=5))
    conventions = Conventions(fallback.index)
    scores = conventions.rest_scores("!!!", [Call(operation_id="s3:CreateBucket")])
    names = [fallback.index.catalog.operations[row].operation_id for row in best_rows(scores, 5)]
    assert [one.operation_id for one in answer.predictions] == names
    assert answer.metadata.fallback_method == "rest_conventions"
    assert answer.metadata.processing_method == "rest_conventions"
    assert answer.metadata.candidates_generated == len(fallback.index)
    assert answer.metadata.candidates_ranked == 0
    assert answer.confidence_scores == [None] * 5
    assert "REST conventions" in answer.predictions[0].reasoning
    similarity = answer.predictions[0].semantic_similarity
    vector = fallback.index.encode_prompts(["!!!"])[0]
    row = fallback.index.positions(names[:1])[0]
    assert similarity == pytest.approx(float(fallback.index.text_vectors[row] @ vector), abs=1e-6)


def test_the_order_of_the_fallback_and_the_threshold_are_told(
    predictor: Predictor, fallback: Predictor
) -> None:
    for one in (predictor, fallback):
        cold = one.predict_fully(_asked("list the queues")).metadata.cold_start_analysis
        assert cold.fallback_order == list(ColdStartLevel)
        assert cold.confidence_threshold == 0.6
    sure = predictor.predict_fully(_asked("list the queues"))
    confidence = sure.confidence_scores[0]
    assert confidence is not None
    for threshold, expected in ((confidence, True), (np.nextafter(confidence, 1), False)):
        one = Predictor(
            predictor.index, ranker=predictor.ranker, confidence_threshold=float(threshold)
        )
        cold = one.predict_fully(_asked("list the queues")).metadata.cold_start_analysis
        assert cold.is_confident is expected
    unsure = fallback.predict_fully(_asked("list the queues")).metadata.cold_start_analysis
    assert unsure.is_confident is None


def test_a_vector_that_was_begun_before_all_were_cleared_is_not_kept(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Predictor(predictor.index, ranker=predictor.ranker, card=predictor.card)
    kept = own.vectors = Cache[NDArray[np.float32]](ttl=60, entries=10)
    encode = type(own.index.embedder).encode

    def cleared(embedder: Embedder, prompts: list[str]) -> NDArray[np.float32]:
        kept.clear()
        return encode(embedder, prompts)

    with monkeypatch.context() as patch:
        patch.setattr(type(own.index.embedder), "encode", cleared)
        own.vector("list the queues")
    assert len(kept) == 0
    own.vector("list the queues")
    assert len(kept) == 1
