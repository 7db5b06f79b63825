"""Time to check a key and a token, beside a hash with a look-up and PyJWT; and of a revocation.

    python benchmarks/access_speed.py

By turns; microseconds of this process's CPU, medians of the rounds. ``token, cold``: the first
time that a token is seen; ``warm``: again. ``revocation``: seconds from the acknowledgement of one
in this process until another process refuses the key, the worst of ``--revocations``. Prints JSON,
or writes it to ``--output``.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from tempfile import TemporaryDirectory
from typing import Any

import jwt
from json_output import give, parser_of

from nextcall.access.credentials import Credentials
from nextcall.access.keys import create_key, revoke_key
from nextcall.access.tokens import Tokens
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate

_SECRET = b"q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"
_WORKER = """
import sys, time
from nextcall.access.credentials import Credentials
from nextcall.access.principal import CredentialError
from nextcall.storage.database import Database
with Credentials(Database(sys.argv[1])) as credentials:
    for line in sys.stdin:
        key = line.strip()
        while True:
            try:
                credentials.check_key(key)
            except CredentialError as error:
                if error.reason == "revoked":
                    print(time.time(), flush=True)
                    break
            time.sleep(0.001)
"""


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--revocations", type=int, default=20)
    parser.add_argument("--url", help="of an empty PostgreSQL; SQLite where none is given")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        url = arguments.url or f"sqlite:///{folder}/access.db"
        with Database(url) as database:
            migrate(database)
            result = {
                "benchmark": "access_speed",
                "backend": database.backend,
                "cpu_microseconds": _speed(database, arguments.rounds, arguments.calls),
                "revocation_seconds": _revocation(database, url, arguments.revocations),
            }
    give(result, arguments.output)


def _speed(database: Database, rounds: int, calls: int) -> dict[str, float]:
    moment = datetime.now(UTC)
    key, _ = create_key(database, "benchmark", role="user", now=moment)
    credentials = Credentials(database, patience=3600)
    credentials.refresh()
    tokens = Tokens([_SECRET], credentials=credentials)
    warm, _ = tokens.issue("someone", role="user")
    known = {sha256(key.encode()).digest(): "someone"}
    found: dict[str, list[float]] = {}

    def timed(name: str, call: Callable[[Any], object], values: list[Any]) -> None:
        begin = time.process_time()
        for value in values:
            call(value)
        found.setdefault(name, []).append((time.process_time() - begin) / len(values) * 1e6)

    for _ in range(rounds):
        new = [tokens.issue("someone", role="user")[0] for _ in range(min(calls, 1000))]
        timed(
            "sha256 and look-up", lambda text: known[sha256(text.encode()).digest()], calls * [key]
        )
        timed("key", credentials.check_key, calls * [key])
        timed(
            "PyJWT",
            lambda token: jwt.decode(
                token, _SECRET, ["HS256"], audience="nextcall", issuer="nextcall"
            ),
            new,
        )
        timed("token, cold", tokens.verify, new)
        timed("token, warm", tokens.verify, calls * [warm])
    return {name: round(statistics.median(each), 2) for name, each in found.items()}


def _revocation(database: Database, url: str, n: int) -> dict[str, float]:
    command = [sys.executable, "-c", _WORKER, url]
    worker = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    if worker.stdin is None or worker.stdout is None:
        raise SystemExit("error: the worker has no pipes")
    delays = []
    for _ in range(n):
        key, record = create_key(database, "benchmark", role="user", now=datetime.now(UTC))
        worker.stdin.write(f"{key}\n")
        time.sleep(0.5)
        revoke_key(database, record.id, now=datetime.now(UTC))
        revoked = time.time()
        delays.append(float(worker.stdout.readline()) - revoked)
    worker.stdin.close()
    worker.wait(30)
    return {"median": round(statistics.median(delays), 3), "worst": round(max(delays), 3)}


if __name__ == "__main__":
    main()
