"""Keys, users and revocations, as every worker knows them: read once, then only what changes."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Self

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from nextcall.access.key_format import is_well_formed, key_digest
from nextcall.access.keys import ApiKey, key_of
from nextcall.access.principal import CredentialError, CredentialsUnavailableError, Principal
from nextcall.access.tables import ACCESS_STATE, API_KEY, REVOKED_TOKEN, USER
from nextcall.storage.database import UPKEEP, Database
from nextcall.telemetry.instruments import Count


@dataclass(frozen=True, slots=True)
class _Entry:
    digest: bytes
    principal: Principal
    expires_at: float
    """Seconds since 1970."""


class Credentials:
    """What a process knows of keys, users and revoked tokens; threads share it.

    A thread asks the database each `period` seconds for what changed, which is one small read:
    a revocation that was acknowledged is seen by every process one period later. Where the
    database was away for longer than `patience`, nobody is believed until it is back. Each process
    starts its own, after it forked.

    Parameters
    ----------
    database : Database
    period, patience : float
        Seconds.
    clock : callable
        Seconds since 1970. A key that was seen expired stays so where the clock is set back.
    monotonic : callable
        Seconds that never go back.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from nextcall.access.keys import create_key
    >>> from nextcall.storage.migrations import migrate
    >>> now = datetime.now(UTC)
    >>> with TemporaryDirectory() as folder, Database(f"sqlite:///{folder}/a.db") as database:
    ...     migrate(database)
    ...     key, _ = create_key(database, "portal", role="user", now=now)
    ...     with Credentials(database) as credentials:
    ...         credentials.check_key(key).may("query.predict")
    True
    """

    def __init__(
        self,
        database: Database,
        *,
        period: float = 0.25,
        patience: float = 10.0,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < period <= patience:
            raise ValueError(
                f"period must be above 0 and at most patience ({patience}), got {period}."
            )
        self._database, self._period, self._patience = database, period, patience
        self._clock, self._monotonic = clock, monotonic
        self._known = _Known()
        self._known_until = float("-inf")
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._failures = Count.alone()

    @property
    def failures(self) -> int:
        """How often the database could not be asked."""
        return round(self._failures.own)

    def count_in(self, failures: Count) -> None:
        """Count there from now on how often the database could not be asked."""
        self._failures = failures.instead_of(self._failures)

    @property
    def version(self) -> int:
        """The last change that is known."""
        return self._known.version

    def check_key(self, key: str) -> Principal:
        """Say whose key it is.

        Raises
        ------
        CredentialError
            Where it is malformed, unknown, revoked or expired.
        CredentialsUnavailableError
            Where what is revoked is not known.
        """
        self.require_fresh()
        digest = key_digest(key)
        known = self._known
        entry = known.entries.get(digest)
        if entry is None or not compare_digest(entry.digest, digest):
            why = known.refused.get(digest)
            raise CredentialError(why or ("unknown" if is_well_formed(key) else "malformed"))
        if self._clock() >= entry.expires_at:
            known.refuse(digest, "expired")
            raise CredentialError("expired")
        return entry.principal

    def is_revoked(self, jti: str) -> bool:
        """Tell whether a token was revoked by its id."""
        return jti in self._known.revoked

    def role_of(self, user: str) -> str | None:
        """Give the role of a user now; none where there is no such user."""
        return self._known.roles.get(user)

    @property
    def is_fresh(self) -> bool:
        """Whether revocations are known: the database answered not too long ago."""
        return self._monotonic() <= self._known_until

    def require_fresh(self) -> None:
        """Refuse to go on where the database was away for too long.

        Raises
        ------
        CredentialsUnavailableError
        """
        if not self.is_fresh:
            raise CredentialsUnavailableError("revocations are not known: the database is away.")

    def refresh(self) -> None:
        """Read what changed since the last time; all, where the database is an older one.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            Where the database cannot be asked; what was known stays.
        """
        asked_at = self._monotonic()
        with self._lock:
            if self._known.version < 0 or not self._read_changes():
                self._read_all()
            self._known_until = asked_at + self._patience

    def start(self) -> None:
        """Read all, and go on reading in a thread."""
        self.refresh()
        self._thread = threading.Thread(target=self._run, name="credentials", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._ended.wait(self._period):
            try:
                self.refresh()
            except SQLAlchemyError:
                self._failures.rise()

    def _read_changes(self) -> bool:
        """Read what is new; false where nothing can be, for a backup was restored."""
        # So that there is time for another try while keys are believed.
        seconds = min(self._database.patience, self._patience / 2)
        with self._database.reading(seconds=seconds) as connection:
            version = _version_of(connection)
            if version > self._known.version:
                self._known.read(connection, version, self._clock)
            return version >= self._known.version

    def _read_all(self) -> None:
        """Read all anew; until that is done, what was known stays."""
        known = _Known()
        with self._database.reading(seconds=UPKEEP) as connection:
            known.read(connection, _version_of(connection), self._clock)
        self._known = known


def _version_of(connection: Connection) -> int:
    return int(connection.scalars(select(ACCESS_STATE.c.version)).one())


class _Known:
    """What is known as of a change."""

    def __init__(self) -> None:
        self.version = -1
        self.keys = dict[bytes, ApiKey]()  # by digest
        self.roles = dict[str, str]()  # by user
        self.entries = dict[bytes, _Entry]()
        self.refused = dict[bytes, str]()
        self.revoked = set[str]()

    def read(self, connection: Connection, version: int, clock: Callable[[], float]) -> None:
        """Read what came since, and then know all of it."""
        since = self.version
        roles = {
            row.name: row.role
            for row in connection.execute(select(USER).where(USER.c.version > since))
        }
        changed = {
            bytes.fromhex(row.digest): key_of(row)
            for row in connection.execute(select(API_KEY).where(API_KEY.c.version > since))
        }
        revoked = connection.scalars(
            select(REVOKED_TOKEN.c.jti).where(REVOKED_TOKEN.c.version > since)
        ).all()
        self.revoked.update(revoked)
        self.roles.update(roles)
        self.keys.update(changed)
        of_users = (digest for digest, key in self.keys.items() if key.user in roles)
        for digest in {*changed, *of_users}:
            self._settle(digest, self.keys[digest], clock)
        self.version = version

    def _settle(self, digest: bytes, key: ApiKey, clock: Callable[[], float]) -> None:
        """Say what a key is worth, from now on."""
        status = key.status(datetime.fromtimestamp(clock(), UTC))
        if self.refused.get(digest) == "expired" and status == "active":
            status = "expired"
        role = key.role if key.role is not None else self.roles.get(key.user or "")
        if status != "active" or role is None:
            self.refuse(digest, "unknown" if status == "active" else status)
            return
        principal = Principal(
            name=key.user if key.user is not None else f"key:{key.id}",
            role=role,
            key_id=key.id,
            tier=key.tier,
            rate_limit_multiplier=key.rate_limit_multiplier,
        )
        self.entries[digest] = _Entry(digest, principal, key.expires_at.timestamp())

    def refuse(self, digest: bytes, reason: str) -> None:
        """Believe a key no more."""
        self.entries.pop(digest, None)
        self.refused[digest] = reason
