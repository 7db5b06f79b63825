"""Tokens of a provider that runs beside the tests, over real HTTP."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from nextcall.access import outside_issuer as module
from nextcall.access.outside_issuer import OutsideIssuer
from nextcall.access.principal import CredentialError, CredentialsUnavailableError
from nextcall.resilience.breakers import Breakers
from nextcall.resilience.outside import Dependency
from nextcall.resilience.outside_call import OutsideCall

NOW = 1_800_000_000.0
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NEXT = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVE = ec.generate_private_key(ec.SECP256R1())


class Provider:
    """What the provider publishes, and how often it was asked."""

    def __init__(self) -> None:
        self.url, self.issuer, self.asked = "", "", 0
        self.away = False
        self.padding = 0
        self.keys: list[dict[str, Any]] = [
            rsa_key(RSA, "one"),
            {**json.loads(ECAlgorithm.to_jwk(CURVE.public_key())), "kid": "curve"},
            {"kty": "oct", "k": "AAAA", "kid": "shared"},
            {"kty": "RSA", "use": "enc", "kid": "encryption"},
            {"kty": "of the future", "kid": "future"},
        ]

    def document(self, path: str) -> dict[str, Any] | None:
        if self.away:
            return None
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.issuer, "jwks_uri": f"{self.url}/keys"}
        self.asked += 1
        return {"keys": self.keys, "padding": self.padding * "a"}


def rsa_key(key: rsa.RSAPrivateKey, name: str) -> dict[str, Any]:
    written = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**written, "kid": name, "use": "sig", "alg": "RS256"}


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = made.document(self.path)
            self.send_response(503 if document is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    made.url = made.issuer = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def now() -> list[float]:
    return [NOW]


@pytest.fixture
def issuer(provider: Provider, now: list[float]) -> OutsideIssuer:
    return OutsideIssuer(
        provider.url,
        audience="api",
        roles={"staff": "developer", "reader": "readonly"},
        clock=lambda: now[0],
        is_revoked=lambda jti: jti == "revoked",
    )


def token(
    provider: Provider, *, key: Any = RSA, kid: str = "one", alg: str = "RS256", **claims: object
) -> str:
    given = {"iss": provider.issuer, "aud": "api", "sub": "ada", "exp": NOW + 60, **claims}
    kept = {name: value for name, value in given.items() if value is not None}
    return jwt.encode(kept, key, algorithm=alg, headers={"kid": kid})


def reason(issuer: OutsideIssuer, token: str) -> str | None:
    try:
        issuer.verify(token)
    except CredentialError as error:
        return error.reason
    return None


def test_a_token_of_the_provider_is_believed(provider: Provider, issuer: OutsideIssuer) -> None:
    principal = issuer.verify(token(provider))
    assert (principal.name, principal.role) == (f"{provider.issuer}#ada", "guest")
    curve = token(provider, key=CURVE, kid="curve", alg="ES256", roles=["other", "staff"])
    assert issuer.verify(curve).role == "developer"
    assert issuer.verify(curve).role == "developer"  # as it is kept
    assert issuer.verify(token(provider, roles="reader")).role == "readonly"
    assert issuer.verify(token(provider, roles={"staff": 1})).role == "guest"
    assert issuer.verify(token(provider, roles=[1, None])).role == "guest"
    assert provider.asked == 1


def public_pem() -> bytes:
    return RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"exp": NOW}, "expired"),
        ({"exp": None}, "malformed"),
        ({"sub": None}, "malformed"),
        ({"aud": "other"}, "audience"),
        ({"iss": "https://other.example"}, "issuer"),
        ({"nbf": 9_999_999_999}, "not yet valid"),
        ({"jti": "revoked"}, "revoked"),
        ({"jti": "another"}, None),
        ({"kid": "other"}, "unknown"),
        ({"kid": "shared", "alg": "HS256", "key": 32 * b"\0"}, "algorithm"),
        ({"kid": "encryption"}, "unknown"),
        ({"alg": "RS512"}, "algorithm"),
        ({"alg": "ES256", "key": CURVE}, "algorithm"),
        ({"key": NEXT}, "signature"),
    ],
)
def test_what_is_wrong_is_refused(
    provider: Provider, issuer: OutsideIssuer, options: dict[str, Any], expected: str | None
) -> None:
    assert reason(issuer, token(provider, **options)) == expected


def test_a_public_key_is_no_shared_secret(provider: Provider, issuer: OutsideIssuer) -> None:
    """The oldest trick: HS256 with the text of the public key as its secret."""
    head, payload, _ = token(provider).split(".")
    signed = jwt.PyJWS().encode(b"{}", 32 * b"a", algorithm="HS256", headers={"kid": "one"})
    assert public_pem().startswith(b"-----BEGIN")
    assert reason(issuer, f"{signed.split('.')[0]}.{payload}.{signed.split('.')[2]}") == "algorithm"
    assert reason(issuer, f"{head}.{payload}.") in {"signature", "malformed"}
    assert reason(issuer, "a.b") == "malformed"
    assert reason(issuer, 20_000 * "a") == "malformed"


def test_a_token_expires_after_it_was_verified(
    provider: Provider, issuer: OutsideIssuer, now: list[float]
) -> None:
    written = token(provider)
    assert reason(issuer, written) is None
    now[0] += 60
    assert reason(issuer, written) == "expired"
    now[0] -= 30  # the clock is set back
    assert reason(issuer, written) == "expired"


def test_a_provider_that_is_slow_holds_up_no_one_whose_key_is_known(
    provider: Provider, issuer: OutsideIssuer, now: list[float]
) -> None:
    gate = threading.Event()
    answers = list[str | None]()
    document = provider.document

    def slow(path: str) -> dict[str, Any] | None:
        gate.wait(60)
        return document(path)

    provider.document = slow  # type: ignore[method-assign]  # for as long as the gate is shut
    first = [
        threading.Thread(target=lambda: answers.append(reason(issuer, token(provider))))
        for _ in range(2)
    ]
    for thread in first:
        thread.start()
    gate.set()
    for thread in first:
        thread.join(60)
    assert (answers, provider.asked) == ([None, None], 1)  # the second waited for the first
    gate.clear()
    now[0] += 31
    stranger = threading.Thread(target=lambda: reason(issuer, token(provider, kid="new")))
    stranger.start()
    assert reason(issuer, token(provider, jti="known")) is None
    gate.set()
    stranger.join(60)


def test_new_keys_are_asked_for_but_not_too_often(
    provider: Provider, issuer: OutsideIssuer, now: list[float]
) -> None:
    assert reason(issuer, token(provider)) is None
    provider.keys = [rsa_key(NEXT, "two")]
    rotated = token(provider, key=NEXT, kid="two", exp=NOW + 10_000)
    assert reason(issuer, rotated) == "unknown"
    assert provider.asked == 1
    now[0] += 30
    assert reason(issuer, rotated) is None
    for place in range(20):
        assert reason(issuer, token(provider, kid=f"made up {place}")) == "unknown"
    assert provider.asked == 2
    now[0] += 3601
    assert reason(issuer, token(provider, key=NEXT, kid="two", exp=NOW + 9000)) is None
    assert provider.asked == 3


def test_a_provider_that_is_away_is_borne_for_a_day(
    provider: Provider, issuer: OutsideIssuer, now: list[float]
) -> None:
    ends = NOW + 1_000_000
    assert reason(issuer, token(provider, exp=ends)) is None
    provider.away = True
    now[0] += 86_400
    assert reason(issuer, token(provider, exp=ends + 1)) is None
    now[0] += 31
    with pytest.raises(CredentialsUnavailableError):
        issuer.verify(token(provider, exp=ends + 2))
    provider.away = False
    now[0] += 31
    assert reason(issuer, token(provider, exp=ends + 2)) is None


@pytest.mark.parametrize("fault", ["issuer", "size", "uri"])
def test_documents_that_are_not_right_are_not_believed(
    provider: Provider, now: list[float], fault: str
) -> None:
    issuer = OutsideIssuer(provider.url, audience="api", clock=lambda: now[0])
    written = token(provider)
    if fault == "issuer":
        provider.issuer = "http://127.0.0.1:1"
    elif fault == "size":
        provider.padding = 2_000_000
    else:
        provider.url = "http://192.0.2.1"
    with pytest.raises(CredentialsUnavailableError):
        issuer.verify(written)


def test_not_all_that_was_verified_is_kept(
    provider: Provider, issuer: OutsideIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_KEPT", 2)
    for place in range(5):
        assert reason(issuer, token(provider, jti=str(place))) is None
    assert len(issuer._verified) <= 2


@pytest.mark.parametrize("url", ["http://example.org", "ftp://127.0.0.1", "https://", "x", ""])
def test_an_issuer_is_asked_over_https(url: str) -> None:
    with pytest.raises(ValueError, match=r"^issuer must be an https URL, got"):
        OutsideIssuer(url, audience="api")
    OutsideIssuer("https://example.org", audience="api")
    OutsideIssuer("http://localhost:1", audience="api")


def test_only_public_keys_and_known_roles_are_taken() -> None:
    for algorithms in (["HS256"], ["RS256", "none"], []):
        with pytest.raises(ValueError, match=r"^algorithms must be of RS256"):
            OutsideIssuer("https://a.example", audience="api", algorithms=algorithms)
    with pytest.raises(ValueError, match=r"^role must be one of"):
        OutsideIssuer("https://a.example", audience="api", roles={"staff": "root"})


def asked_by(call: OutsideCall, breakers: Breakers) -> Dependency:
    return Dependency(call, breakers=breakers)


def test_a_provider_that_fails_once_is_asked_again(provider: Provider) -> None:
    asked, document = list[str](), provider.document

    def once_away(path: str) -> dict[str, Any] | None:
        asked.append(path)
        return None if len(asked) == 1 else document(path)

    provider.document = once_away  # type: ignore[method-assign]
    call = OutsideCall(
        name="provider", purpose="keys", fallback="", seconds=30, tries=2, first_wait=0
    )
    asking = asked_by(call, Breakers())
    issuer = OutsideIssuer(provider.url, audience="api", clock=lambda: NOW, asking=asking)
    assert reason(issuer, token(provider)) is None
    assert len(asked) == 3


def test_a_provider_that_is_down_is_left_alone_and_its_keys_go_on(
    provider: Provider, now: list[float]
) -> None:
    asked, document = list[str](), provider.document

    def counted(path: str) -> dict[str, Any] | None:
        asked.append(path)
        return document(path)

    provider.document = counted  # type: ignore[method-assign]
    breakers = Breakers(failures=2, open_seconds=100.0, clock=lambda: now[0])
    call = OutsideCall(name="provider", purpose="keys", fallback="", seconds=30)
    asking = asked_by(call, breakers)
    issuer = OutsideIssuer(provider.url, audience="api", clock=lambda: now[0], asking=asking)
    assert reason(issuer, token(provider)) is None
    provider.away = True
    asked.clear()
    for _ in range(4):
        now[0] += 31
        assert reason(issuer, token(provider, kid="new", exp=now[0] + 60)) == "unknown"
        assert reason(issuer, token(provider, exp=now[0] + 60)) is None
    assert len(asked) == 2
    assert asking.statistics().state == "open"
    provider.away = False
    now[0] += 100
    provider.keys.append(rsa_key(NEXT, "new"))
    assert reason(issuer, token(provider, key=NEXT, kid="new", exp=now[0] + 60)) is None
    assert asking.statistics().state == "closed"


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_provider_that_sends_a_byte_now_and_then_is_given_up(sent: bytes) -> None:
    """No wait for a single byte is long; all of them together have no end."""
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.recv(65_536)
        with suppress(OSError):  # it has gone
            connection.sendall(sent)
            while not ended.wait(0.02):
                connection.sendall(b" ")

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            with connection:
                drip(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        serving = threading.Thread(target=serve)
        serving.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        call = OutsideCall(name="provider", purpose="keys", fallback="", seconds=0.3)
        asking = asked_by(call, Breakers())
        issuer = OutsideIssuer(url, audience="api", clock=lambda: NOW, asking=asking)
        written = jwt.encode({}, RSA, algorithm="RS256", headers={"kid": "one"})
        refused = threading.Event()

        def ask() -> None:
            with suppress(CredentialsUnavailableError):
                issuer.verify(written)
            refused.set()

        threading.Thread(target=ask, daemon=True).start()
        in_time = refused.wait(60)
        ended.set()
        serving.join(60)
    assert in_time
    assert asking.statistics().failed == 1
