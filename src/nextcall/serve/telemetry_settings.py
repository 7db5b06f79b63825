"""What the service is told of its telemetry: what it logs and traces, and what was promised."""

from collections.abc import Mapping
from dataclasses import fields
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode

from nextcall.telemetry.logs import Level
from nextcall.telemetry.service_level import ServiceLevelTargets

PROMISES: Final = tuple(field.name for field in fields(ServiceLevelTargets))
"""Names of what is promised."""


def _targets(value: object) -> object:
    """Read limits by the names of promises, and see whether each can be one."""
    if isinstance(value, str):
        try:
            value = loads(value)
        except JSONDecodeError as error:
            raise ValueError(
                f'must be JSON, an object such as {{"hit_rate": 0.5}}: {error}'
            ) from None
    if not isinstance(value, Mapping):
        raise ValueError('must be an object such as {"hit_rate": 0.5}')  # noqa: TRY004  # pydantic's way
    if unknown := sorted(set(value) - set(PROMISES)):
        raise ValueError(f"must name promises of {list(PROMISES)}, {unknown} are none")
    if wrong := sorted(name for name, limit in value.items() if not _is_number(limit)):
        raise ValueError(f"must say a number of a promise, says otherwise of {wrong}")
    ServiceLevelTargets(**value)
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class TelemetrySettings(BaseSettings):
    """Every setting of telemetry; a part of `Settings`."""

    telemetry_enabled: bool = Field(
        default=True, description="whether requests are counted, timed and logged at all"
    )
    metrics_dir: Path | None = Field(
        None,
        description="folder where all workers leave their counts, best in /dev/shm; one worker "
        "needs none",
    )
    log_dir: Path | None = Field(
        None, description="folder of nextcall.jsonl; lines go to standard error where none is given"
    )
    log_level: Level = Field(
        default_factory=lambda values: (
            "info" if values.get("environment") == "production" else "warning"
        ),
        description="debug, info (a line a request), warning or error; info in production, else "
        "warning",
    )
    log_max_bytes: int = Field(
        100_000_000, ge=1000, description="bytes from which the log begins a new file"
    )
    log_keep_days: float = Field(30, gt=0, description="days that full files of the log are kept")
    traces_url: str | None = Field(
        None,
        description="URL of an OpenTelemetry collector, such as http://localhost:4318/v1/traces; "
        "needs the extra tracing",
    )
    service_level: Annotated[Mapping[str, float], NoDecode, BeforeValidator(_targets)] = Field(
        {},
        description="limits that /performance/health judges by, as JSON by name; those that are "
        "not named keep their defaults, as docs/telemetry.md lists them",
    )

    performance_seconds: float = Field(
        5.0, gt=0, le=60, description="seconds that a run of POST /performance/test may take"
    )

    def targets(self) -> ServiceLevelTargets:
        """Give the promises as they are set."""
        limits: Mapping[str, float] = self.service_level
        return ServiceLevelTargets(
            **{
                name: int(limit) if name == "least_count" else limit
                for name, limit in limits.items()
            }  # type: ignore[arg-type]  # the one that is an int is made one
        )
