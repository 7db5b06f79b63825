"""What an assistant may be asked over HTTP, and what is answered."""

from typing import Literal, Self

from pydantic import Field, JsonValue

from nextcall.assistant.asking import Told
from nextcall.assistant.task import MOST_CALLS, MOST_SHOWN
from nextcall.llm.model import Tier
from nextcall.serve.answers import Answered
from nextcall.serve.schemas import PredictRequest, PromptAsked, Whole

FallbackReason = Literal[
    "no_model", "over_budget", "no_ledger", "too_long", "failed", "deadline", "cut_off", "refused",
    "not_json", "other_form", "nothing_to_show",
]  # fmt: skip
"""Why no language model answered, or its answer was of no use."""


class RunAsked(PromptAsked):
    """What is wanted, and the calls so far."""

    max_calls: Whole = Field(
        3, ge=1, le=MOST_CALLS, description="Calls that may be proposed at most."
    )
    shown: Whole = Field(
        5,
        ge=1,
        le=MOST_SHOWN,
        description="Operations that the model is shown: the ranker's first.",
    )
    complexity: Tier = Field(
        "low", description="How hard it is; says which models are asked, in which order."
    )
    temperature: float = Field(
        0.7, ge=0, le=1, allow_inf_nan=False, description="Of the model, where it takes one."
    )

    @property
    def ranked(self) -> PredictRequest:
        """What the ranker is asked."""
        return PredictRequest.model_construct(
            prompt=self.prompt,
            history=self.history,
            max_predictions=max(self.shown, self.max_calls),
            temperature=self.temperature,
        )


class RunCall(Answered):
    """One call that is proposed; it has not been made."""

    api_call: str = Field(examples=["GET /users/{id}"])
    operation_id: str
    method: str | None = Field(description="Null for a function.")
    description: str
    arguments: dict[str, JsonValue] = Field(
        description="By names of its parameters; the values are the model's. Empty without one."
    )
    missing_parameters: list[str] = Field(
        description="Those that must be given, and for which there is no argument."
    )
    unknown_arguments: list[str] = Field(
        description="Names that the model gave and the operation does not have; left out."
    )
    reason: str | None = Field(description="In the model's words; null without one.")
    confidence: float | None = Field(
        description="The ranker's, as of a prediction; null without a trained ranker."
    )
    rank: int = Field(description="Place among what the ranker found, from 1.")


class RunFallback(Answered):
    """Why the ranker's first operations are given in the place of a model's calls."""

    reason: FallbackReason = Field(
        description="no_model: none is set up, or none of this complexity; over_budget: it would "
        "cost more than is left of the day's budget; no_ledger: the database that counts costs is "
        "out of reach; too_long: there is more to read than a model is asked to; failed: none "
        "answered; deadline: none answered in time; cut_off, refused, not_json, other_form: what "
        "one answered is of no use; nothing_to_show: the guard withholds every operation."
    )


class RunUsage(Answered):
    """The answer of a language model, and what it cost; also of one that is of no use."""

    provider: str
    model: str
    tier: Tier
    input_tokens: int
    output_tokens: int
    cost_usd: float
    llm_latency_ms: float

    @classmethod
    def of(cls, told: Told) -> Self:
        """Tell an answer."""
        return cls(
            provider=told.model.provider,
            model=told.model.name,
            tier=told.tier,
            input_tokens=told.completion.input_tokens,
            output_tokens=told.completion.output_tokens,
            cost_usd=told.cost_usd,
            llm_latency_ms=round(1000 * told.seconds, 3),
        )


class RunAnswer(Answered):
    """What the assistant proposes. It calls nothing itself."""

    run_id: str
    answer: str | None = Field(
        description="In the model's words; null without a model, and where it is withheld."
    )
    calls: list[RunCall] = Field(description="In the order in which to make them.")
    shown: list[str] = Field(description="Ids of the operations that a model may propose.")
    dropped: int = Field(
        description="Calls that the model proposed and that are left out: of operations that it "
        "was not shown, of no form, or more than may be."
    )
    processing_method: Literal["llm", "ranking"]
    fallback: RunFallback | None = Field(description="Null where a model answered.")
    usage: RunUsage | None = Field(description="Null where no model answered.")
    safety_flags: list[str] | None = Field(
        description="Rules that the request breaks where that is no reason to refuse it, and those "
        "that the model's words break; words that break one for which a request would be refused "
        "are withheld. Null where the guard is off."
    )
    processing_time_ms: float
