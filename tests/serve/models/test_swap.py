"""Another model comes into use in one step: checked, kept apart from the old one's answers."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.testclient import TestClient

from nextcall.jobs.job import Job, JobRefusedError
from nextcall.ranking import model_versions
from nextcall.ranking.model_files import ModelError, load_ranker
from nextcall.ranking.model_versions import InUse, ModelVersions
from nextcall.ranking.ranker import CallRanker
from nextcall.serve.app import create_app
from nextcall.serve.caching.caches import ServiceCaches
from nextcall.serve.jobs.kinds import Train
from nextcall.serve.models.checks import check_answers, known_prompts
from nextcall.serve.models.swap import ModelSwap
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.schemas import PredictRequest
from nextcall.serve.settings import Settings
from nextcall.training.judged import Judged, OnSameQueries, model_digest, save_judged

from .conftest import Make, serving_jobs

PROMPTS = ("list my buckets", "send a message to a queue", "delete a topic", "copy an object")


@pytest.fixture
def served(predictor: Predictor) -> Predictor:
    return predictor.pinned()


@pytest.fixture
def swap(served: Predictor, versions: ModelVersions, settings: Settings) -> ModelSwap:
    return ModelSwap(served, versions, settings)


def answers(predictor: Predictor) -> list[Any]:
    asked = (PredictRequest(prompt=prompt, max_predictions=3) for prompt in PROMPTS)
    return [predictor.predict(each).predictions for each in asked]


def damage(versions: ModelVersions, version: str | None) -> None:
    assert version is not None
    (versions.path(version) / "ranker.json").write_text("{}")


def test_a_model_takes_the_place_of_another_and_gives_it_back(
    swap: ModelSwap, served: Predictor, predictor: Predictor, make: Make, versions: ModelVersions
) -> None:
    done = swap.take(make())
    assert (done.before, done.validation_ndcg) == (None, 0.8)
    assert done.version == served.version == versions.in_use().current
    assert done.model_version == served.model_version != predictor.model_version
    fresh = Predictor(predictor.index, ranker=load_ranker(make())[0])
    assert answers(served) == answers(fresh) != answers(predictor)
    back = swap.roll_back()
    assert (back.version, back.before) == (None, done.version)
    assert answers(served) == answers(predictor)
    assert versions.in_use() == InUse()
    with pytest.raises(ValueError, match=r"^There is no model before the one in use\.$"):
        swap.roll_back()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"catalog_hash": "0" * 64},
            r"cannot be used: The model must be trained on this cat.*00\.$",
        ),
        ({"ndcg": 0.7}, r"^NDCG@10 of the new .* at most 0\.01 below 0\.8000, .*, got 0\.7000\.$"),
        ({"ndcg": float("nan")}, r"^The new model must state its NDCG@10, got none\.$"),
    ],
)
def test_a_model_that_does_not_pass_is_refused(
    swap: ModelSwap, served: Predictor, make: Make, change: dict[str, Any], reason: str
) -> None:
    first = swap.take(make(seed=9))
    with pytest.raises(JobRefusedError, match=reason):
        swap.take(make("worse", **change))
    assert (served.version, served.fallback_reason) == (first.version, None)


def judged(against: Path, *, difference: float) -> Judged:
    """Say what a training found beside a model."""
    found = OnSameQueries(
        ndcg=0.5 + difference,
        present_ndcg=0.5,
        difference=difference,
        ci_lower=difference - 0.1,
        ci_upper=difference + 0.1,
        queries=80,
        groups=9,
    )
    return Judged(against=model_digest(against), on_same=found, left_out=2, may_have_learned=False)


def test_what_the_training_found_on_the_same_queries_decides(
    swap: ModelSwap, served: Predictor, make: Make, other: tuple[CallRanker, Any]
) -> None:
    trees = other[0].digest
    start = swap.folder_in_use()
    assert start is not None
    worse = make("worse", ndcg=0.99)
    save_judged(judged(start, difference=-0.02), worse, trees=trees)
    with pytest.raises(JobRefusedError, match=r"on the same 80 queries, got 0\.4800\.$") as refused:
        swap.take(worse)
    assert refused.value.result is not None
    assert refused.value.result["quality"]["ci_upper"] == pytest.approx(0.08)
    assert (served.version, served.fallback_reason) == (None, None)
    good = make("good", ndcg=0.01, seed=2)
    save_judged(judged(start, difference=-0.005), good, trees=trees)
    done = swap.take(good)
    assert done.quality is not None
    assert (done.quality.judged_by, done.quality.queries) == ("same queries", 80)
    assert swap.folder_in_use() == swap.versions.path(str(done.version))
    late = make("late", ndcg=0.01, seed=3)  # held against what is not in use by now
    save_judged(judged(start, difference=-0.5), late, trees=trees)
    after = swap.take(late)
    assert after.quality is not None
    assert after.quality.judged_by == "cards"
    assert swap.roll_back().quality is None


def test_there_is_nothing_to_be_held_against_without_a_whole_model(
    swap: ModelSwap, make: Make, fallback: Predictor, settings: Settings, versions: ModelVersions
) -> None:
    assert swap.folder_in_use() == settings.model
    done = swap.take(make())
    damage(versions, done.version)
    assert swap.folder_in_use() is None
    assert ModelSwap(fallback.pinned(), versions, settings).folder_in_use() is None


def test_a_little_worse_is_as_good(swap: ModelSwap, make: Make) -> None:
    swap.take(make(seed=9))
    assert swap.take(make("other", ndcg=0.795)).validation_ndcg == 0.795


@pytest.mark.parametrize("fault", ["score", "confidence"])
def test_numbers_that_are_none_are_refused(
    predictor: Predictor, make: Make, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    ranker, card = load_ranker(make())
    candidate = Predictor(predictor.index, ranker=ranker, card=card)
    check_answers(candidate)
    right = ranker.answer

    def wrong(*given: Any, **named: Any) -> Any:
        found = right(*given, **named)
        broken: Any = {fault: float("nan")}
        changed = [replace(each, **broken) for each in found.ranked]
        return replace(found, ranked=changed)

    monkeypatch.setattr(ranker, "answer", wrong)
    with pytest.raises(ModelError, match=r"^The model must give finite scores .*nan"):
        check_answers(candidate)
    assert 10 <= len(list(known_prompts(predictor.index.catalog))) <= 20


@pytest.mark.parametrize("fault", ["torn", "worse"])
def test_a_refused_model_is_told_of_and_the_service_is_as_sound_as_before(
    predictor: Predictor, make: Make, own: Settings, versions: ModelVersions, fault: str
) -> None:
    served, beside = predictor.pinned(), predictor.pinned()
    with serving_jobs(served, own) as (client, swap), serving_jobs(beside, own) as (other, follows):
        first = swap.take(make())
        follows.follow()
        trained = make(fault, seed=2, ndcg=0.1)
        if fault == "torn":
            for trees in trained.glob("trees-*.txt"):
                trees.write_text(trees.read_text()[:-10])
        with pytest.raises(JobRefusedError) as refused:
            swap.take(trained)
        assert served.version == first.version == versions.in_use().current
        follows.follow()
        for each in (client, other):  # each worker tells it, not only the one that did the job
            told = each.get("/health").json()
            ranker = told["components"]["ranker"]
            assert (told["status"], ranker["status"], ranker["reason"]) == ("ok", "ok", None)
            assert ranker["model_version"] == first.model_version
            assert ranker["refused"] == str(refused.value)
            assert str(versions.folder) not in ranker["refused"]
        answer = client.post("/predict", json={"prompt": PROMPTS[0]}).json()
        assert answer["metadata"]["model_version"] == first.model_version
        swap.take(make("good", seed=3))
        for each in (client, other):
            assert each.get("/health").json()["components"]["ranker"]["refused"] is None


def test_a_refusal_is_told_by_the_job_where_it_cannot_be_kept(
    swap: ModelSwap, served: Predictor, make: Make, versions: ModelVersions
) -> None:
    first = swap.take(make())
    (versions.folder / "refused.txt").mkdir()
    with pytest.raises(JobRefusedError, match=r"at most 0\.01 below 0\.8000"):
        swap.take(make("worse", ndcg=0.1))
    assert versions.refused() is None
    assert served.version == first.version


@pytest.mark.parametrize("left", ["version", "first", "nothing"])
def test_at_the_start_a_damaged_model_makes_room_for_the_former(
    predictor: Predictor,
    fallback: Predictor,
    make: Make,
    settings: Settings,
    versions: ModelVersions,
    left: str,
) -> None:
    before = ModelSwap(predictor.pinned(), versions, settings)
    one, two = before.take(make()), before.take(make("second", seed=4))
    damage(versions, two.version)
    if left != "version":
        damage(versions, one.version)
    begun = (fallback if left == "nothing" else predictor).pinned()
    ModelSwap(begun, versions, settings).follow()
    expected = {"version": one.version, "first": None, "nothing": None}[left]
    assert begun.version == expected
    assert (begun.ranker is None) == (left == "nothing")
    assert str(begun.fallback_reason).startswith(f"{two.version}: files must match manifest.json")
    with TestClient(create_app(begun, settings=settings)) as client:
        assert client.get("/health").json()["status"] == "degraded"
        body = {"prompt": PROMPTS[0]}
        metadata = client.post("/predict?detail=full", json=body).json()["metadata"]
        assert metadata["ml_ranking_enabled"] == (left != "nothing")
        assert (metadata["fallback_method"] == "fused_retrieval") == (left == "nothing")


def test_a_service_begins_with_what_was_in_use_last(
    predictor: Predictor, make: Make, settings: Settings, versions: ModelVersions
) -> None:
    done = ModelSwap(predictor.pinned(), versions, settings).take(make())
    begun = predictor.pinned()
    ModelSwap(begun, versions, settings).follow()
    assert (begun.version, begun.fallback_reason) == (done.version, None)


def test_workers_follow_each_other(
    predictor: Predictor, make: Make, settings: Settings, versions: ModelVersions
) -> None:
    one, two = predictor.pinned(), predictor.pinned()
    leads, follows = (ModelSwap(each, versions, settings) for each in (one, two))
    follows.follow()
    done = leads.take(make())
    follows.follow()
    assert two.version == done.version
    leads.roll_back()
    follows.follow()
    assert two.version is None
    leads.take(make("second", seed=5))
    damage(versions, one.version)
    follows.follow()
    assert two.version is None
    assert str(two.fallback_reason).startswith(str(one.version))


def test_the_way_back_begins_where_another_worker_ended(
    predictor: Predictor, make: Make, settings: Settings, versions: ModelVersions
) -> None:
    served = predictor.pinned()
    swap = ModelSwap(served, versions, settings)
    one = swap.take(make())
    two = versions.publish(make("second", seed=4))
    back = threading.Thread(target=swap.roll_back)
    with versions.changing():
        back.start()
        back.join(1)
        assert back.is_alive()
        versions.use(versions.in_use().to(two))
    back.join()
    assert served.version == one.version == versions.in_use().current
    assert versions.in_use().before == (None,)


def test_a_new_model_is_held_against_what_another_worker_took_meanwhile(
    predictor: Predictor, make: Make, settings: Settings, versions: ModelVersions
) -> None:
    one, two = predictor.pinned(), predictor.pinned()
    leads, late = (ModelSwap(each, versions, settings) for each in (one, two))
    done = leads.take(make(ndcg=0.9))
    with pytest.raises(JobRefusedError, match=r"at most 0\.01 below 0\.9000, .*, got 0\.8000\.$"):
        late.take(make("worse", seed=2, ndcg=0.8))
    assert two.version == done.version
    after = late.take(make("good", seed=3, ndcg=0.95))
    assert after.before == done.version
    assert versions.in_use().order() == (after.version, done.version, None)
    leads.follow()
    assert one.version == after.version


def test_who_would_go_back_is_told_that_another_process_changes_the_model(
    predictor: Predictor,
    make: Make,
    own: Settings,
    versions: ModelVersions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_versions, "WAIT_SECONDS", 0.05)
    with serving_jobs(predictor.pinned(), own) as (client, swap):
        swap.take(make())
        with versions.changing():
            busy = client.post("/api/admin/rollback-model")
        assert busy.status_code == 503
        assert busy.json()["error"].startswith("Another process changes which model is in use")
        assert client.post("/api/admin/rollback-model").status_code == 200


def test_a_model_is_not_refused_where_another_process_holds_the_versions(
    swap: ModelSwap,
    make: Make,
    settings: Settings,
    versions: ModelVersions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_versions, "WAIT_SECONDS", 0.05)
    folder = make()
    version = versions.publish(folder)
    job = cast("Job", None)  # of no use there
    with versions.changing(), pytest.raises(TimeoutError, match=r"Ask again\.$"):
        Train(settings, swap).finish(job, folder)
    assert versions.refused() is None
    assert Train(settings, swap).finish(job, folder)["version"] == version


def test_a_damaged_pointer_leaves_what_answers(
    swap: ModelSwap,
    served: Predictor,
    predictor: Predictor,
    make: Make,
    settings: Settings,
    versions: ModelVersions,
) -> None:
    done = swap.take(make())
    versions.pointer.write_text("{")
    begun = predictor.pinned()
    ModelSwap(begun, versions, settings).follow()
    assert (begun.version, begun.ranker) == (None, predictor.ranker)
    assert str(begun.fallback_reason).startswith("current.json: cannot be read")
    swap.follow()
    assert served.version == done.version
    assert str(served.fallback_reason).startswith("current.json: cannot be read")
    swap.roll_back()
    assert (served.version, served.fallback_reason) == (None, None)


def test_the_way_back_to_a_damaged_model_is_closed(
    swap: ModelSwap, served: Predictor, make: Make, versions: ModelVersions
) -> None:
    one, two = swap.take(make()), swap.take(make("second", seed=6))
    damage(versions, one.version)
    with pytest.raises(ValueError, match=f"^The model before cannot be used: {one.version}: "):
        swap.roll_back()
    assert served.version == two.version == versions.in_use().current


@pytest.mark.parametrize("kept", [False, True])
def test_no_answer_is_of_two_models(
    swap: ModelSwap, served: Predictor, make: Make, settings: Settings, *, kept: bool
) -> None:
    swap.take(make())
    new = served.pinned()
    swap.roll_back()
    old = served.pinned()
    expected = {
        (str(one.model_version), prompt): [each.model_dump(mode="json") for each in found]
        for one in (old, new)
        for prompt, found in zip(PROMPTS, answers(one), strict=True)
    }
    caches = ServiceCaches(settings, served) if kept else None
    seen, faults, ended = set[str](), list[Any](), threading.Event()
    with TestClient(create_app(served, settings=settings, parts=Parts(caches=caches))) as client:

        def ask(place: int) -> None:
            while not ended.is_set():
                place += 1
                prompt = PROMPTS[place % len(PROMPTS)]
                told = client.post("/predict", json={"prompt": prompt}).json()
                version = told["metadata"]["model_version"]
                seen.add(version)
                mine = [
                    {name: each[name] for name in ("operation_id", "confidence", "rank")}
                    for each in told["predictions"]
                ]
                right = [
                    {name: each[name] for name in ("operation_id", "confidence", "rank")}
                    for each in expected[version, prompt]
                ]
                if mine != right:
                    faults.append((version, prompt, mine))

        threads = [threading.Thread(target=ask, args=[place]) for place in range(4)]
        for thread in threads:
            thread.start()
        try:
            for one in (new, old) * 15:
                served.become(one)
                for prompt in PROMPTS:  # after a change nobody hears of the former model
                    told = client.post("/predict", json={"prompt": prompt}).json()
                    assert told["metadata"]["model_version"] == one.model_version
        finally:
            ended.set()
            for thread in threads:
                thread.join()
    assert not faults
    assert seen == {str(old.model_version), str(new.model_version)}


def test_a_folder_of_another_kind_is_no_model(swap: ModelSwap, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(JobRefusedError, match="must hold a ranker"):
        swap.take(tmp_path / "empty")
