"""What ``GET /health`` answers: each component, and whether it works."""

from typing import Literal

from pydantic import Field

from nextcall.serve.answers import Answered

RankerStatus = Literal["ok", "lags", "former", "fallback"]
"""Who answers: the ranker that shall, another one for now, the one before it, or fused retrieval.
"""


class LagHealth(Answered):
    """A worker that cannot see the version in use just now, and tries again."""

    version: str | None = Field(
        description="Which answers; null is the model that the service was started with."
    )
    version_in_use: str | None = Field(description="Which should, as far as it is known.")
    tries: int = Field(description="So far, in vain.")
    next_try_seconds: float = Field(description="Until the next one.")


class RankerHealth(Answered):
    """The trained ranker, or why there is none."""

    status: RankerStatus = Field(
        description="lags: files of the one that should answer cannot be seen from here just now, "
        "and another one answers; former: it is damaged, and the one before it answers."
    )
    reason: str | None = Field(
        description="Why that one, or fused retrieval, answers in its place."
    )
    lag: LagHealth | None = Field(description="Null where this worker is not behind.")
    refused: str | None = Field(
        description="Why the last model that was trained did not come into use; null once another "
        "does. What answers is none the worse for it."
    )
    model_version: str | None
    trained_at: str | None
    trained_on: str | None = Field(description="Name of the catalogue that it was trained on.")
    trained_on_this_catalog: bool | None


class ChallengerHealth(Answered):
    """The second model, of an A/B test or interleaved, or why it does not answer."""

    status: Literal["ok", "failed"]
    reason: str | None = Field(description="Why the current model answers in its place.")
    model_version: str | None


class CatalogHealth(Answered):
    """The catalogue that is ranked."""

    status: Literal["ok"] = "ok"
    name: str
    operations: int
    services: int
    content_hash: str


class EmbedderHealth(Answered):
    """The encoder of prompts."""

    status: Literal["ok"] = "ok"
    name: str
    dimensions: int


class DatabaseHealth(Answered):
    """The database of A/B tests."""

    status: Literal["ok", "unreachable"]
    backend: Literal["sqlite", "postgresql"]
    running_tests: int | None = Field(description="Null where it cannot be reached.")


LimitsHealth = Literal["off", "memory", "redis", "memory, for Redis is away"]
"""Where requests are counted."""


class AccessHealth(Answered):
    """The front door: who may ask, and how often."""

    status: Literal["ok", "degraded"]
    environment: Literal["development", "production"]
    limits: LimitsHealth = Field(description="Where requests are counted.")
    keys_known: bool = Field(
        description="Whether the database of keys and revocations answered lately; where it did "
        "not, nobody is believed."
    )


AnswersHealth = Literal["memory", "redis", "memory, for Redis is away"]
"""Where answers are kept."""


class CacheHealth(Answered):
    """What is kept of answers."""

    status: Literal["ok", "degraded"] = Field(
        description="degraded: Redis is away; answers are kept all the same, by each worker alone."
    )
    answers: AnswersHealth = Field(description="redis: in memory and there.")


class SideHealth(Answered):
    """A side that is asked over the network, as a breaker sees it."""

    side: str
    status: Literal["closed", "open", "half_open"] = Field(
        description="open: it is left alone, for it failed again and again; half_open: one call "
        "tries it."
    )
    failures_in_a_row: int
    opened: int = Field(description="How often it was left alone since the start.")
    retry_after: float | None = Field(
        description="Seconds until it may be tried; null where it is asked."
    )


class LlmHealth(Answered):
    """Language models, as far as the worker that is asked knows."""

    status: Literal["ok", "off", "failing"] = Field(
        description="off: none can be asked, and the assistant gives what the ranker finds; "
        "failing: no provider answers."
    )
    reason: str | None = Field(description="Why none can be asked.")
    providers: dict[str, Literal["ok", "failing"]] = Field(
        description="Those that can be asked; failing: it is left alone for it failed again and "
        "again, or it refuses the key."
    )
    left_out: dict[str, str] = Field(
        description="Those that cannot, and what each lacks: the variable of its key, or an extra."
    )


class GuardHealth(Answered):
    """The guard, and what all workers counted since the start; each request of a batch counts."""

    status: Literal["ok", "off", "failing"] = Field(
        description="failing: the last run of a check failed by itself, in any worker; basic ones "
        "go on."
    )
    version: str = Field(description="Of its model.")
    failing: list[str] = Field(description="Checks that fail.")
    total: int = Field(description="Requests that were checked.")
    blocked: int
    flagged: int
    observed: int
    blocked_rate: float
    flagged_rate: float
    violation_rate: float = Field(description="Broken rules a request.")
    violations: dict[str, int] = Field(description="Broken rules, by family.")
    failed_checks: dict[str, int] = Field(description="Runs that failed, by check.")
    blocked_predictions: int
    filtered_predictions: int
    pii_found: dict[str, int] = Field(description="Personal data, by kind.")


class Components(Answered):
    """Each part that an answer needs."""

    ranker: RankerHealth
    catalog: CatalogHealth
    embedder: EmbedderHealth
    guard: GuardHealth
    database: DatabaseHealth | None = Field(description="Null where no A/B tests are served.")
    access: AccessHealth | None = Field(description="Null where there is no front door.")
    challenger: ChallengerHealth | None = Field(description="Null where none is set.")
    cache: CacheHealth | None = Field(description="Null where nothing is kept.")
    llm: LlmHealth | None = Field(description="Null where there is no assistant.")
    outside: list[SideHealth] = Field(description="Sides before which a breaker stands.")


class Health(Answered):
    """Whether the service answers, and with what."""

    status: Literal["ok", "degraded"] = Field(
        description="degraded: without the ranker that should answer, with a database or a Redis "
        "that is out of reach, a side that is left alone, language models none of which answers, "
        "or a check of the guard that fails."
    )
    version: str
    uptime_seconds: float
    memory_usage_mb: float
    components: Components
