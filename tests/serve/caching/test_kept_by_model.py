"""No answer is ever of another model: in memory, by meaning, in Redis, before and after a swap."""

import copy
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from nextcall.cache.redis_tier import RedisTier
from nextcall.ranking.any_ranker import AnyRanker
from nextcall.ranking.calibration import Calibration
from nextcall.ranking.model_files import save_ranker
from nextcall.ranking.model_versions import InUse, ModelVersions
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.serve.app import create_app
from nextcall.serve.caching.caches import ServiceCaches, open_caches
from nextcall.serve.models.content import content_digest
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.process.starting import opened_app
from nextcall.serve.settings import Settings
from nextcall.sessions import Session, calls_of

VERSION = "0" * 16
Begin = Callable[..., TestClient]
BODY = {"prompt": "list all the queues"}
SAME = {"prompt": "List all queues."}  # by its meaning


@pytest.fixture
def without_none(predictor: Predictor) -> CallRanker:
    """Give the same trees of the same day, which do not say when nothing answers."""
    assert isinstance(predictor.ranker, CallRanker)
    assert predictor.ranker.abstention_ is not None
    changed = copy.copy(predictor.ranker)
    changed.abstention_ = None
    return changed


def of(predictor: Predictor, ranker: "AnyRanker | None", version: str | None = None) -> Predictor:
    """Answer by another ranker; a version is of another day."""
    assert predictor.card is not None
    day = predictor.card.trained_at if version is None else "2026-06-01T00:00:00+00:00"
    card = replace(predictor.card, trained_at=day)
    return Predictor(predictor.index, ranker=ranker, card=card, version=version)


def asked(client: TestClient, body: Any = BODY) -> tuple[str, bool]:
    """Ask; tell whether it was kept, and whether the model said how likely none answers."""
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200
    says = answer.json()["metadata"]["none_probability"] is not None
    return answer.headers["x-cache"], says


def test_what_was_learned_beside_the_trees_names_a_model_too(
    predictor: Predictor, without_none: CallRanker
) -> None:
    calibrated, walked = copy.copy(without_none), copy.copy(without_none)
    weights = without_none.calibration_.weights
    calibrated.calibration_ = Calibration((*weights[:-1], weights[-1] + 1.0))
    calls = calls_of(["sqs:CreateQueue", "sqs:SendMessage", "sqs:DeleteQueue"])
    walk = Session(session_id="s", user_id="u", calls=calls)
    walked.prior_ = WorkflowPrior.fit(predictor.index, [walk])
    assert predictor.ranker is not None
    rankers = (predictor.ranker, without_none, calibrated, walked)
    assert len({each.digest for each in rankers}) == 1
    assert len({of(predictor, each).identity for each in rankers}) == 1
    assert len({content_digest(each) for each in rankers}) == 4
    assert content_digest(copy.copy(walked)) == content_digest(walked)


@pytest.mark.parametrize("body", [BODY, SAME])
def test_in_memory_and_by_meaning_each_model_has_its_own(
    predictor: Predictor,
    without_none: CallRanker,
    settings: Settings,
    body: dict[str, str],
) -> None:
    first = of(predictor, predictor.ranker)
    second = of(predictor, without_none, VERSION)
    served = first.pinned()
    parts = Parts(caches=ServiceCaches(settings, served))
    client = TestClient(create_app(served, settings=settings, parts=parts))
    assert asked(client) == ("MISS", True)
    assert asked(client, body) == ("HIT", True)
    served.become(second)
    assert asked(client, body) == ("MISS", False)
    assert asked(client) == ("HIT", False)
    served.become(first)  # the way back
    assert asked(client, body) == ("HIT", True)


@pytest.fixture
def shared(
    settings: Settings,
    start_redis: Callable[[Path], "subprocess.Popen[bytes]"],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Settings]:
    """Keep answers in a Redis, by what is asked alone."""
    options = RedisTier.__init__.__kwdefaults__
    assert options is not None
    monkeypatch.setitem(options, "patience", 60.0)  # a machine may have other work
    with TemporaryDirectory(prefix="nextcall-redis-") as folder:
        socket = Path(folder, "s")
        process = start_redis(socket)
        url = SecretStr(f"unix://{socket}")
        yield settings.model_copy(update={"redis_url": url, "semantic_cache_enabled": False})
        process.kill()
        process.wait()


@pytest.fixture
def begin(shared: Settings) -> Iterator[Begin]:
    """Give what begins a worker over the Redis."""
    with ExitStack() as opened:

        def worker(served: Predictor, first: Predictor | None = None) -> TestClient:
            caches = opened.enter_context(open_caches(shared, served, first=first))
            assert caches is not None
            parts = Parts(caches=caches)
            return TestClient(create_app(served, settings=shared, parts=parts))

        yield worker


@pytest.mark.parametrize("version", [None, VERSION])
def test_workers_with_different_models_share_no_answer(
    predictor: Predictor,
    without_none: CallRanker,
    begin: Begin,
    version: str | None,
) -> None:
    one = begin(of(predictor, predictor.ranker))
    other = begin(of(predictor, without_none, version))
    assert [asked(one), asked(other)] == [("MISS", True), ("MISS", False)]
    third = begin(of(predictor, predictor.ranker))
    assert [asked(one), asked(other), asked(third)] == [
        ("HIT", True),
        ("HIT", False),
        ("HIT", True),
    ]


def test_over_a_swap_and_back_each_answer_is_of_the_model_that_answers(
    predictor: Predictor, without_none: CallRanker, begin: Begin
) -> None:
    old = of(predictor, predictor.ranker)
    new = of(predictor, without_none, VERSION)
    leads, follows = old.pinned(), old.pinned()
    one, other = begin(leads), begin(follows)
    assert [asked(one), asked(other)] == [("MISS", True), ("HIT", True)]
    leads.become(new)
    assert [asked(one), asked(other)] == [("MISS", False), ("HIT", True)]
    follows.become(new)
    assert asked(other) == ("HIT", False)  # which the first had made
    late = begin(new.pinned(), old)  # a worker that begins after the swap
    assert asked(late) == ("HIT", False)
    assert late.post("/api/admin/clear-cache").status_code == 200
    leads.become(old)
    until = time.monotonic() + 60
    while (found := asked(one)) != ("MISS", True):  # it is forgotten by those before, too
        assert found == ("HIT", True)
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_service_begun_after_a_swap_shares_with_one_from_before(
    predictor: Predictor, without_none: CallRanker, shared: Settings, tmp_path: Path
) -> None:
    versions = ModelVersions(tmp_path / "versions")
    changed = {
        "model_versions": versions.folder,
        "data_dir": tmp_path,
        "database_url": f"sqlite:///{tmp_path}/a.db",
    }
    own = shared.model_copy(update=changed)
    card = of(predictor, without_none, VERSION).card
    assert card is not None
    save_ranker(without_none, tmp_path / "new", card=card)
    with ExitStack() as opened:

        def service() -> TestClient:
            app = opened.enter_context(opened_app(predictor.pinned(), own, tell=print))
            return opened.enter_context(TestClient(app))

        before = service()
        assert asked(before) == ("MISS", True)
        versions.use(InUse().to(versions.publish(tmp_path / "new")))
        assert asked(service()) == ("MISS", False)
        until = time.monotonic() + 60
        while (found := asked(before)) != ("HIT", False):  # which the second has made
            assert found == ("HIT", True)  # until it follows
            assert time.monotonic() < until
            time.sleep(0.05)
