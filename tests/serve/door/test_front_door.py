"""Nobody passes who is not known, may not, or asks too often; and who passes is told how often."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from nextcall.access.audit_log import AuditLog
from nextcall.access.audit_search import search
from nextcall.access.credentials import Credentials
from nextcall.access.fallback_rates import FallbackRates
from nextcall.access.identifiers import Identifiers, networks
from nextcall.access.keys import create_key, revoke_key
from nextcall.access.limiter import Limiter
from nextcall.access.load_factor import LoadFactor
from nextcall.access.memory_rates import MemoryRates
from nextcall.access.modes import development, production
from nextcall.access.outside_issuer import OutsideIssuer
from nextcall.access.principal import CredentialError, Principal
from nextcall.access.rate_rules import RatePolicy
from nextcall.access.tokens import Tokens
from nextcall.serve.door.admission import RateLimitedError, admission_of, too_often
from nextcall.serve.door.door import Door
from nextcall.serve.door.front_door import FrontDoor
from nextcall.serve.door.gate import Gate
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate

SECRET = b"q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"


class House:
    """A service behind a front door, and what its door asks."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.credentials = Credentials(database, monotonic=lambda: 0.0)
        self.credentials.refresh()
        self.tokens = Tokens([SECRET], credentials=self.credentials)
        self.rates: Any = MemoryRates(clock=lambda: 0)
        self.audit, self.load = AuditLog(database), LoadFactor(clock=lambda: 0.0)
        self.outside: Any = None

    def client(
        self, *, needs_key: bool = True, limited: bool = True, peer: str = "192.0.2.1"
    ) -> TestClient:
        limiter = Limiter(self.rates, policy=RatePolicy(strikes=10_000))
        secret = SECRET.decode()
        door = Door(
            mode=production(secret=secret) if needs_key else development("localhost"),
            credentials=self.credentials,
            tokens=self.tokens,
            limiter=limiter if limited else None,
            shared=self.rates if isinstance(self.rates, FallbackRates) else None,
            identifiers=Identifiers(SECRET),
            audit=self.audit,
            load=self.load,
            outside=self.outside,
        )

        async def answer(request: Request) -> Response:
            admission = admission_of(request)
            name = None if admission.principal is None else admission.principal.name
            try:
                admission.charge(int(request.query_params.get("more", 0)))
            except RateLimitedError as error:
                return too_often(error.decision)
            told = {"name": name, "user": admission.user}
            return JSONResponse(told, 500 if "fail" in request.query_params else 200)

        methods = ["GET", "POST"]
        paths = ("/", "/predict", "/train", "/unlisted", "/health", "/static/a.css")
        app = Starlette(routes=[Route(path, answer, methods=methods) for path in paths])
        guarded = Gate(
            FrontDoor(app, door=door, open_prefixes=["/static/"]),
            trusted=networks(["10.0.0.0/8"]),
        )
        return TestClient(guarded, client=(peer, 1))

    def key(self, **options: Any) -> tuple[dict[str, str], str]:
        options = {"role": "user", **options}
        key, record = create_key(self.database, "a key", now=datetime.now(UTC), **options)
        self.credentials.refresh()
        return {"X-API-Key": key}, record.id


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with Database(f"sqlite:///{tmp_path}/kept.db") as database:
        migrate(database)
        made = House(database)
        yield made
        made.audit.close()


def test_a_key_opens_what_its_role_may(house: House) -> None:
    client, (header, key_id) = house.client(), house.key()
    passed = client.post("/predict", headers=header)
    assert (passed.status_code, passed.json()) == (
        200,
        {"name": f"key:{key_id}", "user": f"key:{key_id}"},
    )
    assert passed.headers["ratelimit"].startswith('"minute";r=59;t=60, "hour";r=999;')
    refused = client.post("/train", headers=header)
    assert refused.status_code == 403
    assert refused.json() == {"error": "Permission model.train is needed", "details": []}
    assert client.get("/unlisted", headers=header).status_code == 403
    event = search(house.database)[-1].event
    assert (event.kind, event.user) == ("authorization", f"key:{key_id}")
    request_id = refused.headers["x-request-id"]
    told = {"route": "/train", "reason": "model.train", "request_id": request_id}
    assert dict(event.details) == told
    revoke_key(house.database, key_id, now=datetime.now(UTC))
    house.credentials.refresh()
    assert client.post("/predict", headers=header).status_code == 401
    admin, _ = house.key(role="admin")
    assert client.get("/unlisted", headers=admin).status_code == 200


def test_a_token_opens_as_a_key_does(house: House) -> None:
    client = house.client()
    token, _ = house.tokens.issue("Ada", role="developer")
    passed = client.post("/train", headers={"Authorization": f"bearer {token}"})
    assert (passed.status_code, passed.json()) == (200, {"name": "Ada", "user": "Ada"})
    for header in ("Basic YTpi", "Bearer", f"Bearer {token}x", "Bearer a.b.c"):
        refused = client.post("/train", headers={"Authorization": header})
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == 'Bearer realm="nextcall"'
    reasons = [record.event.details["reason"] for record in search(house.database)]
    assert reasons == ["unknown", "signature", "unknown", "malformed"]


def test_an_outside_token_is_asked_of_its_issuer(house: House) -> None:
    class Outside(OutsideIssuer):
        """Believes one token."""

        def __init__(self) -> None:
            pass

        def verify(self, token: str) -> Principal:
            if token != "theirs":  # noqa: S105  # of the test
                raise CredentialError("signature")
            return Principal(name="https://issuer.example#ada", role="user")

    house.outside = Outside()
    client = house.client()
    passed = client.post("/predict", headers={"Authorization": "Bearer theirs"})
    assert passed.json()["name"] == "https://issuer.example#ada"
    assert client.post("/predict", headers={"Authorization": "Bearer x"}).status_code == 401
    expired, _ = house.tokens.issue("Ada", role="user")
    signed = {"Authorization": f"Bearer {expired[:-2]}"}
    assert client.post("/predict", headers=signed).status_code == 401


def test_without_a_credential_only_what_is_open_answers(house: House) -> None:
    client = house.client()
    assert client.get("/health").json() == {"name": None, "user": None}
    assert client.head("/health").status_code == 200
    assert client.post("/predict").status_code == 401
    assert client.get("/nowhere").status_code == 401
    assert "ratelimit" not in client.get("/static/a.css").headers
    assert search(house.database)[-1].event.details["reason"] == "missing"


def test_development_asks_for_none_but_believes_no_false_one(house: House) -> None:
    client = house.client(needs_key=False)
    assert client.post("/train").json()["name"] == "development"
    assert client.get("/unlisted").status_code == 200
    assert client.post("/train", headers={"X-API-Key": "nc_x"}).status_code == 401


def test_who_asks_too_often_is_told_when_to_come_again(house: House) -> None:
    client, (header, _) = house.client(), house.key(tier="free")
    found = [client.post("/predict", headers=header) for _ in range(7)]
    assert [each.status_code for each in found] == [200] * 6 + [429]
    assert found[-1].headers["retry-after"] == "60"
    assert found[-1].json()["limits"]["minute"]["remaining"] == 0
    other, _ = house.key(tier="enterprise")
    assert client.post("/predict", headers=other).headers.get("ratelimit") is None
    anonymous = [client.get("/").status_code for _ in range(61)]
    assert anonymous == [200] * 60 + [429]


def test_failed_authentications_are_limited_and_block_nobody_who_is_known(house: House) -> None:
    client, (header, _) = house.client(), house.key()
    wrong = {"X-API-Key": "nc_wrong"}
    codes = [client.post("/predict", headers=wrong).status_code for _ in range(62)]
    assert codes == [401] * 60 + [429] * 2
    assert client.post("/predict", headers=header).status_code == 200
    assert len(search(house.database, kind="authentication")) == 60


def test_a_forwarded_address_counts_from_a_proxy_only(house: House) -> None:
    by_proxy = house.client(peer="10.0.0.1")
    codes = [
        by_proxy.get("/", headers={"X-Forwarded-For": f"198.51.100.{n % 2}"}).status_code
        for n in range(122)
    ]
    assert codes == [200] * 120 + [429] * 2
    direct = house.client(peer="192.0.2.1")
    codes = [
        direct.get("/", headers={"X-Forwarded-For": f"198.51.100.{n}"}).status_code
        for n in range(61)
    ]
    assert codes == [200] * 60 + [429]


def test_what_costs_more_is_counted_as_more(house: House) -> None:
    client, (header, _) = house.client(), house.key()
    first = client.post("/predict?more=49", headers=header)
    assert (first.status_code, first.headers["x-ratelimit-remaining-minute"]) == (200, "10")
    refused = client.post("/predict?more=49", headers=header)
    assert (refused.status_code, refused.json()["error"]) == (429, "Rate limit exceeded")
    assert refused.headers["x-ratelimit-remaining-minute"] == "9"  # nothing but the one itself
    assert int(refused.headers["retry-after"]) > 0
    assert client.post("/predict?more=8", headers=header).status_code == 200
    unlimited = house.client(limited=False)
    codes = {unlimited.post("/predict?more=99", headers=header).status_code for _ in range(70)}
    assert codes == {200}
    assert "ratelimit" not in unlimited.post("/predict", headers=header).headers
    wrong = {"X-API-Key": "nc_wrong"}
    codes = {unlimited.post("/predict", headers=wrong).status_code for _ in range(70)}
    assert codes == {401}


def test_workers_that_share_their_limits_do_so_at_the_door(house: House) -> None:
    shared = MemoryRates(clock=lambda: 0)
    header, _ = house.key(tier="free")
    workers = []
    for _ in range(2):
        house.rates = FallbackRates(shared, MemoryRates())
        workers.append(house.client())
    codes = [workers[n % 2].post("/predict", headers=header).status_code for n in range(8)]
    assert codes == [200] * 6 + [429] * 2
    wrong = {"X-API-Key": "nc_wrong"}
    codes = [workers[n % 2].post("/predict", headers=wrong).status_code for n in range(62)]
    assert codes == [401] * 60 + [429] * 2


def test_a_key_asks_for_its_users_and_a_token_for_its_own(house: House) -> None:
    client, (header, key_id) = house.client(), house.key()
    token, _ = house.tokens.issue("Ada", role="user")

    def user(named: str, **headers: str) -> str:
        asked = {**headers, "X-User-ID": named}
        return str(client.post("/predict", headers=asked).json()["user"])

    assert user("u-7", **header) == "u-7"
    assert user("u" * 257, **header) == user("a\tb", **header) == f"key:{key_id}"
    assert user("Bob", authorization=f"Bearer {token}") == "Ada"
    developing = house.client(needs_key=False)
    assert developing.post("/predict", headers={"X-User-ID": "u-8"}).json()["user"] == "u-8"
    unknown = client.get("/health", headers={"X-User-ID": "u-7"})
    assert unknown.json()["user"] is None


def test_failures_of_the_service_are_counted(house: House) -> None:
    client, (header, _) = house.client(), house.key(tier="enterprise")
    for _ in range(25):
        client.post("/predict?fail", headers=header)
    assert house.load.factor("/predict") == 0.5


def test_where_revocations_are_not_known_nobody_is_believed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, (header, _) = house.client(), house.key()
    monkeypatch.setattr(house.credentials, "_known_until", float("-inf"))
    refused = client.post("/predict", headers=header)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    # What is open to all is open to who has a key too, but not in the name of that key.
    health = client.get("/health", headers=header)
    assert (health.status_code, health.json()["user"]) == (200, None)
    assert client.get("/health").status_code == 200


def test_a_log_that_is_away_lets_nobody_in(house: House) -> None:
    house.audit.close()
    assert house.client().post("/predict").status_code == 401
    assert house.audit.lost == 1


def test_a_method_that_no_route_has_is_told_before_who_asks_is(house: House) -> None:
    refused = house.client().delete("/predict")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    told = {"field": "method", "rule": "Should be POST at this path", "got": "DELETE"}
    assert refused.json() == {"error": "Method not allowed", "details": [told]}


def test_there_are_no_websockets(house: House) -> None:
    client = house.client()
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/predict"):
        pass
    with client:  # the lifespan of the application passes
        assert client.get("/health").status_code == 200


def test_a_key_may_come_as_a_bearer(house: House) -> None:
    now = datetime.now(UTC)
    key, record = create_key(house.database, "watch", role="user", now=now)
    house.credentials.refresh()
    client = house.client()
    bearer = {"Authorization": f"Bearer {key}"}
    assert client.post("/predict", headers=bearer).json()["name"] == f"key:{record.id}"
    revoke_key(house.database, record.id, now=now)
    house.credentials.refresh()
    assert client.post("/predict", headers=bearer).status_code == 401


def test_how_it_is_may_be_asked_without_end(house: House) -> None:
    client = house.client()
    assert {client.get("/health").status_code for _ in range(100)} == {200}
    assert client.get("/").status_code == 200
