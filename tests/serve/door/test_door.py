"""What the settings ask for is opened over a database, and closed."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from starlette.testclient import TestClient

from nextcall.access.audit_chain import verify
from nextcall.access.audit_event import AuditEvent
from nextcall.access.audit_log import AuditLog
from nextcall.access.audit_search import search
from nextcall.access.keys import create_key
from nextcall.access.principal import CredentialError
from nextcall.serve.app import create_app
from nextcall.serve.door.door import Door, open_door
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import load_settings
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate
from nextcall.trials.trials import Trials

SECRET = "q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"  # noqa: S105  # of the tests
PREDICT = {"prompt": "list the queues"}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Database]:
    with Database(f"sqlite:///{tmp_path}/kept.db") as database:
        migrate(database)
        yield database


@contextmanager
def opened(kept: Database, **given: object) -> Iterator[Door]:
    given = {"environment": "production", "secret": SECRET, **given}
    with open_door(load_settings(**given), kept) as door:
        yield door


@contextmanager
def serving(predictor: Predictor, kept: Database, **given: object) -> Iterator[TestClient]:
    given = {"environment": "production", "secret": SECRET, "rate_adaptive": False, **given}
    settings = load_settings(**given)
    with open_door(settings, kept) as door:
        app = create_app(predictor, settings=settings, parts=Parts(door=door))
        with TestClient(app) as asking:
            yield asking


def key(kept: Database, **options: Any) -> dict[str, str]:
    options = {"role": "user", **options}
    return {"X-API-Key": create_key(kept, "a key", now=datetime.now(UTC), **options)[0]}


def test_the_audit_log_tells_when_the_service_began_and_ended(kept: Database) -> None:
    with opened(kept, audit_secret=SECRET[::-1]) as door:
        assert door.audit is not None
        assert [each.event.action for each in search(kept)] == ["service started"]
    told = [each.event for each in search(kept)]
    assert [each.action for each in told] == ["service stopped", "service started"]
    assert {each.kind for each in told} == {"system"}
    assert dict(told[0].details)["environment"] == "production"
    assert verify(kept, key=load_settings(audit_secret=SECRET[::-1]).audit_keys()[0]).faults == ()
    assert verify(kept).faults != ()


def test_a_log_that_ends_with_another_secret_is_not_written_to(kept: Database) -> None:
    with opened(kept, audit_secret=SECRET[::-1]):
        pass
    with (
        pytest.raises(ValueError, match=r"^NEXTCALL_AUDIT_SECRET must be the secret that"),
        opened(kept),
    ):
        pass
    assert len(search(kept)) == 2


def test_without_an_audit_log_nothing_is_kept(predictor: Predictor, kept: Database) -> None:
    with serving(predictor, kept, audit_enabled=False) as asking:
        assert asking.post("/predict", json=PREDICT).status_code == 401
    assert search(kept) == []


def test_what_is_older_than_is_kept_goes_when_the_service_starts(kept: Database) -> None:
    old = datetime.now(UTC) - timedelta(days=8)
    with AuditLog(kept) as log:
        log.write(AuditEvent(at=old, kind="key", action="created"))
    with opened(kept, audit_days=7):
        end = time.monotonic() + 60
        while "retention" not in (told := [each.event.action for each in search(kept)]):
            assert time.monotonic() < end
            time.sleep(0.01)
    assert "created" not in told


def test_development_counts_nothing_and_production_does(kept: Database) -> None:
    with opened(kept, environment="development", secret=None) as door:
        assert (door.mode.needs_key, door.limiter, door.addresses) == (False, None, None)
    with opened(kept) as door:
        assert door.limiter is not None
        assert door.addresses is not None
        assert (door.shared, door.outside) == (None, None)


def test_limits_are_stricter_under_load_where_that_is_asked_for(
    kept: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextcall.serve.door.door._LOAD_SECONDS", 3600.0)
    for adaptive, expected in ((True, 30), (False, 60)):
        with opened(kept, rate_adaptive=adaptive) as door:
            assert door.limiter is not None
            end = time.monotonic() + 60
            while not door.load._until:  # the door looks at its own load once
                assert time.monotonic() < end
                time.sleep(0.01)
            door.load.observe_load(0.95)
            decision = door.limiter.take("a", endpoint="/predict")
            assert decision.windows[0].limit == expected


def test_tokens_of_an_outside_issuer_are_asked_of_it(kept: Database) -> None:
    with opened(kept, oidc_issuer="http://127.0.0.1:9", oidc_roles={"staff": "user"}) as door:
        assert door.outside is not None
        with pytest.raises(CredentialError):
            door.outside.verify("none")
    with (
        pytest.raises(ValueError, match="issuer must"),
        opened(kept, oidc_issuer="http://issuer.example"),
    ):
        pass


def test_production_asks_everybody_for_a_key(predictor: Predictor, kept: Database) -> None:
    user, admin = key(kept), key(kept, role="admin")
    with serving(predictor, kept, allowed_origins="https://portal.example") as asking:
        assert asking.post("/predict", json=PREDICT).status_code == 401
        answer = asking.post("/predict", json=PREDICT, headers=user)
        assert answer.status_code == 200
        assert answer.headers["x-ratelimit-remaining-minute"] == "59"
        assert asking.get("/health").status_code == 200
        assert asking.get("/docs").status_code == 200
        assert asking.get("/static/swagger-ui.css").status_code == 200
        assert asking.get("/metrics", headers=user).status_code == 403
        assert "nextcall_credentials_fresh 1.0" in asking.get("/metrics", headers=admin).text
        ours, theirs = ({"Origin": f"https://{name}.example"} for name in ("portal", "other"))
        named = asking.post("/predict", json=PREDICT, headers=ours)
        assert (named.status_code, named.headers["access-control-allow-origin"]) == (
            401,
            ours["Origin"],
        )
        other = asking.post("/predict", json=PREDICT, headers=theirs)
        assert "access-control-allow-origin" not in other.headers
        asked = {**ours, "Access-Control-Request-Method": "POST"}
        assert asking.options("/predict", headers=asked).status_code == 200
        told = asking.get("/health").json()
        assert told["components"]["access"] == {
            "status": "ok",
            "environment": "production",
            "limits": "memory",
            "keys_known": True,
        }


def test_a_refusal_of_the_guard_is_kept_without_its_words(
    predictor: Predictor, kept: Database
) -> None:
    user, admin = key(kept), key(kept, role="admin")
    attack = {"prompt": "<script>alert('zarquon')</script>"}
    with serving(predictor, kept) as asking:
        assert asking.post("/predict", json=attack, headers=user).status_code == 400
        metrics = asking.get("/metrics", headers=admin).text
    assert 'nextcall_guard_requests_total{outcome="blocked"} 1.0' in metrics
    assert 'nextcall_guard_violations_total{family="xss"}' in metrics
    (event,) = [each.event for each in search(kept, kind="security")]
    assert (event.action, event.severity) == ("blocked", "warning")
    assert dict(event.details)["route"] == "/predict"
    assert "xss" in str(dict(event.details)["family"])
    assert "zarquon" not in repr(search(kept))
    with serving(predictor, kept, audit_enabled=False) as asking:
        assert asking.post("/predict", json=attack, headers=user).status_code == 400


def test_changes_of_tests_are_in_the_audit_log_and_undone_with_it(
    predictor: Predictor, kept: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves = [{"variant_id": x, "variant_name": x, "traffic_percentage": 50} for x in "AB"]
    plan = {
        "test_name": "ranker",
        "test_type": "model",
        "variants": halves,
        "control_variant_id": "A",
        "primary_metric": "taken",
    }
    settings = load_settings(environment="production", secret=SECRET)
    developer = key(kept, role="developer", user=None)
    headers = {**developer, "X-User-ID": "ada", "X-Request-ID": "job-1"}
    with Trials(kept) as trials, open_door(settings, kept) as door:
        app = create_app(predictor, settings=settings, parts=Parts(trials=trials, door=door))
        with TestClient(app, headers=headers, raise_server_exceptions=False) as asking:
            tests = "/api/ab-testing/tests"
            test_id = asking.post(tests, json=plan).json()["test_id"]
            changed = {**plan, "test_name": "other", "version": 1}
            assert asking.put(f"{tests}/{test_id}", json=changed).status_code == 200
            for step in ("start", "stop", "archive"):
                assert asking.post(f"{tests}/{test_id}/{step}").status_code == 200
            told = [each.event for each in search(kept, kind="data")][::-1]
            actions = ["create", "change", "start", "stop", "archive"]
            assert [each.action for each in told] == [f"test: {name}" for name in actions]
            assert {str(each.user)[:4] for each in told} == {"key:"}
            expected = {"test_id": test_id, "request_id": "job-1", "of_user": "ada"}
            assert [dict(each.details) for each in told] == [
                {**expected, "version": version} for version in range(1, 6)
            ]

            def fail(*_: object) -> None:
                raise RuntimeError

            monkeypatch.setattr(AuditLog, "append", fail)
            assert asking.post(tests, json=plan).status_code == 500
            assert len(trials.find()) == 1
    assert verify(kept).faults == ()


def test_a_batch_costs_its_length(predictor: Predictor, kept: Database) -> None:
    user = key(kept)
    with serving(predictor, kept) as asking:
        first = asking.post("/predict/batch", json=[PREDICT] * 50, headers=user)
        assert (first.status_code, first.headers["x-ratelimit-remaining-minute"]) == (200, "10")
        second = asking.post("/predict/batch", json=[PREDICT] * 50, headers=user)
        assert (second.status_code, second.json()["error"]) == (429, "Rate limit exceeded")
        assert asking.post("/predict", json=PREDICT, headers=user).status_code == 200


def test_a_flood_of_one_address_is_refused_first(predictor: Predictor, kept: Database) -> None:
    with serving(predictor, kept, address_per_minute=3) as asking:
        codes = [asking.post("/predict", json=PREDICT).status_code for _ in range(5)]
    assert codes == [401] * 3 + [429] * 2


def ended(server: "subprocess.Popen[bytes]") -> None:
    server.kill()
    server.wait(60)


def test_a_redis_that_goes_is_told_and_comes_back(
    predictor: Predictor,
    kept: Database,
    start_redis: Callable[[Path], "subprocess.Popen[bytes]"],
) -> None:
    user, admin = key(kept, tier="pro"), key(kept, role="admin")

    def limits() -> str:
        assert asking.post("/predict", json=PREDICT, headers=user).status_code == 200
        health = asking.get("/health").json()
        told = str(health["components"]["access"]["limits"])
        degraded = told == "memory, for Redis is away"
        assert health["status"] == ("degraded" if degraded else "ok")
        return told

    def marked() -> bool:
        metrics = asking.get("/metrics", headers=admin).text
        return "nextcall_rate_store_degraded 1.0" in metrics

    def comes(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60  # a request that meets Redis late is limited in memory
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.1)

    with TemporaryDirectory(prefix="nextcall-redis-") as folder, ExitStack() as stack:
        server = start_redis(Path(folder, "s"))
        stack.callback(ended, server)
        with serving(predictor, kept, redis_url=f"unix://{folder}/s") as asking:
            comes(lambda: limits() == "redis" and not marked())
            ended(server)
            Path(folder, "s").unlink()
            assert limits() == "memory, for Redis is away"
            assert marked()
            stack.callback(ended, start_redis(Path(folder, "s")))
            comes(lambda: limits() == "redis" and not marked())


def test_a_redis_url_of_another_form_is_refused_unseen(kept: Database) -> None:
    with (
        pytest.raises(ValueError, match=r"^url must be redis://") as caught,
        opened(kept, redis_url="http://:hidden@localhost"),
    ):
        pass
    assert "hidden" not in str(caught.value)
