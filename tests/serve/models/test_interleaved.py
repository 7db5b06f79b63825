"""Two models in one answer: each places its own, and feedback compares them."""

import asyncio
import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from starlette.testclient import TestClient

from nextcall.feedback.answers import Answer as Kept
from nextcall.feedback.answers import read_answers
from nextcall.feedback.interleaved import interleaved_preferences
from nextcall.feedback.shown import ShownPredictions
from nextcall.serve.answering import Answering
from nextcall.serve.answers import Answer
from nextcall.serve.app import create_app
from nextcall.serve.feedback.shown_answers import ShownAnswers
from nextcall.serve.loading import open_stores
from nextcall.serve.models.challenger import load_challenger, open_challenger
from nextcall.serve.models.interleaved import Interleaved, drafted
from nextcall.serve.outcome import Outcome
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.safety.safety import Safety
from nextcall.serve.schemas import Limits, PredictRequest
from nextcall.serve.settings import Settings, load_settings
from nextcall.storage.database import Database

from .conftest import ASKED, ask, operations, serving, version

USERS = [f"u{number}" for number in range(30)]
LIKED = "s3:ListBuckets"  # what the challenger was taught to put first, whatever is asked


@pytest.fixture
def both(predictor: Predictor, settings: Settings, second: Path) -> tuple[Answer, Answer]:
    """Give what either model answers alone."""
    known = load_settings(interleaved=True, challenger_model=second, cache_dir=settings.cache_dir)
    request = PredictRequest.model_validate(ASKED)
    return predictor.predict(request), load_challenger(known, predictor).predict(request)


@pytest.fixture
def given(second: Path) -> dict[str, Any]:
    return {"interleaved": True, "challenger_model": second}


def names(answer: Answer) -> list[str]:
    return [each.operation_id for each in answer.predictions]


def kept(folder: Path) -> list[Kept]:
    with Database(f"sqlite:///{folder}/a.db") as database:
        return read_answers(database)


def give(asking: TestClient, answer: Any, chosen: str | None, user: str) -> Any:
    body = {"prediction_id": answer["prediction_id"], "chosen": chosen}
    found = asking.post("/feedback", json=body, headers={"X-User-ID": user})
    assert found.status_code == 200, found.text
    return found.json()


def test_each_places_its_own_and_the_first_half_of_the_time(both: tuple[Answer, Answer]) -> None:
    current, challenger = both
    rng, draws = np.random.default_rng(0), 400
    firsts = 0
    for _ in range(draws):
        found = drafted(current, challenger, rng=rng)
        assert found is not None
        answer, teams = found
        assert [each.rank for each in answer.predictions] == [1, 2, 3, 4, 5]
        assert len(set(names(answer))) == 5
        for one, team in zip(answer.predictions, teams, strict=True):
            own = next(e for e in both[team].predictions if e.operation_id == one.operation_id)
            assert one == own.model_copy(update={"rank": one.rank})
            better = names(both[team])[: own.rank - 1]  # of who placed it, all are there already
            assert set(better) <= set(names(answer)[: one.rank - 1])
        assert answer.confidence_scores == [each.confidence for each in answer.predictions]
        placed = answer.metadata.interleaved
        assert placed is not None
        assert placed.model_version == challenger.metadata.model_version
        assert placed.placed_by == [("current", "challenger")[team] for team in teams]
        assert answer.metadata.model_copy(update={"interleaved": None}) == current.metadata
        firsts += teams[0]
    assert 150 <= firsts <= 250  # five standard errors


def test_an_answer_that_is_cut_short_cuts_the_other(both: tuple[Answer, Answer]) -> None:
    current, challenger = both
    rng, draws = np.random.default_rng(1), 400
    nothing = challenger.model_copy(update={"predictions": []})
    assert drafted(current, nothing, rng=rng) is drafted(nothing, current, rng=rng) is None
    short = challenger.model_copy(update={"predictions": challenger.predictions[1:]})
    for pair in ((current, short), (short, current)):
        placed = np.zeros(4)
        for _ in range(draws):
            found = drafted(*pair, rng=rng)
            assert found is not None
            placed += found[1]
        # So who chooses without a look credits both alike, wherever they choose.
        assert np.abs(placed - draws / 2).max() <= 50  # five standard errors


def test_who_has_a_name_gets_both_models_lists_and_feedback_compares_them(
    predictor: Predictor,
    settings: Settings,
    tmp_path: Path,
    given: dict[str, Any],
    both: tuple[Answer, Answer],
) -> None:
    current, challenger = both
    versions = (current.metadata.model_version, challenger.metadata.model_version)
    assert versions[0] != versions[1]
    assert LIKED not in names(current)
    assert names(challenger)[0] == LIKED
    with serving(predictor, settings, tmp_path, **given) as (asking, _, _):
        lists, firsts, caches = set(), set(), []
        for user in USERS:
            answer = ask(asking, user)
            caches.append(answer.pop("cache"))
            assert Answer.model_validate(answer).model_dump(mode="json") == answer
            assert version(answer) == versions[0]
            assert answer["metadata"]["interleaved"]["model_version"] == versions[1]
            lists.add(tuple(operations(answer)))
            firsts.add(answer["metadata"]["interleaved"]["placed_by"][0])
            assert set(operations(answer)) <= {*names(current), *names(challenger)}
            assert give(asking, answer, LIKED, user)["rank"] == 1 + operations(answer).index(LIKED)
        assert caches == ["MISS"] + ["HIT"] * (len(USERS) - 1)  # both models' lists, not the draft
        assert firsts == {"current", "challenger"}
        assert len(lists) > 1
        again = ask(asking, "u0")
        give(asking, again, None, "u0")
    for row in kept(tmp_path):
        assert row.draft is not None
        assert (row.model_version, row.draft.challenger) == versions
        assert [list(each) for each in row.draft.lists] == [names(current), names(challenger)]
        own = [dict(zip(names(each), each.confidence_scores, strict=True)) for each in both]
        expected = [
            own[team][name] for name, team in zip(row.operations, row.draft.teams, strict=True)
        ]
        assert row.confidences == pytest.approx(expected)
    with serving(predictor, settings, tmp_path, **given) as (asking, stores, _):
        # It is on disk: who got no answer may ask again of another process.
        assert give(asking, again, None, "u0")["repeated"]
        (found,) = interleaved_preferences(stores.database)
    assert (found.model_version, found.challenger) == versions
    assert (found.answers, found.taken, found.users) == (31, 30, 30)
    assert (found.credit, found.challenger_credit) == (0.0, 30.0)
    assert found.preferred == "challenger"


def test_a_batch_is_interleaved_item_by_item(
    predictor: Predictor, settings: Settings, tmp_path: Path, given: dict[str, Any]
) -> None:
    asked = [ASKED, {"prompt": ""}, {**ASKED, "max_predictions": 3}]
    with serving(predictor, settings, tmp_path, **given) as (asking, _, _):
        found = asking.post("/predict/batch", json=asked, headers={"X-User-ID": "u"}).json()
        assert (found["succeeded"], found["failed"]) == (2, 1)
        first, _, third = (item["answer"] for item in found["results"])
        assert [len(first["predictions"]), len(third["predictions"])] == [5, 3]
        assert first["metadata"]["interleaved"]["placed_by"]
        give(asking, third, operations(third)[0], "u")
    (row,) = kept(tmp_path)
    assert row.draft is not None
    assert len(row.draft.lists[0]) == len(row.draft.lists[1]) == 3


def test_a_full_answer_is_the_current_models_alone(
    predictor: Predictor, settings: Settings, tmp_path: Path, given: dict[str, Any]
) -> None:
    with serving(predictor, settings, tmp_path, **given) as (asking, _, _):
        headers = {"X-User-ID": "u"}
        full = asking.post("/predict?detail=full", json=ASKED, headers=headers).json()
        batch = asking.post("/predict/batch?detail=full", json=[ASKED], headers=headers).json()
        for answer in (full, batch["results"][0]["answer"]):
            assert answer["metadata"]["interleaved"] is None
            give(asking, answer, None, "u")
    assert [row.draft for row in kept(tmp_path)] == [None, None]


def test_who_has_no_name_is_answered_by_the_current_model_alone(
    predictor: Predictor,
    settings: Settings,
    tmp_path: Path,
    given: dict[str, Any],
    both: tuple[Answer, Answer],
) -> None:
    known = load_settings(
        catalog=settings.catalog,
        cache_dir=settings.cache_dir,
        database_url=f"sqlite:///{tmp_path}/a.db",
        **given,
    )
    with open_stores(known) as stores, open_challenger(known, predictor) as challenger:
        app = create_app(
            predictor, settings=known, parts=Parts(feedback=stores.feedback, challenger=challenger)
        )
        with TestClient(app) as asking:  # without a door nobody has a name
            for _ in range(4):
                answer = ask(asking, "u")
                assert operations(answer) == names(both[0])
                assert answer["metadata"]["interleaved"] is None


def test_a_request_is_counted_and_judged_once(
    predictor: Predictor, settings: Settings, tmp_path: Path, given: dict[str, Any]
) -> None:
    with serving(predictor, settings, tmp_path, **given) as (asking, _, _):
        headers = {"X-User-ID": "u"}
        for _ in range(2):
            ask(asking, "u")
        attack = {"prompt": "x'; DROP TABLE users; --"}
        assert asking.post("/predict", json=attack, headers=headers).status_code == 400
        asking.post("/predict/batch", json=[ASKED, attack], headers=headers)
        guard = asking.get("/health").json()["components"]["guard"]
        assert (guard["total"], guard["blocked"]) == (5, 2)


def test_a_challenger_that_fails_costs_nobody_an_answer(
    predictor: Predictor,
    settings: Settings,
    tmp_path: Path,
    given: dict[str, Any],
    both: tuple[Answer, Answer],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise RuntimeError(ASKED["prompt"])

    given["cache_enabled"] = False
    with serving(predictor, settings, tmp_path, **given) as (asking, _, challenger):
        assert challenger is not None
        assert challenger.predictor is not None
        with monkeypatch.context() as broken:
            broken.setattr(challenger.predictor, "outcome", fail)
            answers = [ask(asking, "u") for _ in range(3)]
            batch = asking.post("/predict/batch", json=[ASKED], headers={"X-User-ID": "u"}).json()
            answers.append(batch["results"][0]["answer"])
            health = asking.get("/health").json()
            assert health["status"] == "degraded"
            told = health["components"]["challenger"]
            assert (told["status"], told["reason"]) == (
                "failed",
                "its last answer failed: RuntimeError",
            )
        for answer in answers:
            assert operations(answer) == names(both[0])
            assert answer["metadata"]["interleaved"] is None
            give(asking, answer, names(both[0])[0], "u")
        works = ask(asking, "u")
        assert works["metadata"]["interleaved"] is not None
        assert asking.get("/health").json()["status"] == "ok"
    assert [row.draft for row in kept(tmp_path)] == [None] * 4
    with Database(f"sqlite:///{tmp_path}/a.db") as database:
        assert interleaved_preferences(database) == []
    said = [each.getMessage() for each in caplog.records if "challenger" in each.getMessage()]
    assert said == ["challenger failed", "challenger works again"]
    assert str(ASKED["prompt"]) not in caplog.text


def test_a_challenger_that_takes_too_long_is_not_waited_for(
    predictor: Predictor, settings: Settings, second: Path
) -> None:
    known = load_settings(interleaved=True, challenger_model=second, cache_dir=settings.cache_dir)
    slow, may_end = load_challenger(known, predictor), threading.Event()
    usual = slow.outcome

    def wait(request: PredictRequest, **given: Any) -> Outcome:
        assert may_end.wait(240)
        return usual(request, **given)

    slow.outcome = wait  # type: ignore[method-assign]  # as a machine that is busy
    safety = Safety(known, predictor.index.catalog)
    interleaved = Interleaved(
        Answering(predictor, safety, Limits()),
        Answering(slow, safety.apart(), Limits(), seconds=0.05),
        ShownPredictions(),
        rng=np.random.default_rng(0),
    )

    async def main() -> bytes:
        reply = await interleaved.reply(json.dumps(ASKED).encode(), "short", user="u")
        may_end.set()
        return reply.body

    answer = Answer.model_validate_json(asyncio.run(main()))
    assert answer.metadata.interleaved is None
    assert names(answer) == names(predictor.predict(PredictRequest.model_validate(ASKED)))


def test_a_challenger_that_cannot_be_used_is_told_of_and_passed_over(
    predictor: Predictor, settings: Settings, tmp_path: Path, given: dict[str, Any]
) -> None:
    given["challenger_model"] = tmp_path / "missing"
    with serving(predictor, settings, tmp_path, **given) as (asking, _, _):
        answer = ask(asking, "u")
        assert answer["metadata"]["interleaved"] is None
        assert asking.get("/health").json()["status"] == "degraded"


def test_what_was_drafted_is_named_as_the_catalogue_names_it(
    predictor: Predictor, settings: Settings, second: Path
) -> None:
    """So that what waits for feedback holds no texts of its own."""
    known = load_settings(interleaved=True, challenger_model=second, cache_dir=settings.cache_dir)
    shown, catalog = ShownPredictions(), predictor.index.catalog
    safety = Safety(known, catalog)
    interleaved = Interleaved(
        Answering(
            predictor,
            safety,
            Limits(),
            shown=ShownAnswers(shown, predictor, safety, prompts=False),
        ),
        Answering(load_challenger(known, predictor), safety.apart(), Limits()),
        shown,
        rng=np.random.default_rng(0),
    )
    reply = asyncio.run(interleaved.reply(json.dumps(ASKED).encode(), "short", user="u"))
    answer = Answer.model_validate_json(reply.body)
    assert reply.is_kept is None
    found = shown.find(answer.prediction_id, at=datetime.now(UTC))
    assert found is not None
    assert found.draft is not None
    assert list(found.operations) == names(answer)
    for one in (found.operations, *found.draft.lists):
        assert all(name is catalog[name].operation_id for name in one)


def test_what_is_kept_of_the_challenger_serves_feedback_should_it_be_the_current_model(
    predictor: Predictor, settings: Settings, tmp_path: Path, given: dict[str, Any]
) -> None:
    body = json.dumps({**ASKED, "history": [{"api_call": "sqs:ListQueues"}]}).encode()
    with serving(predictor, settings, tmp_path, **given) as (asking, _, challenger):
        assert challenger is not None
        assert challenger.predictor is not None
        asking.post("/predict", content=body, headers={"X-User-ID": "u"})
        shown, safety = ShownPredictions(), Safety(settings, predictor.index.catalog)
        promoted = Answering(
            challenger.predictor,
            safety,
            Limits(),
            caches=challenger.caches,
            shown=ShownAnswers(shown, challenger.predictor, safety, prompts=False),
        )
        reply = asyncio.run(promoted.reply(body, "short", user="v"))
    assert reply.is_kept
    answer = Answer.model_validate_json(reply.body)
    found = shown.find(answer.prediction_id, at=datetime.now(UTC))
    assert found is not None
    assert (found.user, found.history, found.draft) == ("v", ("sqs:ListQueues",), None)


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"challenger_model": None}, "challenger_model must be set where interleaved is true"),
        ({"predict_trial": "t1"}, "predict_trial must not be set where .*, got 't1'"),
        ({"feedback_enabled": False}, "feedback_enabled must be true where interleaved is"),
        ({"challenger_seconds": 0}, "NEXTCALL_CHALLENGER_SECONDS: .*greater than 0, got 0"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(
    given: dict[str, Any], changed: dict[str, Any], rule: str
) -> None:
    load_settings(**given)
    with pytest.raises(ValueError, match=rule):
        load_settings(**given | changed)
