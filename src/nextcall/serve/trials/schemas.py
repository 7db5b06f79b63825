"""What may be asked of A/B tests over HTTP; the rules of a test are `Definition`'s."""

from typing import Any, Final

from pydantic import ConfigDict, Field, FiniteFloat, JsonValue

from nextcall.abtest.metrics import Direction
from nextcall.serve.schemas import Asked, Whole
from nextcall.trials.definition import Definition, MeanOver, TestType, Variant

_TRIAL: Final[dict[str, Any]] = {
    "test_name": "ranker with history",
    "test_type": "model",
    "variants": [
        {"variant_id": "A", "variant_name": "as it was", "traffic_percentage": 50},
        {
            "variant_id": "B",
            "variant_name": "with history",
            "configuration": {"model": "challenger"},
            "traffic_percentage": 50,
        },
    ],
    "control_variant_id": "A",
    "primary_metric": "taken",
    "min_sample_size": 100,
}


_UNITS: Final[dict[str, JsonValue]] = {"minimum": 2, "maximum": 1_000_000_000}


def _example(value: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [value]})


class VariantAsked(Asked):
    """One variant of a test."""

    variant_id: str
    variant_name: str
    configuration: dict[str, Any] = Field(
        default_factory=dict, description="Any JSON object; handed on to whoever is assigned."
    )
    traffic_percentage: FiniteFloat = Field(
        description="Of all units, to 0.01; those of all variants sum to 100."
    )


class TrialAsked(Asked):
    """A test as it is planned."""

    model_config = _example(_TRIAL)

    test_name: str
    test_type: TestType
    variants: list[VariantAsked] = Field(max_length=100, json_schema_extra={"minItems": 2})
    control_variant_id: str
    primary_metric: str
    min_sample_size: Whole = Field(
        100,
        description="Units with a value, of each variant, before which no winner is named.",
        json_schema_extra=_UNITS,
    )
    planned_sample_size: Whole | None = Field(
        None,
        description="Units of each variant at which the test is to end; ten times min_sample_size "
        "where it is not given.",
        json_schema_extra={"anyOf": [{"type": "integer", **_UNITS}, {"type": "null"}]},
    )
    better: Direction = Field("higher", description="Which way the primary metric is better.")
    mean_over: MeanOver = Field(
        "events",
        description="events: means over recorded values, users as clusters; units: over assigned "
        "users, each with the sum of its values.",
    )
    confidence_level: float = Field(
        0.95,
        description="Of every interval.",
        json_schema_extra={"exclusiveMinimum": 0, "exclusiveMaximum": 1},
    )

    def definition(self) -> Definition:
        """Give the test.

        Raises
        ------
        ValueError
            Where it cannot be.
        """
        fields = {name: getattr(self, name) for name in TrialAsked.model_fields}
        variants = [
            Variant(**{name: getattr(each, name) for name in VariantAsked.model_fields})
            for each in self.variants
        ]
        return Definition(**{**fields, "variants": variants})


class ChangeAsked(TrialAsked):
    """A draft as it is to be, whole."""

    model_config = _example({**_TRIAL, "version": 1})

    version: Whole = Field(
        description="That the caller saw; a test that has changed since is left as it is."
    )


class AssignAsked(Asked):
    """Who is to see a variant."""

    model_config = _example({"user_id": "user-1"})

    user_id: str = Field(description="1 to 256 characters.")


class RecordAsked(Asked):
    """What a user did."""

    model_config = _example(
        {
            "user_id": "user-1",
            "variant_id": "A",
            "metrics": {"taken": True, "seconds": 1.5},
            "event_id": "answer-1",
        }
    )

    user_id: str
    variant_id: str = Field(description="That the user was assigned.")
    metrics: dict[str, bool | FiniteFloat] = Field(description="1 to 32 values, by name.")
    event_id: str | None = Field(
        None,
        description="Of what happened: the same user, metric and event count once, however often "
        "they are sent. Without it each request is an event of its own.",
    )


class StepAsked(Asked):
    """A step in the life of a test."""

    model_config = _example({"version": 1})

    version: Whole | None = Field(
        None, description="That the caller saw; a test that has changed since is left as it is."
    )
