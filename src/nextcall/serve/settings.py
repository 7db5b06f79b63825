"""What the service is told by its environment: read once, checked, then passed on."""

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from nextcall.locations import cache_dir, model_for
from nextcall.ranking.abstention import NONE_THRESHOLD
from nextcall.serve.assistant.settings import LlmSettings
from nextcall.serve.caching.cache_settings import CacheSettings
from nextcall.serve.door.access_settings import AccessSettings, read_settings
from nextcall.serve.door.body_limit import BODY_SECONDS
from nextcall.serve.feedback.settings import FeedbackSettings
from nextcall.serve.jobs.settings import JobSettings
from nextcall.serve.safety.guard_settings import GuardSettings
from nextcall.serve.telemetry_settings import TelemetrySettings

_ENCODERS = ("auto", "static", "minilm")


class Settings(
    LlmSettings,
    JobSettings,
    TelemetrySettings,
    CacheSettings,
    FeedbackSettings,
    GuardSettings,
    AccessSettings,
):
    """Every setting of the service."""

    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    cache_dir: Path = Field(
        default_factory=cache_dir,
        description="folder of what can be computed again; the user's cache folder",
    )
    catalog: Path = Field(
        default_factory=lambda values: values["data_dir"] / "catalogs" / "aws.parquet",
        description="catalogue that is ranked; catalogs/aws.parquet in the data folder",
    )
    model: Path = Field(
        default_factory=lambda values: model_for(values["catalog"], data=values["data_dir"]),
        description="folder of a ranker; the demo's for its catalogue, else the packaged one",
    )
    model_versions: Path = Field(
        default_factory=lambda values: (
            values["data_dir"] / "models" / "versions" / values["catalog"].stem
        ),
        description="folder of models that jobs trained; models/versions in the data folder, by "
        "the name of the catalogue's file",
    )
    model_margin: float = Field(
        0.01,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="how far NDCG@10 of a new model may lie below that of the one in use",
    )
    encoder: str = Field(
        "auto",
        description="encoder of prompts: auto (as the ranker was trained), static (distilled on "
        "the catalogue), minilm, or the folder of a static one",
    )
    cold_start_confidence: float = Field(
        0.6, ge=0, le=1, description="confidence from which a first answer counts as sure"
    )
    max_prompt_characters: int = Field(4096, ge=1, description="longest prompt, in characters")
    max_history: int = Field(
        100, ge=1, le=100, description="newest calls of a history that are used"
    )
    max_history_received: int = Field(
        10_000, ge=1, description="calls that a history may hold; more are refused"
    )
    max_predictions: int = Field(20, ge=1, le=100, description="most answers that may be asked for")
    default_predictions: int = Field(3, ge=1, description="answers where no number is asked for")
    none_threshold: float = Field(
        NONE_THRESHOLD,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="probability from which it is said that none of the catalogue answers",
    )
    max_batch: int = Field(100, ge=1, description="most requests of one batch")
    max_body_bytes: int = Field(
        10 * 1024 * 1024, ge=1024, description="largest body of a request, in bytes"
    )
    body_seconds: float = Field(
        BODY_SECONDS, gt=0, le=3600, description="seconds that the body of a request may take"
    )
    prediction_seconds: float = Field(
        30, gt=0, le=3600, description="seconds that one answer may take; then it is refused"
    )
    workers: int = Field(
        1, ge=1, le=64, description="processes that answer; what is loaded lies in memory once"
    )
    threads: int = Field(4, ge=1, le=64, description="requests that are computed side by side")

    @field_validator("encoder")
    @classmethod
    def _is_known(cls, encoder: str) -> str:
        # One that is damaged is told by /health; a word that was mistyped is not taken for one.
        if encoder not in _ENCODERS and not Path(encoder).is_dir():
            raise ValueError(f"must be {', '.join(_ENCODERS)} or a folder that there is")
        return encoder

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.default_predictions > self.max_predictions:
            raise ValueError(
                f"default_predictions must be at most max_predictions ({self.max_predictions}), "
                f"got {self.default_predictions}."
            )
        return self


def load_settings(**given: object) -> Settings:
    """Read the settings from the environment, ``.env`` and what is given; None counts as not given.

    Raises
    ------
    ValueError
        Where a setting breaks its rule; the message names each by its variable.

    Examples
    --------
    >>> load_settings(port=8080, host=None).port
    8080
    """
    return read_settings(Settings, **given)
