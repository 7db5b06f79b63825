"""Keys work until they are revoked or expire, for every process, whatever happens to one."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from nextcall.access.credentials import Credentials
from nextcall.access.keys import create_key, list_keys, revoke_key, rotate_key
from nextcall.access.principal import CredentialError, CredentialsUnavailableError
from nextcall.access.tables import ACCESS_STATE, API_KEY, REVOKED_TOKEN, TABLES
from nextcall.access.tokens import revoke_token
from nextcall.access.users import add_user, list_users, set_role
from nextcall.storage.database import UPKEEP, Database
from nextcall.storage.migrations import differences

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Time:
    """Both clocks, which stand until they are set."""

    def __init__(self) -> None:
        self.now, self.seconds = NOW, 0.0

    def wall(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def at() -> Time:
    return Time()


@pytest.fixture
def credentials(migrated: Database, at: Time) -> Credentials:
    made = Credentials(migrated, clock=at.wall, monotonic=lambda: at.seconds)
    made.refresh()
    return made


def reason(credentials: Credentials, key: str) -> str | None:
    """Say why a key is not believed; none where it is."""
    try:
        credentials.check_key(key)
    except CredentialError as error:
        return error.reason
    return None


def test_the_revision_makes_the_declared_tables(migrated: Database) -> None:
    assert differences(migrated, TABLES) == []


def test_a_key_tells_whose_it_is(migrated: Database, credentials: Credentials) -> None:
    add_user(migrated, "Ada", role="developer", now=NOW)
    key, record = create_key(
        migrated, "portal", user="Ada", tier="pro", rate_limit_multiplier=2.5, now=NOW
    )
    own, of_own = create_key(migrated, "ci", role="readonly", now=NOW)
    with pytest.raises(CredentialError, match="unknown") as caught:
        credentials.check_key(key)
    assert key not in str(caught.value)
    credentials.refresh()
    principal = credentials.check_key(key)
    assert (principal.name, principal.role, principal.key_id) == ("Ada", "developer", record.id)
    assert (principal.tier, principal.rate_limit_multiplier) == ("pro", 2.5)
    assert principal.may("data.delete")
    assert not principal.may("system.admin")
    other = credentials.check_key(own)
    assert (other.name, other.role, other.tier) == (f"key:{of_own.id}", "readonly", None)
    assert record.expires_at == NOW + 90 * DAY
    assert list_keys(migrated) == sorted([record, of_own], key=lambda each: each.id)
    assert list_keys(migrated, user="Ada") == [record]


def test_only_the_hash_of_a_key_is_kept(migrated: Database) -> None:
    key, _ = create_key(migrated, "portal", role="user", now=NOW)
    with migrated.reading() as connection:
        kept = repr(connection.execute(select(API_KEY)).all())
    assert key not in kept
    assert key[3:] not in kept
    assert key[10:30] not in kept


def test_a_revoked_key_never_works_again(
    migrated: Database, credentials: Credentials, at: Time
) -> None:
    key, record = create_key(migrated, "portal", role="user", now=NOW)
    credentials.refresh()
    assert reason(credentials, key) is None
    revoked = revoke_key(migrated, record.id, now=NOW + DAY)
    assert revoked.revoked_at == NOW + DAY
    assert revoke_key(migrated, record.id, now=NOW + 2 * DAY) == revoked
    credentials.refresh()
    assert reason(credentials, key) == "revoked"
    at.now = NOW - DAY  # the clock is set back
    credentials.refresh()
    assert reason(credentials, key) == "revoked"
    with pytest.raises(ValueError, match=r"^key must be active to be rotated.* it is revoked\.$"):
        rotate_key(migrated, record.id, now=NOW)


def test_a_key_expires_and_stays_so(migrated: Database, credentials: Credentials, at: Time) -> None:
    key, record = create_key(migrated, "portal", role="user", lifetime=DAY, now=NOW)
    credentials.refresh()
    at.now = NOW + DAY - timedelta(microseconds=1)
    assert reason(credentials, key) is None
    at.now = NOW + DAY
    assert reason(credentials, key) == "expired"
    at.now = NOW + DAY - timedelta(hours=1)  # the clock is set back
    assert reason(credentials, key) == "expired"
    with migrated.writing() as connection:  # whatever else changes
        connection.execute(update(ACCESS_STATE).values(version=99))
        connection.execute(update(API_KEY).values(version=99))
    credentials.refresh()
    assert reason(credentials, key) == "expired"
    with pytest.raises(ValueError, match=r"it is expired\.$"):
        rotate_key(migrated, record.id, now=NOW + DAY)


def test_a_rotated_key_is_replaced_by_its_like(
    migrated: Database, credentials: Credentials
) -> None:
    old, record = create_key(
        migrated, "portal", role="user", tier="free", rate_limit_multiplier=3, now=NOW
    )
    new, replacing = rotate_key(migrated, record.id, now=NOW + DAY)
    credentials.refresh()
    assert (reason(credentials, old), reason(credentials, new)) == ("revoked", None)
    assert (replacing.replaces, replacing.tier, replacing.name) == (record.id, "free", "portal")
    assert replacing.expires_at == NOW + 91 * DAY
    newer, _ = rotate_key(migrated, replacing.id, now=NOW + 2 * DAY, overlap=DAY)
    credentials.refresh()
    assert (reason(credentials, new), reason(credentials, newer)) == (None, None)
    assert [key.status(NOW + 3 * DAY) for key in list_keys(migrated)] == [
        "revoked",
        "expired",
        "active",
    ]


def test_of_two_that_rotate_a_key_at_once_one_does(migrated: Database) -> None:
    _, record = create_key(migrated, "portal", role="user", now=NOW)
    found = list[str]()

    def rotate() -> None:
        try:
            rotate_key(migrated, record.id, now=NOW)
        except ValueError:
            found.append("refused")
        else:
            found.append("rotated")

    threads = [threading.Thread(target=rotate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["refused", "refused", "refused", "rotated"]
    assert len(list_keys(migrated)) == 2


def test_users_have_roles_and_so_have_their_keys(
    migrated: Database, credentials: Credentials
) -> None:
    ada = add_user(migrated, "Ada", role="user", now=NOW)
    add_user(migrated, "Berta", role="guest", now=NOW)
    key, _ = create_key(migrated, "portal", user="Ada", now=NOW)
    credentials.refresh()
    assert credentials.check_key(key).role == credentials.role_of("Ada") == "user"
    changed = set_role(migrated, "Ada", role="readonly", now=NOW + DAY)
    assert (changed.created_at, changed.changed_at) == (ada.created_at, NOW + DAY)
    credentials.refresh()
    assert credentials.check_key(key).role == "readonly"
    assert list_users(migrated)[0] == changed
    assert [user.name for user in list_users(migrated)] == ["Ada", "Berta"]
    assert credentials.role_of("Cilly") is None
    with pytest.raises(ValueError, match=r"^name must be new, got 'Ada': there is such a user"):
        add_user(migrated, "Ada", role="user", now=NOW)
    with pytest.raises(ValueError, match=r"^name must be a user's, got 'Cilly'\.$"):
        set_role(migrated, "Cilly", role="user", now=NOW)
    with pytest.raises(ValueError, match=r"^role must be one of .* got 'root'\.$"):
        add_user(migrated, "Cilly", role="root", now=NOW)


def test_a_key_whose_user_is_gone_is_worth_nothing(
    migrated: Database, credentials: Credentials
) -> None:
    """Somebody changed the tables by hand."""
    key, _ = create_key(migrated, "portal", role="user", now=NOW)
    with migrated.writing() as connection:
        connection.execute(update(API_KEY).values(role=None, user="Nobody"))
    credentials.refresh()
    assert reason(credentials, key) == "unknown"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": ""}, "name must be 1 to 100 printable characters"),
        ({"name": "a" * 101}, "name must be 1 to 100 printable characters"),
        ({"name": "a\n"}, "name must be 1 to 100 printable characters"),
        ({"name": " a"}, "name must be 1 to 100 printable characters"),
        ({"role": "root"}, "role must be one of"),
        ({"role": None}, "user or role must be given, got neither."),
        ({"user": "Nobody"}, "user must be known, got 'Nobody'."),
        ({"tier": "gold"}, "tier must be one of free, basic, pro, enterprise, got 'gold'."),
        ({"rate_limit_multiplier": 0}, "rate_limit_multiplier must be above 0 and at most 1000"),
        ({"rate_limit_multiplier": float("inf")}, "rate_limit_multiplier must be above 0"),
        ({"lifetime": timedelta(0)}, "lifetime must be above 0 and at most 3650 days"),
        ({"lifetime": 3651 * DAY}, "lifetime must be above 0 and at most 3650 days"),
    ],
)
def test_what_breaks_a_rule_is_refused(
    sqlite: Database, options: dict[str, object], message: str
) -> None:
    given = {"name": "portal", "role": "user", "now": NOW, **options}
    with pytest.raises(ValueError, match=f"^{message}"):
        create_key(sqlite, **given)  # type: ignore[arg-type]  # that is the case
    assert list_keys(sqlite) == []


def test_an_id_that_is_none_is_refused(sqlite: Database) -> None:
    for change in (revoke_key, rotate_key):
        with pytest.raises(ValueError, match=r"^key must be the id of a key, got 'nc_'\.$"):
            change(sqlite, "nc_", now=NOW)
    with pytest.raises(ValueError, match=r"^overlap must not be negative"):
        rotate_key(sqlite, "a", now=NOW, overlap=-DAY)


def test_a_malformed_key_is_told_from_an_unknown_one(credentials: Credentials) -> None:
    assert reason(credentials, "nc_" + 40 * "0") == "malformed"
    assert reason(credentials, "") == "malformed"
    assert reason(credentials, "\ud800") == "malformed"


def test_nobody_is_believed_where_revocations_are_not_known(
    migrated: Database, credentials: Credentials, at: Time
) -> None:
    key, _ = create_key(migrated, "portal", role="user", now=NOW)
    credentials.refresh()
    at.seconds = 10.0
    assert reason(credentials, key) is None
    at.seconds = 10.1
    with pytest.raises(CredentialsUnavailableError, match="the database is away"):
        credentials.check_key(key)
    credentials.refresh()
    assert reason(credentials, key) is None
    with pytest.raises(ValueError, match=r"^period must be above 0 and at most patience \(10\.0"):
        Credentials(migrated, period=11)
    Credentials(migrated).close()  # it was never started


def test_a_restored_backup_is_read_anew(migrated: Database, credentials: Credentials) -> None:
    key, _ = create_key(migrated, "portal", role="user", now=NOW)
    with migrated.writing() as connection:
        token = {"jti": "j", "revoked_at": NOW, "expires_at": NOW + DAY, "version": 1}
        connection.execute(insert(REVOKED_TOKEN).values(**token))
    credentials.refresh()
    assert credentials.is_revoked("j")
    with migrated.writing() as connection:
        connection.execute(delete(API_KEY))
        connection.execute(delete(REVOKED_TOKEN))
        connection.execute(update(ACCESS_STATE).values(version=0))
    credentials.refresh()
    assert credentials.version == 0
    assert reason(credentials, key) == "unknown"
    assert not credentials.is_revoked("j")


def test_what_was_known_stays_where_reading_all_anew_fails(
    migrated: Database, credentials: Credentials
) -> None:
    key, _ = create_key(migrated, "portal", role="user", now=NOW)
    with migrated.writing() as connection:
        token = {"jti": "j", "revoked_at": NOW, "expires_at": NOW + DAY, "version": 1}
        connection.execute(insert(REVOKED_TOKEN).values(**token))
    credentials.refresh()
    with migrated.writing() as connection:
        connection.execute(update(ACCESS_STATE).values(version=0))
        connection.execute(text(f"ALTER TABLE {REVOKED_TOKEN.name} RENAME TO away"))
    with pytest.raises(DBAPIError):
        credentials.refresh()
    assert reason(credentials, key) is None
    assert credentials.is_revoked("j")
    with migrated.writing() as connection:
        connection.execute(text(f"ALTER TABLE away RENAME TO {REVOKED_TOKEN.name}"))
        connection.execute(delete(REVOKED_TOKEN))
    credentials.refresh()
    assert not credentials.is_revoked("j")


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_running_worker_sees_a_revocation_by_another_process(
    migrated: Database, url: str
) -> None:
    key, record = create_key(migrated, "portal", role="user", now=datetime.now(UTC))
    script = (
        "import sys\n"
        "from datetime import UTC, datetime\n"
        "from nextcall.access.keys import revoke_key\n"
        "from nextcall.storage.database import Database\n"
        "with Database(sys.argv[1]) as database:\n"
        "    revoke_key(database, sys.argv[2], now=datetime.now(UTC))\n"
    )
    with Credentials(migrated, period=0.02, patience=60) as credentials:
        assert reason(credentials, key) is None
        subprocess.run([sys.executable, "-c", script, url, record.id], check=True, timeout=120)
        wait_until(lambda: reason(credentials, key) == "revoked")


def test_a_worker_outlives_a_database_that_fails(migrated: Database) -> None:
    key, _ = create_key(migrated, "portal", role="user", now=datetime.now(UTC))
    with Credentials(migrated, period=0.02, patience=60) as credentials:
        with migrated.writing() as connection:
            connection.execute(text("ALTER TABLE access_state RENAME TO away"))
        wait_until(lambda: credentials.failures > 1)
        assert reason(credentials, key) is None  # for as long as its patience lasts
        with migrated.writing() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO access_state"))
        _, record = create_key(migrated, "other", role="user", now=datetime.now(UTC))
        wait_until(lambda: credentials.version == 2)
        assert revoke_key(migrated, record.id, now=NOW).revoked_at == NOW


WRITER = """
import os, sys
from datetime import UTC, datetime
from nextcall.access.keys import create_key, revoke_key
from nextcall.storage.database import Database
database, now = Database(sys.argv[1]), datetime.now(UTC)
for place in range(100_000):
    key, record = create_key(database, f"key {place}", role="user", now=now)
    os.write(1, f"made {key} {record.id}\\n".encode())
    if place % 3 == 0:
        revoke_key(database, record.id, now=now)
        os.write(1, f"revoked {key} {record.id}\\n".encode())
"""


def test_nothing_acknowledged_is_lost_when_writers_are_killed(
    migrated: Database, url: str, start_script: Callable[..., "subprocess.Popen[str]"]
) -> None:
    acknowledged = list[list[str]]()
    rng = random.Random(7)
    writers = [start_script(WRITER, url) for _ in range(2)]
    for writer in writers:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(rng.randrange(8, 15))]
        writer.kill()
        whole = "".join(lines) + writer.stdout.read()
        writer.wait(60)
        acknowledged += [line.split() for line in whole.split("\n")[:-1]]
    credentials = Credentials(migrated, monotonic=lambda: 0.0)
    credentials.refresh()
    revoked = {key for what, key, _ in acknowledged if what == "revoked"}
    assert len(revoked) > 2
    for what, key, _ in acknowledged:
        if what == "made" and key not in revoked:
            assert reason(credentials, key) in {None, "revoked"}  # revoked, and killed before said
        else:
            assert reason(credentials, key) == "revoked"


def test_what_is_done_besides_is_undone_with_it(migrated: Database) -> None:
    def fail(*_: object) -> None:
        raise KeyError

    add_user(migrated, "Ada", role="user", now=NOW)
    _, record = create_key(migrated, "portal", user="Ada", now=NOW)
    for change in (
        lambda: add_user(migrated, "Berta", role="user", now=NOW, also=fail),
        lambda: set_role(migrated, "Ada", role="admin", now=NOW, also=fail),
        lambda: create_key(migrated, "other", role="user", now=NOW, also=fail),
        lambda: rotate_key(migrated, record.id, now=NOW, also=fail),
        lambda: revoke_key(migrated, record.id, now=NOW, also=fail),
        lambda: revoke_token(migrated, "j", expires_at=NOW, now=NOW, also=fail),
    ):
        with pytest.raises(KeyError):
            change()
    assert [user.role for user in list_users(migrated)] == ["user"]
    assert list_keys(migrated) == [record]
    fresh = Credentials(migrated)
    fresh.refresh()
    assert (fresh.version, fresh.is_revoked("j")) == (2, False)


def test_readings_of_all_keys_may_take_longer_and_others_leave_time_for_another_try(
    migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, reading = list[float | None](), migrated.reading

    def noted(*, seconds: float | None = None) -> AbstractContextManager[Connection]:
        given.append(seconds)
        return reading(seconds=seconds)

    monkeypatch.setattr(migrated, "reading", noted)
    fresh = Credentials(migrated, patience=4.0)
    for _ in range(2):
        fresh.refresh()
    assert given == [UPKEEP, 2.0]
    for version in (7, 3):  # the second of a backup
        with migrated.writing() as connection:
            connection.execute(update(ACCESS_STATE).values(version=version))
        fresh.refresh()
    assert given == [UPKEEP, 2.0, 2.0, 2.0, UPKEEP]
