"""What is answered of what language models cost."""

from datetime import date
from typing import Self

from pydantic import Field

from nextcall.llm.day_cost import DayCost
from nextcall.llm.model import Tier
from nextcall.llm.model_spending import ModelSpending
from nextcall.llm.spending import Spending
from nextcall.serve.answers import Answered


class CostAnalytics(Answered):
    """What calls of language models cost today, a day of UTC; all services of the database."""

    daily_budget_usd: float
    daily_spent_usd: float = Field(
        description="What calls cost, and what is set aside for those that have not ended."
    )
    budget_utilization: float | None = Field(
        description="Share of the day's budget that is spent; null where the budget is 0."
    )
    avg_cost_per_prediction: float | None = Field(
        description="US dollars of all calls for a run of the assistant that have ended, those in "
        "vain too, by predictions_today; null where that is 0."
    )
    cost_target: float = Field(description="US dollars that a prediction should cost at most.")
    predictions_today: int = Field(
        description="Runs of the assistant that a language model answered to the end: one a run, "
        "however many models were tried before."
    )
    total_predictions: int = Field(description="The same of all days.")

    @classmethod
    def of(cls, cost: DayCost) -> Self:
        """Tell a day."""
        return cls(
            daily_budget_usd=cost.budget.daily_usd,
            daily_spent_usd=cost.spent_usd,
            budget_utilization=cost.utilization,
            avg_cost_per_prediction=cost.mean_prediction_usd,
            cost_target=cost.budget.prediction_usd,
            predictions_today=cost.predictions,
            total_predictions=cost.total_predictions,
        )


class CostOptimization(Answered):
    """What is done about it."""

    enabled: bool = Field(
        description="Whether calls are held against the budget; false where the service keeps none."
    )
    emergency_mode: bool = Field(
        description="Whether so little is left that only the cheapest models are asked."
    )
    cost_warning: bool = Field(description="Whether the day's budget runs out.")


class CostTargets(Answered):
    """Whether what was aimed at is reached."""

    cost_per_prediction_met: bool | None = Field(
        description="Whether avg_cost_per_prediction is at most cost_target; null without "
        "predictions."
    )
    budget_on_track: bool = Field(
        description="Whether a day that goes on as it began stays within its budget: no more is "
        "spent than the budget's share of the day so far, an hour's at least."
    )
    quality_maintained: bool | None = Field(
        None, description="Null: nothing measures yet how good answers of a model are."
    )


class ModelCosts(Answered):
    """The calls of one model today."""

    provider: str
    model: str
    calls: int = Field(description="Answered, failed, cancelled and unsettled ones together.")
    answered: int = Field(description="Also where an answer was cut off, or the model refused.")
    failed: int = Field(description="Also those that took too long.")
    cancelled: int = Field(description="Nobody waited for the answer.")
    unsettled: int = Field(description="They run, or their process ended before they did.")
    input_tokens: int
    output_tokens: int
    cached_tokens: int = Field(description="Of the input, known to the provider from before.")
    cost_usd: float = Field(description="What is set aside counts for those that are unsettled.")
    mean_seconds: float | None = Field(description="Of answers, as the percentiles; null without.")
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    calls_per_minute: float = Field(description="Since midnight of UTC.")

    @classmethod
    def of(cls, model: ModelSpending) -> Self:
        """Tell a model."""
        alike = {name: getattr(model, name) for name in cls.model_fields if hasattr(model, name)}
        return cls(**alike, calls_per_minute=model.calls_a_minute)


class CostAnswer(Answered):
    """What language models cost today; money is in US dollars."""

    day: date = Field(description="Of UTC.")
    cost_analytics: CostAnalytics
    model_usage: dict[Tier, int] = Field(
        description="Calls today by how hard their question was; every tier is there."
    )
    cost_optimization: CostOptimization
    performance_targets: CostTargets
    models: list[ModelCosts] = Field(description="Those that were asked today, the dearest first.")

    @classmethod
    def of(cls, spending: Spending, *, enabled: bool) -> Self:
        """Tell a day."""
        total = spending.total
        return cls(
            day=total.day,
            cost_analytics=CostAnalytics.of(total),
            model_usage=dict(spending.tiers),
            cost_optimization=CostOptimization(
                enabled=enabled,
                emergency_mode=total.is_emergency,
                cost_warning=total.is_warning,
            ),
            performance_targets=CostTargets(
                cost_per_prediction_met=total.is_prediction_met,
                budget_on_track=total.is_on_track,
            ),
            models=[ModelCosts.of(each) for each in spending.models],
        )
