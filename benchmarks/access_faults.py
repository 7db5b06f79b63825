"""What is left of keys, limits and the audit log when programs are killed and stores are away.

    python benchmarks/access_faults.py [--url postgresql://... --restart "pg_ctl restart ..."]

``killed``: two processes add audit events and make and revoke keys; they are killed (signal 9) at
random moments and started anew until so many changes were acknowledged; then each of them is looked
for, and the chain verified. ``locked``: SQLite's lock is held for 5 seconds. ``restarted``: seconds
until writes and revocations go on after the command. ``redis``: a server is killed while four
threads ask for decisions, and started anew two seconds later. ``clock``: set back an hour after
keys and tokens were revoked and others seen expired. Every figure of what is lost must be 0. Prints
JSON, or writes it to ``--output``.
"""

import os
import random
import shlex
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from json_output import give, parser_of
from sqlalchemy.exc import SQLAlchemyError

from nextcall.access.audit_chain import verify
from nextcall.access.audit_event import AuditEvent
from nextcall.access.audit_log import AuditLog
from nextcall.access.audit_search import search
from nextcall.access.credentials import Credentials
from nextcall.access.fallback_rates import FallbackRates
from nextcall.access.keys import create_key, revoke_key
from nextcall.access.limiter import Limiter
from nextcall.access.memory_rates import MemoryRates
from nextcall.access.principal import CredentialError
from nextcall.access.redis_rates import RedisRates
from nextcall.access.tokens import Tokens, revoke_token
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate

_WRITER = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from nextcall.access.audit_event import AuditEvent
from nextcall.access.audit_log import AuditLog
from nextcall.access.keys import create_key, revoke_key
from nextcall.storage.database import Database
database, name = Database(sys.argv[1]), sys.argv[2]
log = AuditLog(database)
def write(place):
    now = datetime.now(UTC)
    if place % 50 == 0:
        key, record = create_key(database, name, role="user", now=now)
        revoke_key(database, record.id, now=now)
        os.write(1, f"revoked {key} -\\n".encode())
        return
    number = log.write(AuditEvent(at=now, kind="data", action=f"{name} {place}"))
    os.write(1, f"added {number} {name}:{place}\\n".encode())
with ThreadPoolExecutor(16) as pool:
    list(pool.map(write, range(1_000_000)))
"""


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__)
    parser.add_argument("--url", help="of an empty PostgreSQL; SQLite where none is given")
    parser.add_argument("--restart", help="command that restarts the server of --url")
    parser.add_argument("--changes", type=int, default=2_000, help="acknowledged")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        file = Path(folder, "access.db")
        url = arguments.url or f"sqlite:///{file}"
        with Database(url) as database:
            migrate(database)
            rng = random.Random(arguments.seed)
            result: dict[str, object] = {"benchmark": "access_faults", "backend": database.backend}
            result["killed"] = _killed(database, url, arguments.changes, rng)
            if database.backend == "sqlite":
                result["locked"] = _away(database, lambda: _lock(file))
            elif arguments.restart:
                command = shlex.split(arguments.restart)
                result["restarted"] = _away(database, lambda: _restart(command))
            result["clock"] = _clock_set_back(database)
        if program := os.environ.get("NEXTCALL_TEST_REDIS_SERVER") or shutil.which("redis-server"):
            result["redis"] = _redis_stopped(program, Path(folder, "s"))
    give(result, arguments.output)


def _killed(database: Database, url: str, changes: int, rng: random.Random) -> dict[str, object]:
    acknowledged, kills = list[list[str]](), 0
    while len(acknowledged) < changes:
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", _WRITER, url, f"{kills}-{place}"],
                stdout=subprocess.PIPE,
                text=True,
            )
            for place in range(2)
        ]
        readers = [threading.Thread(target=_read, args=(each, acknowledged)) for each in writers]
        for reader in readers:
            reader.start()
        time.sleep(3 + 5 * rng.random())
        for writer in writers:
            writer.kill()
            kills += 1
        for reader in readers:
            reader.join()
    kept = {record.number: record.event.action for record in search(database, most=10**7)}
    credentials = Credentials(database)
    credentials.refresh()
    added = {int(one): two for what, one, two in acknowledged if what == "added"}
    revoked = [one for what, one, _ in acknowledged if what == "revoked"]
    return {
        "acknowledged": len(acknowledged),
        "kills": kills,
        "events_lost": sum(kept.get(n, "").replace(" ", ":") != two for n, two in added.items()),
        "revoked_that_work": sum(_works(credentials, key) for key in revoked),
        "chain_intact": verify(database).intact,
    }


def _read(writer: "subprocess.Popen[str]", acknowledged: list[list[str]]) -> None:
    if writer.stdout is None:
        raise SystemExit("error: a writer has no pipe")
    with writer.stdout:
        acknowledged.extend(line.split() for line in writer.stdout if line.endswith("\n"))
    writer.wait()


def _clock_set_back(database: Database) -> dict[str, object]:
    """Use credentials a day long that are revoked, or seen expired, an hour before they were."""
    shift = [0.0]

    def clock() -> float:
        return time.time() + shift[0]

    def now() -> datetime:
        return datetime.fromtimestamp(clock(), UTC)

    day = timedelta(days=1)
    pairs = [
        create_key(database, "clock", role="user", now=now(), lifetime=day) for _ in range(100)
    ]
    made = [key for key, _ in pairs]
    credentials = Credentials(database, clock=clock)
    credentials.refresh()
    tokens = Tokens([b"q8Zr1vT0mXw5LkYb2HsJd7NcPfUgEa93"], credentials=credentials, clock=clock)
    token, said = tokens.issue("clock", role="user")
    for _, kept in pairs[:50]:
        revoke_key(database, kept.id, now=now())
    expires = datetime.fromtimestamp(said.expires_at, UTC)
    revoke_token(database, said.jti, expires_at=expires, now=now())
    credentials.refresh()
    shift[0] = day.total_seconds() + 1800
    expired = sum(not _believed(credentials.check_key, key) for key in made[50:])
    with AuditLog(database) as log:
        log.write(AuditEvent(at=now(), kind="system", action="before"))
        shift[0] -= 3600
        log.write(AuditEvent(at=now(), kind="system", action="set back"))
    anew = Credentials(database, clock=clock)
    anew.refresh()
    late, record = create_key(database, "late", role="user", now=now())
    revoke_key(database, record.id, now=now())
    anew.refresh()
    return {
        "expired_before": expired,
        "revoked_that_work": sum(
            _believed(each.check_key, key) for each in (credentials, anew) for key in made[:50]
        )
        + _believed(tokens.verify, token)
        + _believed(anew.check_key, late),
        "seen_expired_that_work": sum(_believed(credentials.check_key, key) for key in made[50:]),
        "chain_intact": verify(database).intact,
    }


def _believed(check: Callable[[str], object], credential: str) -> bool:
    try:
        check(credential)
    except CredentialError:
        return False
    return True


def _redis_stopped(program: str, socket: Path) -> dict[str, object]:
    """Ask for decisions all the time while Redis goes and comes back."""
    command = [program, "--port", "0", "--unixsocket", str(socket), "--save", ""]
    rates = FallbackRates(RedisRates(f"unix://{socket}"), MemoryRates())
    limiter, ended = Limiter(rates), threading.Event()
    seconds, faults = list[float](), list[str]()

    def ask(name: str) -> None:
        while not ended.is_set():
            begin = time.perf_counter()
            try:
                limiter.take(name, endpoint="/predict")
            except Exception as error:  # noqa: BLE001  # each one is a fault
                faults.append(repr(error))
            seconds.append(time.perf_counter() - begin)
            time.sleep(0.001)

    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not socket.exists():
        time.sleep(0.01)
    threads = [threading.Thread(target=ask, args=(f"{place}",)) for place in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    before = rates.failures
    server.kill()
    server.wait()
    time.sleep(2)
    degraded = rates.degraded
    socket.unlink(missing_ok=True)
    server, begin = subprocess.Popen(command, stdout=subprocess.DEVNULL), time.perf_counter()
    while rates.degraded:
        time.sleep(0.002)
    back = time.perf_counter() - begin
    time.sleep(0.5)
    ended.set()
    for thread in threads:
        thread.join()
    server.kill()
    server.wait()
    return {
        "decisions": len(seconds),
        "failures_before": before,
        "said_that_it_was_away": degraded,
        "seconds_until_it_is_asked_again": round(back, 3),
        "slowest_decision_seconds": round(max(seconds), 3),
        "errors_of_callers": len(faults),
    }


def _works(credentials: Credentials, key: str) -> bool:
    try:
        credentials.check_key(key)
    except CredentialError as error:
        return error.reason != "revoked"
    return True


def _away(database: Database, take_away: Callable[[], None]) -> dict[str, object]:
    """Write and check all the time while the database goes and comes back."""
    key, record = create_key(database, "benchmark", role="user", now=datetime.now(UTC))
    numbers, errors, ended = list[int](), list[str](), threading.Event()

    def write() -> None:
        while not ended.is_set():
            event = AuditEvent(at=datetime.now(UTC), kind="system", action="written")
            try:
                numbers.append(log.write(event))
            except SQLAlchemyError as error:
                errors.append(type(error).__name__)
                time.sleep(0.02)

    with Credentials(database) as credentials, AuditLog(database) as log:
        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(0.5)
        take_away()
        back, written = time.perf_counter(), len(numbers)
        while len(numbers) == written:
            time.sleep(0.002)
        writes = time.perf_counter() - back
        revoke_key(database, record.id, now=datetime.now(UTC))
        while _works(credentials, key):
            time.sleep(0.002)
        revocation = time.perf_counter() - back
        ended.set()
        thread.join()
    kept = {found.number for found in search(database, most=10**7)}
    return {
        "seconds_until_writes_go_on": round(writes, 3),
        "seconds_until_a_revocation_is_seen": round(revocation, 3),
        "errors_told": len(errors),
        "events_lost": len(set(numbers) - kept) + len(numbers) - len(set(numbers)),
        "chain_intact": verify(database).intact,
    }


def _lock(file: Path) -> None:
    connection = sqlite3.connect(file, isolation_level=None, timeout=30)
    connection.execute("BEGIN IMMEDIATE")
    time.sleep(5)
    connection.execute("COMMIT")
    connection.close()


def _restart(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
