"""CPU that a front door adds to a request: id, credential, permission, limits in memory, headers.

    python benchmarks/front_door.py

An ASGI application that answers at once, alone and behind the door, by turns; microseconds of CPU a
request, medians of the rounds. ``key`` and ``token`` name the credential. Prints JSON, or writes it
to ``--output``.
"""

import asyncio
import statistics
import time
from datetime import UTC, datetime
from tempfile import TemporaryDirectory

from json_output import give, parser_of, rounded
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextcall.access.address_rates import AddressRates
from nextcall.access.audit_log import AuditLog
from nextcall.access.credentials import Credentials
from nextcall.access.identifiers import Identifiers
from nextcall.access.keys import create_key
from nextcall.access.limiter import Limiter
from nextcall.access.load_factor import LoadFactor
from nextcall.access.memory_rates import MemoryRates
from nextcall.access.modes import production
from nextcall.access.tokens import Tokens
from nextcall.serve.door.door import Door
from nextcall.serve.door.front_door import FrontDoor
from nextcall.serve.door.gate import Gate
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate

_SECRET = b"q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"
_KEYS = 100


async def _application(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_: Message) -> None:
    pass


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=2000, help="of each way in a round")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/a.db") as database:
        migrate(database)
        with AuditLog(database) as audit:
            result = _measure(database, audit, arguments.rounds, arguments.requests)
    give({"benchmark": "front_door", **result}, arguments.output)


def _measure(database: Database, audit: AuditLog, rounds: int, requests: int) -> dict[str, object]:
    now = datetime.now(UTC)
    # A thousand times the rates, so that none of the requests is refused.
    keys = [
        create_key(database, "benchmark", role="user", rate_limit_multiplier=1000, now=now)[0]
        for _ in range(_KEYS)
    ]
    credentials = Credentials(database, patience=3600)
    credentials.refresh()
    tokens = Tokens([_SECRET], credentials=credentials)
    door = Door(
        mode=production(secret=_SECRET.decode()),
        credentials=credentials,
        tokens=tokens,
        limiter=Limiter(MemoryRates()),
        identifiers=Identifiers(_SECRET),
        audit=audit,
        load=LoadFactor(),
    )
    guarded = Gate(FrontDoor(_application, door=door), rates=AddressRates(10**9))
    of_keys = [[(b"x-api-key", key.encode())] for key in keys]
    found: dict[str, list[float]] = {"alone": [], "key": [], "token": []}
    for number in range(rounds):
        # At most 50 requests of each user, below the rate of a minute.
        issued = [
            tokens.issue(f"user {number}.{place}", role="user")[0]
            for place in range(max(1, requests // 50))
        ]
        of_tokens = [[(b"authorization", b"Bearer " + token.encode())] for token in issued]
        found["alone"].append(_run(_application, of_keys, requests))
        found["key"].append(_run(guarded, of_keys, requests))
        found["token"].append(_run(guarded, of_tokens, requests))
    for name in ("key", "token"):
        each = zip(found[name], found["alone"], strict=True)
        found[f"added by {name}"] = [guarded - alone for guarded, alone in each]
    medians = {name: round(statistics.median(each), 2) for name, each in found.items()}
    return {"cpu_microseconds": medians, "samples": {"cpu_microseconds": rounded(found)}}


def _run(app: ASGIApp, headers: list[list[tuple[bytes, bytes]]], requests: int) -> float:
    async def run() -> float:
        begin = time.process_time()
        for number in range(requests):
            scope = {
                "type": "http",
                "method": "POST",
                "path": "/predict",
                "headers": headers[number % len(headers)],
                "client": ("192.0.2.1", 1),
            }
            await app(scope, _receive, _send)
        return (time.process_time() - begin) / requests * 1e6

    return asyncio.run(run())


if __name__ == "__main__":
    main()
