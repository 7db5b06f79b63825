"""`POST /feedback` from outside: what was predicted, then what became of it."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import update
from starlette.testclient import TestClient

from nextcall.access.keys import create_key
from nextcall.feedback.accuracy import online_accuracy
from nextcall.feedback.answers import Answer, read_answers
from nextcall.feedback.tables import ANSWER
from nextcall.serve.app import create_app
from nextcall.serve.loading import Stores, open_stores
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import load_settings
from nextcall.storage.database import Database
from nextcall.trials.definition import Definition, Variant
from nextcall.trials.definition import TestType as TrialType

ASKED = {"prompt": "make a queue for ada@example.com", "max_predictions": 5}
SECRET = "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"  # noqa: S105  # of the tests


@contextmanager
def serving(
    predictor: Predictor, folder: Path, **given: object
) -> Iterator[tuple[TestClient, Stores]]:
    settings = load_settings(database_url=f"sqlite:///{folder}/a.db", **given)
    with open_stores(settings) as stores:
        app = create_app(
            predictor,
            settings=settings,
            parts=Parts(trials=stores.trials, door=stores.door, feedback=stores.feedback),
        )
        with TestClient(app, raise_server_exceptions=False) as asking:
            yield asking, stores


def kept(folder: Path) -> list[Answer]:
    with Database(f"sqlite:///{folder}/a.db") as database:
        return read_answers(database)


def tell(asking: TestClient, name: str, chosen: str | None, **headers: str) -> Response:
    told = {"prediction_id": name, "chosen": chosen}
    return asking.post("/feedback", json=told, headers=headers)


def definition(test_type: TrialType = "model") -> Definition:
    return Definition(
        test_name="ranker",
        test_type=test_type,
        variants=[
            Variant(variant_id=each, variant_name=each, traffic_percentage=50) for each in "AB"
        ],
        control_variant_id="A",
        primary_metric="taken_first",
        min_sample_size=2,
    )


@pytest.mark.parametrize("detail", ["short", "full"])
def test_what_was_taken_is_kept_with_what_was_shown(
    predictor: Predictor, tmp_path: Path, detail: str
) -> None:
    before = {"api_call": "sqs:ListQueues"}, {"api_call": "/of/nobody/ada@example.com"}
    with serving(predictor, tmp_path) as (asking, _):
        body = {**ASKED, "history": list(before)}
        answer = asking.post(f"/predict?detail={detail}", json=body).json()
        shown = [each["operation_id"] for each in answer["predictions"]]
        name = answer["prediction_id"]
        first = tell(asking, name, shown[1])
        assert first.status_code == 200
        assert first.json() == {
            "prediction_id": name,
            "recorded": True,
            "repeated": False,
            "replaced": False,
            "rank": 2,
        }
        again = tell(asking, name, answer["predictions"][1]["operation_id"]).json()
        assert (again["recorded"], again["repeated"], again["rank"]) == (False, True, 2)
        other = tell(asking, name, None).json()
        assert (other["recorded"], other["replaced"], other["rank"]) == (True, True, None)
    (row,) = kept(tmp_path)
    assert list(row.operations) == shown
    assert list(row.confidences) == answer["confidence_scores"]
    assert row.model_version == predictor.model_version
    assert row.catalog_hash == predictor.index.catalog.content_hash
    assert row.history == ("sqs:ListQueues",)  # what the catalogue does not know is not kept
    assert (row.chosen, row.prompt, row.user) == (None, None, "development")


def test_each_answer_of_a_batch_may_be_told_of(predictor: Predictor, tmp_path: Path) -> None:
    with serving(predictor, tmp_path) as (asking, _):
        items = asking.post("/predict/batch", json=[ASKED, {"prompt": 7}, ASKED]).json()["results"]
        assert [each["answer"] is None for each in items] == [False, True, False]
        for place, item in enumerate((items[0]["answer"], items[2]["answer"])):
            chosen = item["predictions"][place]["operation_id"]
            assert tell(asking, item["prediction_id"], chosen).json()["rank"] == place + 1


def test_prompts_are_kept_masked_where_that_is_set(predictor: Predictor, tmp_path: Path) -> None:
    with serving(predictor, tmp_path, feedback_prompts=True) as (asking, _):
        tell(asking, asking.post("/predict", json=ASKED).json()["prediction_id"], None)
    (row,) = kept(tmp_path)
    assert row.prompt == "make a queue for [EMAIL_1]"
    for file in tmp_path.glob("a.db*"):
        assert b"ada@example.com" not in file.read_bytes()


def test_an_operation_need_not_have_been_shown_but_must_be_one(
    predictor: Predictor, tmp_path: Path
) -> None:
    with serving(predictor, tmp_path) as (asking, _):
        answer = asking.post("/predict", json={**ASKED, "max_predictions": 1}).json()
        name, shown = answer["prediction_id"], answer["predictions"][0]["operation_id"]
        other = next(
            each.operation_id
            for each in predictor.index.catalog
            if each.operation_id not in {shown, shown.lower()}
        )
        refused = tell(asking, name, "sqs:NoSuchThing")
        assert refused.status_code == 422
        detail = {"field": "chosen", "got": "sqs:NoSuchThing"}
        assert refused.json()["details"][0].items() >= detail.items()
        told = tell(asking, name, other)
        assert (told.status_code, told.json()["rank"]) == (200, None)
    assert [each.chosen for each in kept(tmp_path)] == [other]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"prediction_id": "none", "chosen": None}, 404),
        ({"prediction_id": "none"}, 422),
        ({"prediction_id": "", "chosen": None}, 422),
        ({"prediction_id": "x" * 65, "chosen": None}, 422),
        ({"prediction_id": "none", "chosen": None, "prompt": "x"}, 422),
        ({"prediction_id": "none", "chosen": "x" * 70_000}, 413),
    ],
)
def test_what_cannot_be_told_is_refused(
    predictor: Predictor, tmp_path: Path, body: dict[str, Any], status: int
) -> None:
    with serving(predictor, tmp_path) as (asking, _):
        assert asking.post("/feedback", json=body).status_code == status
    assert kept(tmp_path) == []


def test_only_who_asked_may_tell_and_only_while_it_is_remembered(
    predictor: Predictor, tmp_path: Path
) -> None:
    with serving(predictor, tmp_path, feedback_shown=1) as (asking, _):
        ada, eve = {"X-User-ID": "ada"}, {"X-User-ID": "eve"}
        first, last = (
            asking.post("/predict", json=ASKED, headers=ada).json()["prediction_id"]
            for _ in range(2)
        )
        assert tell(asking, first, None, **ada).status_code == 404
        assert tell(asking, last, None, **eve).status_code == 404
        assert tell(asking, last, None).status_code == 404
        assert tell(asking, last, None, **ada).status_code == 200
    assert [each.user for each in kept(tmp_path)] == ["ada"]


def test_what_is_old_goes_when_the_service_starts(predictor: Predictor, tmp_path: Path) -> None:
    with serving(predictor, tmp_path) as (asking, _):
        for _ in range(2):
            tell(asking, asking.post("/predict", json=ASKED).json()["prediction_id"], None)
    with Database(f"sqlite:///{tmp_path}/a.db") as database, database.writing() as connection:
        old = datetime.now(UTC) - timedelta(days=8)
        one = ANSWER.c.prediction_id == kept(tmp_path)[0].prediction_id
        connection.execute(update(ANSWER).where(one).values(given_at=old))
    with serving(predictor, tmp_path, feedback_days=9):
        pass
    assert len(kept(tmp_path)) == 2
    with serving(predictor, tmp_path, feedback_days=7):
        end = time.monotonic() + 60
        while len(kept(tmp_path)) == 2 and time.monotonic() < end:
            time.sleep(0.01)
    assert len(kept(tmp_path)) == 1


def test_in_production_a_guest_may_not_tell(predictor: Predictor, tmp_path: Path) -> None:
    given = {"environment": "production", "secret": SECRET, "audit_enabled": False}
    with serving(predictor, tmp_path, **given) as (asking, stores):
        with Database(f"sqlite:///{tmp_path}/a.db") as database:
            now = datetime.now(UTC)
            keys = {
                role: {"X-API-Key": create_key(database, role, role=role, now=now)[0]}
                for role in ("guest", "user")
            }
        stores.door.credentials.refresh()
        for role, status in (("guest", 403), ("user", 200)):
            answer = asking.post("/predict", json=ASKED, headers=keys[role]).json()
            assert tell(asking, answer["prediction_id"], None, **keys[role]).status_code == status
        assert asking.post("/feedback", json={}).status_code == 401


def test_where_it_is_off_there_is_no_route_and_nothing_is_remembered(
    predictor: Predictor, tmp_path: Path
) -> None:
    with serving(predictor, tmp_path, feedback_enabled=False) as (asking, stores):
        assert stores.feedback is None
        name = asking.post("/predict", json=ASKED).json()["prediction_id"]
        assert tell(asking, name, None).status_code == 404
        assert "/feedback" not in asking.get("/openapi.json").json()["paths"]


def test_a_running_test_records_what_the_users_variant_brought(
    predictor: Predictor, tmp_path: Path
) -> None:
    with open_stores(load_settings(database_url=f"sqlite:///{tmp_path}/a.db")) as stores:
        test_id = stores.trials.create(definition()).test_id
    hits: dict[str, list[float]] = {"A": [], "B": []}
    with serving(predictor, tmp_path, predict_trial=test_id) as (asking, stores):
        early = asking.post("/predict", json=ASKED).json()["prediction_id"]
        assert tell(asking, early, None).status_code == 200  # it does not run yet
        stores.trials.start(test_id)
        for number in range(12):
            user = {"X-User-ID": f"u{number}"}
            answer = asking.post("/predict", json=ASKED, headers=user).json()
            chosen = answer["predictions"][number % 2]["operation_id"]
            for said in (chosen, chosen, None):  # again, then otherwise: the first counts
                assert tell(asking, answer["prediction_id"], said, **user).status_code == 200
            variant = stores.trials.assign(test_id, f"u{number}").variant_id
            hits[variant].append(float(number % 2 == 0))
        stores.trials.stop(test_id)
        name = asking.post("/predict", json=ASKED).json()["prediction_id"]
        assert tell(asking, name, None).status_code == 200
        found = stores.trials.analyze(test_id)
    assert found.primary_metric == "taken_first"
    for each in found.variant_results:
        own = hits[each.variant_id]
        assert each.events == len(own) > 0
        assert each.mean_value == pytest.approx(sum(own) / len(own))
    with Database(f"sqlite:///{tmp_path}/a.db") as database:
        (told,) = online_accuracy(database)
    assert (told.answers, told.none_rate.value) == (14, 1.0)


@pytest.mark.parametrize("kind", [None, "prompt"])
def test_the_test_must_be_one_of_rankers(
    predictor: Predictor, tmp_path: Path, kind: TrialType | None
) -> None:
    test_id = "none"
    if kind is not None:
        with open_stores(load_settings(database_url=f"sqlite:///{tmp_path}/a.db")) as stores:
            test_id = stores.trials.create(definition(kind)).test_id
    with ExitStack() as opened, pytest.raises(ValueError, match=r"^NEXTCALL_PREDICT_TRIAL must be"):
        opened.enter_context(serving(predictor, tmp_path, predict_trial=test_id))
