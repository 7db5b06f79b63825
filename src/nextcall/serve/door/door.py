"""What a front door asks: who somebody is, how often they may ask; opened from the settings."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from nextcall import __version__
from nextcall.access.address_rates import AddressRates
from nextcall.access.audit_event import AuditEvent
from nextcall.access.audit_key import require_key
from nextcall.access.audit_log import AuditLog, forget_old
from nextcall.access.credentials import Credentials
from nextcall.access.fallback_rates import FallbackRates
from nextcall.access.identifiers import Identifiers
from nextcall.access.limiter import Limiter
from nextcall.access.load_factor import LoadFactor
from nextcall.access.memory_rates import MemoryRates
from nextcall.access.modes import AccessMode
from nextcall.access.redis_rates import RedisRates
from nextcall.access.tokens import Tokens
from nextcall.resilience.breakers import Breakers
from nextcall.serve.door.access_settings import AccessSettings, revealed
from nextcall.serve.outside_calls import PROVIDER
from nextcall.serve.process.upkeep import Job, ProcessLoad, Upkeep
from nextcall.storage.database import Database

if TYPE_CHECKING:
    from nextcall.access.outside_issuer import OutsideIssuer

_LOAD_SECONDS: Final = 5.0
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What a front door asks; one a process."""

    mode: AccessMode
    credentials: Credentials
    tokens: Tokens
    identifiers: Identifiers
    load: LoadFactor
    limiter: Limiter | None = None
    """Of callers; nothing is limited where it is not given."""
    addresses: AddressRates | None = None
    """Of addresses, before anything else is asked."""
    shared: FallbackRates | None = None
    """What the limiter asks, where workers share it: an answer may then take a while."""
    audit: AuditLog | None = None
    """Where refusals are kept."""
    outside: "OutsideIssuer | None" = None

    def tell_of_block(self, route: str, families: tuple[str, ...], risk: float) -> None:
        """Keep in the audit log that the guard refused a request; nothing of what it said."""
        if self.audit is None:
            return
        event = AuditEvent(
            at=datetime.now(UTC),
            kind="security",
            action="blocked",
            severity="warning",
            details={"route": route, "family": ", ".join(families), "risk": round(risk, 3)},
        )
        self.audit.try_write(event)


@contextmanager
def open_door(
    settings: AccessSettings, database: Database, *, breakers: Breakers | None = None
) -> Iterator[Door]:
    """Open what the settings ask for, over an open database; when the block ends, it is closed.

    Parameters
    ----------
    settings : AccessSettings
    database : Database
        Migrated.
    breakers : Breakers, optional
        Of the program; of this door alone where none are given.

    Raises
    ------
    ValueError
        Where the mode refuses to start (see `AccessSettings.mode`), a URL is of another form, or
        the audit log ends with another secret.
    """
    mode = settings.mode()
    with ExitStack() as opened:
        credentials = opened.enter_context(Credentials(database))
        load = LoadFactor()
        adapting = load if settings.rate_adaptive else None
        shared = _shared(settings, opened)
        store = MemoryRates() if shared is None else shared
        limited = settings.rate_limit_enabled
        audit = None
        if settings.audit_enabled:
            key = settings.audit_keys()[0]
            with database.writing() as connection:
                require_key(connection, key)
            audit = opened.enter_context(AuditLog(database, key=key))
            opened.enter_context(_told(audit, settings))
        opened.enter_context(Upkeep(_jobs(settings, database, load)))
        yield Door(
            mode=mode,
            credentials=credentials,
            tokens=Tokens(mode.token_secrets, credentials=credentials),
            identifiers=Identifiers(mode.identifier_secret),
            load=load,
            limiter=Limiter(store, policy=settings.rate_policy, load=adapting) if limited else None,
            addresses=AddressRates(settings.address_per_minute) if limited else None,
            shared=shared,
            audit=audit,
            outside=_outside(settings, credentials, breakers or Breakers()),
        )


def _jobs(settings: AccessSettings, database: Database, load: LoadFactor) -> list[Job]:
    computed = ProcessLoad()
    jobs: list[Job] = [(_LOAD_SECONDS, lambda: load.observe_load(computed()))]
    if settings.audit_enabled:
        keep, key = timedelta(days=settings.audit_days), settings.audit_keys()[0]
        jobs.append((_DAY, lambda: forget_old(database, now=datetime.now(UTC), keep=keep, key=key)))
    return jobs


def _shared(settings: AccessSettings, opened: ExitStack) -> FallbackRates | None:
    url = revealed(settings.redis_url)
    if url is None or not settings.rate_limit_enabled:
        return None
    redis = RedisRates(url)
    opened.callback(redis.close)
    return FallbackRates(redis, MemoryRates())


def _outside(
    settings: AccessSettings, credentials: Credentials, breakers: Breakers
) -> "OutsideIssuer | None":
    if settings.oidc_issuer is None:
        return None
    # Loaded where one is named: 15 MB.
    from nextcall.access.outside_issuer import OutsideIssuer  # noqa: PLC0415
    from nextcall.resilience.outside import Dependency  # noqa: PLC0415

    return OutsideIssuer(
        settings.oidc_issuer,
        audience=settings.oidc_audience,
        roles=settings.oidc_roles,
        role_claim=settings.oidc_role_claim,
        default_role=settings.oidc_default_role,
        asking=Dependency(PROVIDER, breakers=breakers),
        is_revoked=credentials.is_revoked,
    )


@contextmanager
def _told(audit: AuditLog, settings: AccessSettings) -> Iterator[None]:
    """Tell the audit log when the service begins and ends."""
    audit.write(_system_event("service started", settings))
    try:
        yield
    finally:
        audit.try_write(_system_event("service stopped", settings))


def _system_event(action: str, settings: AccessSettings) -> AuditEvent:
    return AuditEvent(
        at=datetime.now(UTC),
        kind="system",
        action=action,
        details={"environment": settings.environment, "version": __version__},
    )
