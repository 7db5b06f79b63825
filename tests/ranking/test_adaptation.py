"""Adaptation on planted habits: what sessions teach, and that no row sees its own session."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from nextcall.ranking import adapted_features
from nextcall.ranking.adaptation import (
    ADAPTED_SETTINGS,
    adapt_ranker,
)
from nextcall.ranking.adapted_features import (
    ADAPTED_FEATURES,
    ADAPTED_NAMES,
    TargetEvidence,
    ask,
)
from nextcall.ranking.adapted_ranker import AdaptedRanker
from nextcall.ranking.adapted_rows import Examiner
from nextcall.ranking.adapted_score import AdaptedScore
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.model_files import packaged_abstention
from nextcall.ranking.ranker import CallRanker
from nextcall.sessions import Call, Query, Session, calls_of
from nextcall.sessions.queries import next_call_queries, session_groups
from nextcall.sessions.splits import group_folds

SETTINGS = replace(ADAPTED_SETTINGS, trees=30, min_rows_in_leaf=5)
THINGS = ("books", "lamps", "chairs", "pens", "mugs", "rugs", "maps", "hats", "toys", "bags")


def _session(number: int, prompt: str, run: Sequence[str]) -> Session:
    calls = tuple(Call(operation_id=name, prompt=prompt) for name in run)
    return Session(session_id=f"s{number}", user_id="u", calls=calls)


def _habit(n: int = 20) -> list[Session]:
    """Who lists orders then deletes a user; who asks for a report exports, then lists invoices."""
    return [
        _session(
            number,
            f"list my orders of {THINGS[number % 10]} please"
            if number % 2
            else f"monthly report on {THINGS[number % 10]}",
            ("orders:ListOrders", "users:DeleteUser")
            if number % 2
            else ("orders:StartOrderExport", "billing:ListInvoices", "billing:ListInvoices"),
        )
        for number in range(n)
    ]


@pytest.fixture(scope="module")
def adapted(ranker: CallRanker, shop_index: CatalogIndex) -> AdaptedRanker:
    queries = next_call_queries(_habit())
    return adapt_ranker(
        ranker, shop_index, queries, rng=np.random.default_rng(0), settings=SETTINGS
    )


def _first(adapted: AdaptedRanker | CallRanker, index: CatalogIndex, prompt: str, *run: str) -> str:
    return adapted.rank(index, prompt, calls_of(run), k=1)[0].operation.operation_id


def test_a_habit_that_no_text_tells_is_learned(
    adapted: AdaptedRanker, ranker: CallRanker, shop_index: CatalogIndex
) -> None:
    prompt = "list my orders of candles please"
    assert _first(adapted, shop_index, prompt) == "orders:ListOrders"
    assert _first(adapted, shop_index, prompt, "orders:ListOrders") == "users:DeleteUser"
    assert _first(ranker, shop_index, prompt, "orders:ListOrders") != "users:DeleteUser"


def test_the_base_says_where_none_answers(adapted: AdaptedRanker, shop_index: CatalogIndex) -> None:
    base = adapted.base
    able = CallRanker(settings=base.settings)
    able.trees_, able.prior_, able.calibration_ = base.trees_, base.prior_, base.calibration_
    able.abstention_ = packaged_abstention(shop_index)
    taught = AdaptedRanker(able, adapted.evidence, adapted.score, adapted.calibration)
    assert taught.abstention_ is able.abstention_ is not None
    run, context = calls_of(["orders:ListOrders"]), ("monthly report",)
    for prompt in ("list my orders of candles please", "sing me a song"):
        found = taught.answer(shop_index, prompt, run, k=3, context=context)
        ranked = adapted.rank(shop_index, prompt, run, k=3, context=context)
        assert [(one.operation, one.score) for one in found.ranked] == [
            (one.operation, one.score) for one in ranked
        ]
        expected = able.answer(shop_index, prompt).none_probability
        assert found.none_probability == pytest.approx(expected)
        assert adapted.answer(shop_index, prompt, run).none_probability is None


def test_whether_calls_repeat_is_learned(adapted: AdaptedRanker, shop_index: CatalogIndex) -> None:
    prompt, run = "monthly report on candles", ("orders:StartOrderExport", "billing:ListInvoices")
    assert _first(adapted, shop_index, prompt, *run) == "billing:ListInvoices"
    prompt = "list my orders of candles please"
    assert _first(adapted, shop_index, prompt, "orders:ListOrders") != "orders:ListOrders"


def test_answers_are_ranked_with_confidence_and_features(
    adapted: AdaptedRanker, shop_index: CatalogIndex
) -> None:
    prompt = "monthly report on candles"
    answers = adapted.rank(shop_index, prompt, k=30)
    assert [answer.rank for answer in answers] == list(range(1, len(shop_index) + 1))
    assert sorted((a.score for a in answers), reverse=True) == [a.score for a in answers]
    confidence = [answer.confidence for answer in answers]
    assert sorted(confidence, reverse=True) == confidence
    assert confidence[0] > 0.7
    vector = shop_index.encode_prompts([prompt])[0]
    given_vector = adapted.rank(shop_index, prompt, k=30, vector=vector)
    assert [a.score for a in given_vector] == pytest.approx([a.score for a in answers], abs=1e-6)
    names = (*FEATURE_NAMES, *ADAPTED_NAMES)
    for answer in answers:
        values = dict(zip(names, answer.features.tolist(), strict=True))
        for feature in ADAPTED_FEATURES:
            value = values[feature.name]
            assert np.isnan(value) or feature.low - 1e-5 <= value <= feature.high + 1e-5, feature
        assert np.isnan(values["following"])  # nothing was called
        assert np.isnan(values["turns_regression"])


def test_earlier_turns_are_heard(adapted: AdaptedRanker, shop_index: CatalogIndex) -> None:
    column = len(FEATURE_NAMES) + ADAPTED_NAMES.index("turns_regression")
    turn = "monthly report on lamps"
    vector = shop_index.encode_prompts(["thank you"])[0]
    for known in (None, vector):
        answers = adapted.rank(shop_index, "thank you", k=22, context=[turn], vector=known)
        by_turn = {a.operation.operation_id: a.features[column] for a in answers}
        assert max(by_turn, key=lambda name: by_turn[name]) in {
            "orders:StartOrderExport",
            "billing:ListInvoices",
        }


def test_what_is_asked_of_it_is_checked(
    adapted: AdaptedRanker, shop_index: CatalogIndex, aws_index: CatalogIndex
) -> None:
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        adapted.rank(shop_index, "list", k=0)
    with pytest.raises(ValueError, match="catalogue that was adapted to, got"):
        adapted.rank(aws_index, "list")


def test_sessions_teach_what_their_queries_teach(
    ranker: CallRanker, shop_index: CatalogIndex
) -> None:
    sessions = _habit(6)
    answers = []
    for known in (sessions, next_call_queries(sessions)):
        adapted = ranker.adapt(shop_index, known, rng=np.random.default_rng(1))
        answers.append([a.score for a in adapted.rank(shop_index, "list my orders", k=22)])
    assert answers[0] == answers[1]


def test_one_session_is_too_few(ranker: CallRanker, shop_index: CatalogIndex) -> None:
    with pytest.raises(ValueError, match="at least two sessions, got 1"):
        ranker.adapt(shop_index, _habit(1), rng=np.random.default_rng(0))


def test_an_answer_must_be_of_the_catalogue(ranker: CallRanker, shop_index: CatalogIndex) -> None:
    foreign = [_session(number, "list", ("NoSuch",)) for number in range(2)]
    with pytest.raises(ValueError, match="'NoSuch'"):
        ranker.adapt(shop_index, foreign, rng=np.random.default_rng(0))


def _mixed(answers: Sequence[str]) -> list[Query]:
    """Sessions with prompts and answers of their own, of both tasks, some with a second turn."""
    queries: list[Query] = []
    for number, name in enumerate(answers):
        prompt = f"{THINGS[number]} {THINGS[number][::-1]}"
        session = Query(query_id=f"{number}a", prompt=prompt, session_id=f"s{number}")
        queries += [
            replace(session, relevant=(name,)),
            replace(
                session,
                query_id=f"{number}b",
                relevant=(name,),
                task="next_call",
                remaining=(name,),
            ),
            replace(
                session,
                query_id=f"{number}c",
                prompt=f"{prompt} again",
                context=(prompt,),
                task="next_call",
                history=calls_of(["orders:GetOrder"]),
                relevant=(name,),
                remaining=(name, name),
            ),
        ]
    return queries


def _training_rows(
    ranker: CallRanker, index: CatalogIndex, queries: list[Query]
) -> list[dict[int, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]:
    """Features of every candidate of each training query, by its row in the catalogue."""
    examiner = Examiner(index, ranker, queries)
    groups = session_groups(queries)
    inner = group_folds(groups, 10, rng=np.random.default_rng(3))
    rows = examiner.rows(np.arange(len(queries)), inner)
    return [
        dict(zip(candidates.tolist(), features, strict=True))
        for candidates, features in zip(rows.candidates, rows.features, strict=True)
    ]


def test_no_training_row_sees_its_own_session(ranker: CallRanker, shop_index: CatalogIndex) -> None:
    """A pair of prompt and answer that one session alone has leaves no trace in its rows."""
    names = [operation.operation_id for operation in shop_index.catalog.operations]
    planted = [name for name in names if name != "orders:GetOrder"][:10]  # that one is called
    rows = _training_rows(ranker, shop_index, _mixed(planted))
    column = {name: len(FEATURE_NAMES) + place for place, name in enumerate(ADAPTED_NAMES)}
    for number, name in enumerate(planted):
        right = shop_index.catalog.positions[name]
        for one in rows[3 * number : 3 * number + 3]:
            assert one[right][column["prompt_nearest"]] == -1  # it answered no other prompt
            assert one[right][column["state_nearest"]] == -1
            assert one[right][column["prompt_votes"]] == 0
            assert one[right][column["term_votes"]] == 0
            lowest = min(features[column["popularity"]] for features in one.values())
            assert one[right][column["popularity"]] == lowest


def test_the_answers_of_a_session_change_nothing_in_its_own_rows(
    ranker: CallRanker, shop_index: CatalogIndex
) -> None:
    names = [operation.operation_id for operation in shop_index.catalog.operations]
    planted = [names[number % 4] for number in range(10)]
    before = _training_rows(ranker, shop_index, _mixed(planted))
    for number in (0, 7):
        other = list(planted)
        other[number] = names[15]
        after = _training_rows(ranker, shop_index, _mixed(other))
        changed = 0
        for place in range(len(before)):
            same = all(
                np.array_equal(before[place][row], after[place][row], equal_nan=True)
                for row in before[place]
            )
            if place // 3 == number:
                assert same
            changed += not same
        assert changed > 20  # the other sessions did see it


def test_evidence_proposes_what_no_retriever_does(
    ranker: CallRanker, aws_index: CatalogIndex
) -> None:
    """In a catalogue larger than the candidates a planted answer is found by habit alone."""
    names = [operation.operation_id for operation in aws_index.catalog.operations]
    prompts = [f"buy some {thing} in town" for thing in THINGS]
    plain = {
        answer.operation.operation_id
        for prompt in prompts
        for answer in ranker.rank(aws_index, prompt, k=100)
    }
    hidden = next(name for name in names if name not in plain)
    queries = [
        Query(query_id=prompt, prompt=prompt, relevant=(hidden,), session_id=prompt)
        for prompt in prompts
    ]
    adapted = adapt_ranker(
        ranker, aws_index, queries, rng=np.random.default_rng(0), settings=SETTINGS
    )
    answers = adapted.rank(aws_index, "buy some soap in town", k=1, task="retrieval")
    assert answers[0].operation.operation_id == hidden


def test_evidence_proposes_what_mostly_follows(ranker: CallRanker, aws_index: CatalogIndex) -> None:
    first, then = aws_index.catalog.operations[5], aws_index.catalog.operations[-5]
    sessions = [
        _session(number, f"{thing} in town", (first.operation_id, then.operation_id))
        for number, thing in enumerate(THINGS)
    ]
    evidence = TargetEvidence(aws_index, next_call_queries(sessions), ranker.prior_)
    asked = {
        run: ask(aws_index, Query(query_id="q", prompt="?", history=calls_of(run), task=task))
        for run, task in (((), "next_call"), ((first.operation_id,), "retrieval"))
    }
    rows = aws_index.positions([first.operation_id, then.operation_id])
    assert set(evidence.suggest(asked[()], n=2).tolist()) == set(rows.tolist())
    after = evidence.suggest(asked[first.operation_id,], n=2).tolist()
    assert rows[1] in after
    assert len(evidence.suggest(asked[()], n=10**6)) == len(aws_index)


def test_only_the_last_prompts_and_states_are_compared(
    ranker: CallRanker, shop_index: CatalogIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = next_call_queries(_habit())
    late = TargetEvidence(shop_index, queries[-7:], ranker.prior_)
    monkeypatch.setattr(adapted_features, "_MOST", 7)
    capped = TargetEvidence(shop_index, queries, ranker.prior_)
    asked = ask(shop_index, Query(query_id="q", prompt="orders of pens", task="next_call"))
    rows, base = np.arange(len(shop_index)), np.zeros(len(shop_index))
    found = {
        name: dict(zip(ADAPTED_NAMES, evidence.features(asked, rows, base).T, strict=True))
        for name, evidence in (("late", late), ("capped", capped))
    }
    np.testing.assert_array_equal(found["late"]["state_votes"], found["capped"]["state_votes"])
    assert (found["late"]["popularity"] != found["capped"]["popularity"]).any()


def test_a_part_without_a_right_candidate_weighs_and_calibrates_nothing(
    ranker: CallRanker, shop_index: CatalogIndex
) -> None:
    queries = next_call_queries(_habit())
    examiner = Examiner(shop_index, ranker, queries)
    half = np.array([int(query.session_id[1:]) % 2 for query in queries])
    rows = examiner.rows(np.arange(len(queries)), half)
    missed = replace(
        rows,
        relevance=tuple(y * (own == 0) for y, own in zip(rows.relevance, half, strict=True)),
    )
    found = [
        AdaptedScore.fit(known, half, settings=SETTINGS, rng=np.random.default_rng(0))[1]
        for known in (rows, missed)
    ]
    assert found[0] != found[1]
    for calibration in found:
        confidence = calibration.confidence(np.array([2.0, 1.0]), has_history=False)
        assert 0 <= confidence[1] <= confidence[0] <= 1
