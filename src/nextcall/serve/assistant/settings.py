"""What the service is told of language models."""

from pathlib import Path
from typing import Final, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings

from nextcall.llm.budget import MOST_USD, Budget
from nextcall.serve.outside_calls import LANGUAGE_MODELS

_BUDGET: Final = Budget()


class LlmSettings(BaseSettings):
    """Every setting of language models; a part of `Settings`."""

    llm_enabled: bool = Field(
        default=True, description="whether language models are asked, where any can be"
    )
    llm_models: Path | None = Field(
        None,
        description="YAML file of providers, models and which of them answer what; the packaged "
        "table",
    )
    llm_seconds: float = Field(
        LANGUAGE_MODELS.seconds,
        gt=0,
        le=3600,
        description="seconds that one call of a language model may take",
    )
    llm_daily_usd: float = Field(
        _BUDGET.daily_usd,
        ge=0,
        le=MOST_USD,
        allow_inf_nan=False,
        description="US dollars that calls may cost in a day of UTC; 0 lets only free ones be made",
    )
    llm_prediction_usd: float = Field(
        _BUDGET.prediction_usd,
        gt=0,
        allow_inf_nan=False,
        description="US dollars that a prediction should cost on average",
    )
    llm_warning_share: float = Field(
        _BUDGET.warning,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="share of the day's dollars from which it is said that they run out",
    )
    llm_emergency_share: float = Field(
        _BUDGET.emergency,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="share of the day's dollars from which only the cheapest models are asked",
    )
    llm_days: int = Field(
        90, ge=1, description="days that each call is kept; what a day cost is kept for good"
    )

    @model_validator(mode="after")
    def _warns_first(self) -> Self:
        if self.llm_warning_share > self.llm_emergency_share:
            raise ValueError(
                f"llm_warning_share must be at most llm_emergency_share "
                f"({self.llm_emergency_share}), got {self.llm_warning_share}."
            )
        return self

    def budget(self) -> Budget:
        """Give what calls may cost."""
        return Budget(
            daily_usd=self.llm_daily_usd,
            prediction_usd=self.llm_prediction_usd,
            warning=self.llm_warning_share,
            emergency=self.llm_emergency_share,
        )
