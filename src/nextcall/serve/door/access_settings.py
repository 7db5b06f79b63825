"""Settings of who may ask, from where, and how often; and of the database that knows it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from nextcall.access.audit_key import AUDIT_VARIABLE, PREVIOUS_AUDIT_VARIABLE, audit_keys
from nextcall.access.identifiers import Network, networks
from nextcall.access.modes import AccessMode, development, is_loopback, production
from nextcall.access.permissions import check_role
from nextcall.access.rate_rules import RatePolicy, Rates
from nextcall.locations import data_dir
from nextcall.storage.database import PATIENCE

_Words = Annotated[
    tuple[str, ...],
    NoDecode,  # separated by spaces, not JSON
    BeforeValidator(lambda value: tuple(value.split()) if isinstance(value, str) else value),
]


class AccessSettings(BaseSettings):
    """What the front door and its database are told; light, for verbs that need no more.

    The environment wins over the file ``.env`` of the working folder, what is given by name wins
    over both; the variable of a field is ``NEXTCALL_`` and its name.
    """

    model_config = SettingsConfigDict(
        env_prefix="NEXTCALL_",
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",  # .env may hold what other programs read
        frozen=True,
    )

    environment: Literal["development", "production"] = Field(
        "development",
        description="development needs no key and answers this machine only; production needs keys",
    )
    host: str = Field(
        default_factory=lambda values: _default_host(str(values["environment"])),
        description="address to listen on; 127.0.0.1 in development, 0.0.0.0 in production",
    )
    data_dir: Path = Field(
        default_factory=data_dir, description="folder of catalogues and models; data"
    )
    database_url: str = Field(
        default_factory=lambda values: f"sqlite:///{values['data_dir'] / 'nextcall.db'}",
        repr=False,  # it may hold a password
        description="database of A/B tests, users, keys and the audit log: sqlite:///FILE or "
        "postgresql://USER:PASSWORD@HOST/NAME; the file nextcall.db in the data folder",
    )
    database_seconds: float = Field(
        PATIENCE, gt=0, le=30, description="seconds that a transaction of the database has"
    )
    secret: SecretStr | None = Field(
        None,
        description="at least 32 bytes; signs tokens and hashes the identifiers of limits",
    )
    previous_secrets: SecretStr | None = Field(
        None, description="separated by spaces; tokens signed with them are still believed"
    )
    audit_secret: SecretStr | None = Field(
        None, description="at least 32 bytes; keys the chain of the audit log"
    )
    previous_audit_secrets: SecretStr | None = Field(
        None, description="separated by spaces; verify what is in the log from before that one"
    )
    audit_enabled: bool = Field(True, description="whether refusals are kept in the audit log")
    audit_days: int = Field(90, ge=1, description="days that the audit log is kept")
    allowed_origins: _Words = Field(
        (), description="other sites whose pages may ask (CORS), separated by spaces; none"
    )
    allow_credentials: bool = Field(
        False, description="whether pages of those sites may send cookies"
    )
    trusted_proxies: _Words = Field(
        (), description="networks whose X-Forwarded-For is believed, separated by spaces; none"
    )
    oidc_issuer: str | None = Field(
        None, description="URL of an OpenID provider whose tokens are believed"
    )
    oidc_audience: str = Field("nextcall", description="what that provider's tokens are for")
    oidc_role_claim: str = Field("roles", description="claim of those tokens that names roles")
    oidc_roles: Mapping[str, str] = Field(
        {}, description="JSON: our role for a value of that claim"
    )
    oidc_default_role: str = Field("guest", description="role where no value matches")
    rate_limit_enabled: bool = Field(
        default_factory=lambda values: values["environment"] == "production",
        description="whether requests are limited; in production only",
    )
    redis_url: SecretStr | None = Field(
        None, description="Redis in which workers share their limits; each counts alone without"
    )
    rate_per_minute: int = Field(60, ge=1, description="requests of one caller in any minute")
    rate_per_hour: int = Field(1_000, ge=1, description="requests of one caller in any hour")
    rate_per_day: int = Field(10_000, ge=1, description="requests of one caller in any day")
    rate_burst: int | None = Field(
        None, ge=1, description="requests of one caller at one moment; as many as a minute's"
    )
    rate_adaptive: bool = Field(
        True, description="whether limits are stricter under load, and of endpoints that fail"
    )
    rate_strikes: int = Field(
        20, ge=1, description="refusals within a minute after which a caller is blocked"
    )
    block_seconds: int = Field(300, ge=1, description="how long a caller is blocked")
    address_per_minute: int = Field(
        6_000, ge=1, description="requests of one address in a minute, whoever asks"
    )

    @model_validator(mode="after")
    def _admit(self) -> Self:
        if self.environment == "development" and not is_loopback(self.host):
            raise ValueError(
                "host must be a loopback address such as 127.0.0.1 in development, where no key "
                f"is asked for, got {self.host!r}."
            )
        for role in (*self.oidc_roles.values(), self.oidc_default_role):
            check_role(role)
        _ = self.proxies
        return self

    @property
    def proxies(self) -> Sequence[Network]:
        """Networks of trusted proxies."""
        try:
            return networks(self.trusted_proxies)
        except ValueError as error:
            raise ValueError(f"trusted_proxies must be networks: {error}.") from None

    @property
    def rate_policy(self) -> RatePolicy:
        """How often who may ask."""
        rates = Rates(
            per_minute=self.rate_per_minute,
            per_hour=self.rate_per_hour,
            per_day=self.rate_per_day,
        )
        return RatePolicy(
            rates=rates,
            burst=self.rate_burst,
            strikes=self.rate_strikes,
            block_seconds=self.block_seconds,
        )

    def mode(self) -> AccessMode:
        """Check what the environment asks for.

        Raises
        ------
        ValueError
            In production without a good secret; where origins break their rule.
        """
        options: dict[str, Any] = {
            "secret": revealed(self.secret),
            "allowed_origins": self.allowed_origins,
            "allow_credentials": self.allow_credentials,
        }
        if self.environment == "development":
            return development(self.host, **options)
        previous = (revealed(self.previous_secrets) or "").split()
        return production(previous_secrets=previous, **options)

    def audit_keys(self) -> tuple[bytes, ...]:
        """Give the key of the audit log's chain, and those before it, the latest first.

        Raises
        ------
        ValueError
            Where a secret is poor.
        """
        variables = {
            AUDIT_VARIABLE: revealed(self.audit_secret) or "",
            PREVIOUS_AUDIT_VARIABLE: revealed(self.previous_audit_secrets) or "",
        }
        return audit_keys(variables)


S = TypeVar("S", bound=AccessSettings)


def read_settings(kind: type[S], **given: object) -> S:
    """Read settings from the environment, ``.env`` and what is given; None counts as not given.

    Raises
    ------
    ValueError
        Where a setting breaks its rule; the message names each by its variable.
    """
    try:
        return kind(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        # A default that is made of another setting is not made where that one is at fault.
        own = [one for one in error.errors() if one["type"] != "default_factory_not_called"]
        raise ValueError("; ".join(map(_complaint, own))) from error


def revealed(secret: SecretStr | None) -> str | None:
    """Give a secret as a text; none where there is none."""
    return None if secret is None else secret.get_secret_value()


def _default_host(environment: str) -> str:
    return "0.0.0.0" if environment == "production" else "127.0.0.1"  # noqa: S104  # production asks for keys


def _complaint(error: Mapping[str, Any]) -> str:
    if not error["loc"]:
        return str(error["ctx"]["error"])
    variable = f"NEXTCALL_{'_'.join(map(str, error['loc']))}".upper()
    rule = error["msg"].removeprefix("Value error, ")  # which pydantic puts before one of ours
    return f"{variable}: {rule}, got {error['input']!r}."
