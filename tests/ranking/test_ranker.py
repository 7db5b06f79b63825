"""The ranker on services and catalogues that it was never trained on."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.catalog import Catalog
from nextcall.embedding.embedder import Embedder
from nextcall.ranking.answers import Ranked
from nextcall.ranking.boosting import BoostingSettings
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.metrics import rank_metrics
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.rows import QueryRows
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Call, Query, calls_of


def _ids(answers: list[Ranked]) -> list[str]:
    return [answer.operation.operation_id for answer in answers]


def test_services_never_trained_on_are_ranked_better_than_by_bm25(
    ranker: CallRanker, aws_index: CatalogIndex, aws_rows: dict[str, QueryRows]
) -> None:
    figures = {"ranker": [], "BM25": [], "dense": []}  # type: ignore[var-annotated]
    for query in aws_rows["held_out"].queries:
        if query.history:
            continue
        vector = aws_index.encode_prompts([query.prompt])[0]
        terms = aws_index.prompt_terms(query.prompt).ids.tolist()
        systems = {
            "BM25": aws_index.lexical.bm25["text"].scores(terms),
            "dense": aws_index.text_vectors @ vector,
        }
        lists = {"ranker": _ids(ranker.rank(aws_index, query.prompt, k=10))}
        for name, scores in systems.items():
            best = np.argsort(-scores, kind="stable")[:10]
            lists[name] = [aws_index.catalog.operations[row].operation_id for row in best]
        for name, ranking in lists.items():
            figures[name].append(rank_metrics(ranking, query.relevant)["ndcg@10"])
    means = {name: float(np.mean(values)) for name, values in figures.items()}
    assert means["ranker"] > means["BM25"] + 0.03, means
    assert means["ranker"] > means["dense"] + 0.03, means


def test_a_catalogue_never_seen_is_ranked(ranker: CallRanker, shop_index: CatalogIndex) -> None:
    asked = {
        "list all the invoices": "billing:ListInvoices",
        "find a user by name": "users:SearchUsers",
        "cancel my pending order": "orders:CancelOrder",
        "hand over to a human agent": "transfer_to_human_agents",
    }
    for prompt, operation_id in asked.items():
        answers = ranker.rank(shop_index, prompt, k=3)
        assert set(_ids(answers)) <= set(shop_index.catalog.positions)
        assert operation_id in _ids(answers), prompt


@pytest.mark.parametrize("k", [1, 3, 22, 1000])
def test_answers_come_best_first_each_once(
    ranker: CallRanker, shop_index: CatalogIndex, k: int
) -> None:
    answers = ranker.rank(shop_index, "list the items of an order", k=k)
    assert len(answers) == len(set(_ids(answers))) == min(k, len(shop_index))
    assert [answer.rank for answer in answers] == list(range(1, len(answers) + 1))
    scores = [answer.score for answer in answers]
    confidences = [answer.confidence for answer in answers]
    assert scores == sorted(scores, reverse=True)
    assert confidences == sorted(confidences, reverse=True)
    assert all(0 <= confidence <= 1 for confidence in confidences)
    whole = ranker.rank(shop_index, "list the items of an order", k=1000)
    assert _ids(answers) == _ids(whole)[:k]


def test_an_answer_says_what_it_was_judged_by(ranker: CallRanker, shop_index: CatalogIndex) -> None:
    first = ranker.rank(shop_index, "list users", k=1)[0]
    values = dict(zip(FEATURE_NAMES, first.features.tolist(), strict=True))
    assert first.similarity == values["prompt_similarity"]
    assert ranker.trees_.predict(first.features[None])[0] == pytest.approx(first.score)
    assert {field.name for field in fields(Ranked)} >= {"operation", "rank", "score", "confidence"}


def test_zero_answers_are_refused(ranker: CallRanker, shop_index: CatalogIndex) -> None:
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        ranker.rank(shop_index, "list users", k=0)


def test_calls_speak_for_their_service(ranker: CallRanker, shop_index: CatalogIndex) -> None:
    """Two operations with one name: after a call of a service its own gains on the other."""

    def lead(prompt: str, history: tuple[Call, ...]) -> float:
        scores = {
            answer.operation.operation_id: answer.score
            for answer in ranker.rank(shop_index, prompt, history, k=22)
        }
        return scores["users:TagResource"] - scores["orders:TagResource"]

    for prompt in ("add labels", "tag the resource", "put tags on it", "label this resource"):
        users = lead(prompt, calls_of(["users:GetUser"]))
        orders = lead(prompt, calls_of(["orders:GetOrder"]))
        assert users > orders + 0.5
        assert users > lead(prompt, ()) > orders


def test_only_the_newest_hundred_calls_count(ranker: CallRanker, shop_index: CatalogIndex) -> None:
    newest = calls_of(["users:GetUser", "orders:GetOrder"] * 50)
    longer = (*calls_of(["billing:PayInvoice"] * 30), *newest)
    one, other = (ranker.rank(shop_index, "add labels", calls) for calls in (newest, longer))
    assert [(a.operation, a.score) for a in one] == [(a.operation, a.score) for a in other]


def test_unknown_calls_are_passed_over(ranker: CallRanker, shop_index: CatalogIndex) -> None:
    mixed = ranker.rank(shop_index, "add labels", calls_of(["no:Such", "users:GetUser"]), k=22)
    known = ranker.rank(shop_index, "add labels", calls_of(["users:GetUser"]), k=22)
    length = FEATURE_NAMES.index("session_length")
    by_id = {answer.operation: answer.features for answer in known}
    for answer in mixed:
        assert answer.features[length] == 2
        np.testing.assert_array_equal(
            np.delete(answer.features, length), np.delete(by_id[answer.operation], length)
        )


def test_confidence_knows_whether_known_calls_came_before(
    ranker: CallRanker, shop_index: CatalogIndex
) -> None:
    """Where it is fitted, where it is scored and where it is stated, by the same rule."""
    for history, known in (((), False), (("no:Such",), False), (("users:GetUser",), True)):
        answers = ranker.rank(shop_index, "add labels", calls_of(history), k=22)
        scores = np.array([answer.score for answer in answers])
        stated = [answer.confidence for answer in answers]
        expected = ranker.calibration_.confidence(scores, has_history=known)
        np.testing.assert_array_equal(stated, expected)


def test_the_time_of_the_question_is_passed_on(
    ranker: CallRanker, shop_index: CatalogIndex
) -> None:
    then = datetime(2026, 1, 5, tzinfo=UTC)
    history = (Call(operation_id="users:GetUser", time=then),)
    now = then + timedelta(seconds=np.expm1(3))
    column = FEATURE_NAMES.index("time_since_last")
    [timed] = ranker.rank(shop_index, "add labels", history, now=now, k=1)
    assert timed.features[column] == pytest.approx(3, abs=1e-5)
    [timeless] = ranker.rank(shop_index, "add labels", history, k=1)
    assert np.isnan(timeless.features[column])


def test_a_vector_that_is_there_already_is_used(
    ranker: CallRanker, shop_index: CatalogIndex
) -> None:
    vector = shop_index.encode_prompts(["send an invoice"])[0]
    one = ranker.rank(shop_index, "send an invoice", vector=vector)
    assert [a.score for a in one] == [a.score for a in ranker.rank(shop_index, "send an invoice")]
    other = ranker.rank(shop_index, "send an invoice", vector=-vector)
    assert one[0].similarity > 0 > other[0].similarity


def test_an_explanation_sums_to_the_score(ranker: CallRanker, shop_index: CatalogIndex) -> None:
    history = calls_of(["users:GetUser"])
    answers = ranker.rank(shop_index, "delete the user", history, k=3)
    table = ranker.explain(shop_index, "delete the user", history, k=3)
    assert list(table.columns) == ["rank", "operation_id", "feature", "value", "contribution"]
    assert len(table) == 3 * (len(FEATURE_NAMES) + 1)
    for answer, (rank, part) in zip(answers, table.groupby("rank"), strict=True):
        assert rank == answer.rank
        assert set(part["operation_id"]) == {answer.operation.operation_id}
        assert part["contribution"].sum() == pytest.approx(answer.score)
        assert part["contribution"].abs().is_monotonic_decreasing
        values = part.set_index("feature")["value"]
        for name, value in zip(FEATURE_NAMES, answer.features, strict=True):
            assert values[name] == pytest.approx(value, nan_ok=True)
        assert np.isnan(values["(base)"])


@settings(max_examples=15)
@given(order=st.permutations(range(22)))
def test_the_order_of_a_catalogue_changes_no_ranking(
    ranker: CallRanker,
    shop: Catalog,
    embedder: Embedder,
    shop_index: CatalogIndex,
    order: list[int],
) -> None:
    shuffled = Catalog("shuffled", tuple(shop.operations[row] for row in order))
    index = CatalogIndex(shuffled, embedder)
    for prompt in ("cancel the pending order", "deletes a user for good"):
        one = ranker.rank(shop_index, prompt, k=3)
        other = ranker.rank(index, prompt, k=3)
        assert _ids(one)[0] == _ids(other)[0]


def test_what_comes_before_the_own_name_in_an_id_changes_no_ranking(
    ranker: CallRanker, shop: Catalog, embedder: Embedder, shop_index: CatalogIndex
) -> None:
    """The ranker knows no catalogue: operations under other ids have the same scores."""
    renamed = Catalog(
        "renamed",
        tuple(replace(o, operation_id=f"x{i}:{o.operation_id.split(':')[-1]}")
              for i, o in enumerate(shop)),
    )  # fmt: skip
    index = CatalogIndex(renamed, embedder)
    for prompt in ("list orders", "pay"):
        one, other = (ranker.rank(i, prompt, k=22) for i in (shop_index, index))
        assert [a.score for a in one] == [a.score for a in other]
        assert [a.confidence for a in one] == [a.confidence for a in other]


def test_fitting_from_queries_is_fitting_from_their_rows(
    aws_index: CatalogIndex, aws_rows: dict[str, QueryRows]
) -> None:
    options = BoostingSettings(trees=5, leaves=7)
    training, validation = aws_rows["training"], aws_rows["validation"]

    def new() -> CallRanker:
        return CallRanker(settings=options, hard_negatives=8, random_negatives=4)

    one = new().fit(
        aws_index, training.queries, validation=validation.queries, rng=np.random.default_rng(3)
    )
    other = new().fit_rows(
        training, validation=validation, prior=WorkflowPrior.uniform(), rng=np.random.default_rng(3)
    )
    assert one.trees_.to_text() == other.trees_.to_text()
    assert one.calibration_ == other.calibration_
    assert one.prior_.to_dict() == other.prior_.to_dict()
    another = new().fit_rows(
        training, validation=validation, prior=WorkflowPrior.uniform(), rng=np.random.default_rng(4)
    )
    assert another.trees_.to_text() != one.trees_.to_text()


def test_a_given_prior_is_kept(shop_index: CatalogIndex, shop_prior: WorkflowPrior) -> None:
    queries = [
        Query(query_id=o.operation_id, prompt=o.summary, relevant=(o.operation_id,))
        for o in shop_index.catalog
    ]
    fitted = CallRanker(settings=BoostingSettings(trees=3, min_rows_in_leaf=2)).fit(
        shop_index,
        queries[::2],
        validation=queries[1::2],
        rng=np.random.default_rng(0),
        prior=shop_prior,
    )
    assert fitted.prior_ is shop_prior
    assert _ids(fitted.rank(shop_index, queries[0].prompt, k=1)) == [queries[0].relevant[0]]
