"""What the service is told of feedback: whether it is kept, what of it, and for how long."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings

from nextcall.feedback.shown import MOST


class FeedbackSettings(BaseSettings):
    """Every setting of feedback; a part of `Settings`."""

    feedback_enabled: bool = Field(
        default=True, description="whether it may be told what became of a prediction"
    )
    feedback_prompts: bool = Field(
        default=False,
        description="whether prompts are kept with it, masked; needed to learn from it",
    )
    feedback_shown: int = Field(
        MOST, ge=1, description="predictions that are remembered until it is told"
    )
    feedback_seconds: int = Field(3_600, ge=1, description="how long one is remembered")
    feedback_days: int = Field(90, ge=1, description="days that feedback is kept")
    predict_trial: str | None = Field(
        None,
        description="id of an A/B test of type model or routing in which feedback is recorded",
    )
    challenger_model: Path | None = Field(
        None,
        description="folder of a second ranker, which answers the other variant of that test, or "
        "is interleaved",
    )
    interleaved: bool = Field(
        default=False,
        description="whether each list is drafted from those of both rankers, so that feedback "
        "compares them; then there is no A/B test",
    )
    challenger_seconds: float = Field(
        1.0,
        gt=0,
        le=3600,
        description="seconds that an interleaved challenger may take beside the current ranker, "
        "whose list is given alone then",
    )

    @model_validator(mode="after")
    def _compares_in_one_way(self) -> Self:
        if self.interleaved:
            self._check_interleaved()
        elif self.challenger_model is not None and self.predict_trial is None:
            raise ValueError(
                "predict_trial must be set where challenger_model is, for the test says whom it "
                "answers, or interleaved be true."
            )
        return self

    def _check_interleaved(self) -> None:
        if self.challenger_model is None:
            raise ValueError("challenger_model must be set where interleaved is true, got none.")
        if self.predict_trial is not None:
            raise ValueError(
                "predict_trial must not be set where interleaved is true, for everybody is "
                f"answered by both rankers, got {self.predict_trial[:100]!r}."
            )
        if not self.feedback_enabled:
            raise ValueError(
                "feedback_enabled must be true where interleaved is, for feedback says which "
                "ranker is preferred."
            )
