"""A service whose PostgreSQL is stopped says so, and goes on as soon as it is there again."""

import time
from contextlib import AbstractContextManager
from typing import Any, Protocol

from starlette.testclient import TestClient

from nextcall.resilience.breakers import Breakers
from nextcall.serve.app import create_app
from nextcall.serve.breaker_notes import BreakerNotes
from nextcall.serve.loading import open_stores
from nextcall.serve.observer import Observer
from nextcall.serve.parts import Parts
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import load_settings

LONG = 120.0  # seconds after which the test is given up
ASKED = {"prompt": "list the queues"}


class Server(Protocol):
    """A server of the test's own."""

    url: str

    def hanging(self) -> AbstractContextManager[None]:
        """Stop it for as long as a block lasts."""


def test_a_database_that_hangs_is_left_alone_and_told_of(
    predictor: Predictor, own_postgres: Server
) -> None:
    now, notes, observer = [0.0], BreakerNotes(), Observer()
    breakers = Breakers(clock=lambda: now[0], listener=notes)
    settings = load_settings(database_url=own_postgres.url, database_seconds=1.0)
    with open_stores(settings, breakers=breakers) as stores:
        notes.count_in(observer.metrics, breakers)
        parts = Parts(
            trials=stores.trials,
            door=stores.door,
            feedback=stores.feedback,
            observer=observer,
            breakers=breakers,
        )
        app = create_app(predictor, settings=settings, parts=parts)
        with TestClient(app, raise_server_exceptions=False) as asking:

            def feedback() -> Any:
                shown = asking.post("/predict", json=ASKED).json()
                chosen = shown["predictions"][0]["operation_id"]
                told = {"prediction_id": shown["prediction_id"], "chosen": chosen}
                return asking.post("/feedback", json=told)

            def side() -> Any:
                (told,) = asking.get("/health").json()["components"]["outside"]
                return told

            assert feedback().status_code == 200
            assert side() == {
                "side": "database",
                "status": "closed",
                "failures_in_a_row": 0,
                "opened": 0,
                "retry_after": None,
            }
            with own_postgres.hanging():
                until = time.monotonic() + LONG
                while breakers["database"].state != "open":
                    assert feedback().status_code == 503
                    assert time.monotonic() < until
                refused = feedback()
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
                assert refused.json()["error"].endswith("nothing was kept")
                health = asking.get("/health").json()
                assert health["status"] == "degraded"
                assert health["components"]["database"]["status"] == "unreachable"
                assert (side()["status"], side()["retry_after"]) == ("open", 1.0)
                lines = asking.get("/metrics").text.splitlines()
                assert 'breakers_open{side="database"} 1.0' in lines
                assert 'breaker_openings_total{side="database"} 1.0' in lines
            assert feedback().status_code == 503  # nobody has tried it
            now[0] += 1.0
            until = time.monotonic() + LONG
            while feedback().status_code != 200:  # somebody else may be trying it
                assert time.monotonic() < until
            assert side()["status"] == "closed"
            assert 'breakers_open{side="database"} 0.0' in asking.get("/metrics").text
            assert asking.get("/health").json()["status"] == "ok"
