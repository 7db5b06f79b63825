"""What may be asked over HTTP, and its rules."""

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPMethod
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    JsonValue,
    Strict,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

_MOST_FIELDS: Final = 32  # of one object: bounds how many unknown ones an answer must list
_LONGEST_CALL: Final = 2048
_UNIX: Final[JsonValue] = {  # milliseconds of the years 1 to 9999
    "type": "number",
    "minimum": -62_135_596_800_000,
    "maximum": 253_402_300_799_999,
}
_NOT_BLANK: Final = r"[^\s\x1c-\x1f\x85]"  # white space to Python, as the rest is to all
_NULL: Final[JsonValue] = {"type": "null"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one request may ask; the context that requests are validated in."""

    prompt_characters: int = 4096
    history: int = 10_000
    """Calls that a history may hold; more than are used."""
    predictions: int = 20
    default_predictions: int = 3


def _limits(info: ValidationInfo) -> Limits:
    return info.context if isinstance(info.context, Limits) else Limits()


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "String should hold more than white space")
    return text


def _a_prompt(text: str, info: ValidationInfo) -> str:
    _not_blank(text)
    most = _limits(info).prompt_characters
    if len(text) > most:
        rule = "String should have at most {most} characters"
        raise PydanticCustomError("string_too_long", rule, {"most": most})
    return text


def _few_calls(value: object, info: ValidationInfo) -> object:
    most = _limits(info).history  # counted before any call is looked at
    if isinstance(value, list) and len(value) > most:
        raise PydanticCustomError(
            "too_long", "List should have at most {most} items", {"most": most}
        )
    return value


def _few_predictions(number: int, info: ValidationInfo) -> int:
    most = _limits(info).predictions
    if number > most:
        rule = "Input should be less than or equal to {most}"
        raise PydanticCustomError("less_than_equal", rule, {"most": most})
    return number


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
"""A whole number; to JSON 3.0 is one."""


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        return time.replace(tzinfo=UTC)
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        rule = "Datetime should lie in the years 1 to 9999 of UTC"
        raise PydanticCustomError("datetime_range", rule) from error


def _of_few_fields(value: object) -> object:
    if isinstance(value, dict) and len(value) > _MOST_FIELDS:
        rule = "Object should have at most {most} fields"
        raise PydanticCustomError("too_many_fields", rule, {"most": _MOST_FIELDS})
    return value


class Asked(BaseModel):
    """Whatever is asked: strict, and nothing that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _as_it_came(cls, value: object) -> object:
        return _of_few_fields(value)


class HistoryEvent(Asked):
    """A call that was made before."""

    api_call: Annotated[str, AfterValidator(_not_blank)] = Field(
        max_length=_LONGEST_CALL,
        description='Operation id, "METHOD /path", path template, or a path as it was requested.',
        json_schema_extra={"minLength": 1, "pattern": _NOT_BLANK},
        examples=["s3:CreateBucket", "GET /users/{id}", "/api/users/123"],
    )
    method: Annotated[HTTPMethod, Strict(strict=False), BeforeValidator(_upper)] | None = Field(
        None, description="HTTP method of a path that names none."
    )
    timestamp: Annotated[datetime, Strict(strict=False), AfterValidator(_utc)] | None = Field(
        None,
        description="When it was made: ISO 8601, in UTC where no offset is given, or Unix seconds "
        "(beyond 2e10, milliseconds).",
        json_schema_extra={"anyOf": [{"type": "string", "format": "date-time"}, _UNIX, _NULL]},
    )


class PromptAsked(Asked):
    """A prompt and the calls so far."""

    prompt: Annotated[str, AfterValidator(_a_prompt)] = Field(
        description="What is wanted, in words.",
        examples=["create a bucket for the backups"],
        json_schema_extra={
            "minLength": 1,
            "maxLength": Limits().prompt_characters,
            "pattern": _NOT_BLANK,
        },
    )
    history: Annotated[list[HistoryEvent], FailFast(), BeforeValidator(_few_calls)] = Field(
        default_factory=list,
        description="Calls made before, oldest first; the newest 100 are used.",
    )


class PredictRequest(PromptAsked):
    """A prompt and the calls so far."""

    max_predictions: Annotated[Whole, AfterValidator(_few_predictions)] = Field(
        ge=1, json_schema_extra={"maximum": 20, "default": 3}
    )
    temperature: float = Field(
        0.7, ge=0, le=1, allow_inf_nan=False, description="Reaches a language model only."
    )

    @model_validator(mode="before")
    @classmethod
    def _as_it_came(
        cls, value: object, info: ValidationInfo
    ) -> object:  # in the place of the other
        value = _of_few_fields(value)
        if isinstance(value, dict):
            return {"max_predictions": _limits(info).default_predictions, **value}
        return value
