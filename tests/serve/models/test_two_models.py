"""Two models behind one route: an A/B test says which of them answers whom."""

import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from nextcall.feedback.answers import read_answers
from nextcall.serve.app import create_app
from nextcall.serve.loading import Stores, open_stores
from nextcall.serve.models.challenger import open_challenger
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings, load_settings
from nextcall.storage.database import Database
from nextcall.trials.definition import Definition, Variant

from .conftest import ASKED, ask, operations, serving, version

USERS = [f"u{number}" for number in range(30)]  # no draw gives all of them one variant
CHALLENGER = "B"


def definition(**models: str) -> Definition:
    return Definition(
        test_name="two rankers",
        test_type="model",
        variants=[
            Variant(
                variant_id=each,
                variant_name=each,
                traffic_percentage=50,
                configuration={"model": models[each]} if each in models else {},
            )
            for each in "AB"
        ],
        control_variant_id="A",
        primary_metric="taken_first",
        min_sample_size=2,
    )


def created(folder: Path, **models: str) -> str:
    with open_stores(load_settings(database_url=f"sqlite:///{folder}/a.db")) as stores:
        return stores.trials.create(definition(**models)).test_id


def variants(stores: Stores, test_id: str) -> dict[str, str]:
    found = {user: stores.trials.assign(test_id, user).variant_id for user in USERS}
    assert set(found.values()) == {"A", "B"}
    return found


@pytest.mark.parametrize("models", [{}, {"A": "current", "B": "challenger"}])
def test_each_user_is_answered_by_the_model_of_the_variant(
    predictor: Predictor, settings: Settings, second: Path, tmp_path: Path, models: dict[str, str]
) -> None:
    test_id = created(tmp_path, **models)
    given = {"predict_trial": test_id, "challenger_model": second}
    with serving(predictor, settings, tmp_path, **given) as (asking, stores, challenger):
        assert challenger is not None
        assert challenger.predictor is not None
        other = challenger.predictor
        assert other.index is predictor.index  # the vectors are there once
        names = {"A": predictor.model_version, "B": other.model_version}
        assert names["A"] != names["B"]
        before = [version(ask(asking, user)) for user in USERS]  # it does not run yet
        assert set(before) == {names["A"]}
        stores.trials.start(test_id)
        assigned = variants(stores, test_id)
        lists: dict[str, set[tuple[str, ...]]] = {"A": set(), "B": set()}
        for _ in range(2):  # the second time it is kept: never the answer of the other model
            for user in USERS:
                answer = ask(asking, user)
                assert version(answer) == names[assigned[user]]
                lists[assigned[user]].add(tuple(operations(answer)))
        assert answer["cache"] == "HIT"
        assert [len(each) for each in lists.values()] == [1, 1]
        assert lists["A"] != lists["B"]
        batch = asking.post("/predict/batch", json=[ASKED, ASKED], headers={"X-User-ID": USERS[0]})
        for item in batch.json()["results"]:
            assert version(item["answer"]) == names[assigned[USERS[0]]]
        health = asking.get("/health").json()
        assert health["status"] == "ok"
        assert health["components"]["challenger"] == {
            "status": "ok",
            "reason": None,
            "model_version": names["B"],
        }
        held = asking.post("/api/admin/clear-cache").json()["cleared"]
        assert held >= 2
        assert ask(asking, next(u for u in USERS if assigned[u] == "B"))["cache"] == "MISS"
        stores.trials.stop(test_id)
        assert {version(ask(asking, user)) for user in USERS} == {names["A"]}


def test_feedback_counts_for_the_variant_whose_model_was_shown(
    predictor: Predictor, settings: Settings, second: Path, tmp_path: Path
) -> None:
    test_id = created(tmp_path)
    given = {"predict_trial": test_id, "challenger_model": second}
    with serving(predictor, settings, tmp_path, **given) as (asking, stores, _):
        early = {user: ask(asking, user) for user in USERS}
        stores.trials.start(test_id)
        assigned = variants(stores, test_id)
        taken = operations(ask(asking, next(u for u in USERS if assigned[u] == "B")))[0]
        for user in USERS:
            for answer in (early[user], ask(asking, user)):
                told = {"prediction_id": answer["prediction_id"], "chosen": taken}
                found = asking.post("/feedback", json=told, headers={"X-User-ID": user})
                assert found.status_code == 200
        stores.trials.stop(test_id)
        result = stores.trials.analyze(test_id)
    first = operations(early[USERS[0]])[0] == taken
    for each in result.variant_results:
        # What the current model showed before the start counts for nobody.
        assert each.events == sum(variant == each.variant_id for variant in assigned.values())
        assert each.mean_value == (1.0 if each.variant_id == "B" else float(first))
    with Database(f"sqlite:///{tmp_path}/a.db") as database:
        answers = read_answers(database)
    assert len(answers) == 2 * len(USERS)
    for answer in answers:
        assert (answer.trial, answer.variant) in {(None, None), (test_id, assigned[answer.user])}  # type: ignore[index]  # each is named
        if answer.variant == CHALLENGER:
            assert answer.model_version != predictor.model_version
        else:
            assert answer.model_version == predictor.model_version


def test_who_has_no_name_gets_what_the_control_gets(
    predictor: Predictor, settings: Settings, second: Path, tmp_path: Path
) -> None:
    test_id = created(tmp_path)
    known = load_settings(
        catalog=settings.catalog,
        cache_dir=settings.cache_dir,
        database_url=f"sqlite:///{tmp_path}/a.db",
        predict_trial=test_id,
        challenger_model=second,
    )
    with open_stores(known) as stores, open_challenger(known, predictor) as challenger:
        stores.trials.start(test_id)
        app = create_app(
            predictor,
            settings=known,
            parts=Parts(trials=stores.trials, challenger=challenger),
        )
        with TestClient(app) as asking:  # without a door nobody has a name
            for number in range(4):
                answer = ask(asking, f"u{number}")
                assert version(answer) == predictor.model_version
        assert sum(each.units for each in stores.trials.analyze(test_id).variant_results) == 0


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign"])
def test_a_challenger_that_cannot_be_used_is_told_of_and_passed_over(
    predictor: Predictor, settings: Settings, second: Path, tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "broken"
    if damage != "missing":
        shutil.copytree(second, folder)
        [evidence] = folder.glob("evidence-*.npz")
        if damage == "cut":
            evidence.write_bytes(evidence.read_bytes()[:-1])
        else:
            (folder / "ranker.json").write_text('{"format": "other"}')
    test_id = created(tmp_path)
    given = {"predict_trial": test_id, "challenger_model": folder}
    with serving(predictor, settings, tmp_path, **given) as (asking, stores, challenger):
        assert challenger is not None
        assert challenger.predictor is None
        stores.trials.start(test_id)
        for user in USERS:
            answer = ask(asking, user)
            assert version(answer) == predictor.model_version
            told = {"prediction_id": answer["prediction_id"], "chosen": None}
            asking.post("/feedback", json=told, headers={"X-User-ID": user})
        health = asking.get("/health").json()
        assert health["status"] == "degraded"
        told = health["components"]["challenger"]
        assert (told["status"], told["model_version"]) == ("failed", None)
        assert told["reason"].startswith("broken")
        assert str(tmp_path) not in told["reason"]
        assert health["components"]["ranker"]["status"] == "ok"
        # Both variants saw the same model: nothing of it may count as a difference.
        assert sum(each.events for each in stores.trials.analyze(test_id).variant_results) == 0


@pytest.mark.parametrize(
    ("models", "reason"),
    [
        ({"B": "data/models/aws"}, "model of variant 'B' must be current or challenger"),
        ({"A": "challenger"}, "model of the control, 'A', must be current, got 'challenger'"),
    ],
)
def test_a_test_that_names_other_models_is_refused(
    predictor: Predictor,
    settings: Settings,
    second: Path,
    tmp_path: Path,
    models: dict[str, str],
    reason: str,
) -> None:
    given = {"predict_trial": created(tmp_path, **models), "challenger_model": second}
    with (
        pytest.raises(ValueError, match=reason),
        serving(predictor, settings, tmp_path, **given),
    ):
        pass


def test_a_test_that_there_is_not_is_refused(
    predictor: Predictor, settings: Settings, second: Path, tmp_path: Path
) -> None:
    given = {"predict_trial": "none", "challenger_model": second}
    with (
        pytest.raises(ValueError, match=r"^NEXTCALL_PREDICT_TRIAL must be .* none of this id"),
        serving(predictor, settings, tmp_path, **given),
    ):
        pass


def test_a_challenger_needs_a_test(second: Path) -> None:
    with pytest.raises(ValueError, match="predict_trial must be set where challenger_model is"):
        load_settings(challenger_model=second)
