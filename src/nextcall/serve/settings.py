"""What the service is told by its environment: read once, checked, then passed on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import SettingsConfigDict

from nextcall.locations import cache_dir, data_dir, model_for
from nextcall.ranking.abstention import NONE_THRESHOLD
from nextcall.serve.access_settings import AccessSettings
from nextcall.serve.guard_settings import GuardSettings


class Settings(GuardSettings, AccessSettings):
    """Every setting of the service; the variable of a field is ``NEXTCALL_`` and its name.

    The environment wins over the file ``.env`` of the working folder, what is given by name wins
    over both.
    """

    model_config = SettingsConfigDict(
        env_prefix="NEXTCALL_",
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",  # .env may hold what other programs read
        frozen=True,
    )

    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    data_dir: Path = Field(
        default_factory=data_dir, description="folder of catalogues and models; data"
    )
    cache_dir: Path = Field(
        default_factory=cache_dir,
        description="folder of what can be computed again; the user's cache folder",
    )
    database_url: str = Field(
        default_factory=lambda values: f"sqlite:///{values['data_dir'] / 'nextcall.db'}",
        repr=False,  # it may hold a password
        description="database of A/B tests: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME;"
        " the file nextcall.db in the data folder",
    )
    catalog: Path = Field(
        default_factory=lambda values: values["data_dir"] / "catalogs" / "aws.parquet",
        description="catalogue that is ranked; catalogs/aws.parquet in the data folder",
    )
    model: Path = Field(
        default_factory=lambda values: model_for(values["catalog"], data=values["data_dir"]),
        description="folder of a ranker; the demo's for its catalogue, else the packaged one",
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
    threads: int = Field(4, ge=1, le=64, description="requests that are computed side by side")

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
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        # A default that is made of another setting is not made where that one is at fault.
        own = [one for one in error.errors() if one["type"] != "default_factory_not_called"]
        raise ValueError("; ".join(map(_complaint, own))) from error


def _complaint(error: Mapping[str, Any]) -> str:
    if not error["loc"]:
        return str(error["ctx"]["error"])
    variable = f"NEXTCALL_{'_'.join(map(str, error['loc']))}".upper()
    return f"{variable}: {error['msg']}, got {error['input']!r}."
