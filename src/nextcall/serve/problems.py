"""What is wrong with a request: which field, which rule, what came; never a whole prompt."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from reprlib import Repr
from typing import Any, Final, Literal

from pydantic import BaseModel, Field
from starlette.responses import Response

SHOWN_CHARACTERS: Final = 100
"""Characters that an answer repeats of what came."""

_MOST_DETAILS: Final = 20
_RULES: Final[Mapping[str, str]] = {
    "dict_type": "Should be an object",
    "extra_forbidden": "Field is not known",
    "list_type": "Should be a list",
    "model_type": "Should be an object",  # pydantic's own words name our classes
}

_REPR: Final = Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = SHOWN_CHARACTERS
_REPR.maxlevel = 2

Shown = str | int | float | bool | None
"""What came, as an answer repeats it."""


class Detail(BaseModel):
    """One rule that was broken."""

    field: str = Field(description="Where: names and numbers of items with dots; body for all.")
    rule: str
    got: Shown = Field(description="What came, shortened to 100 characters.")


class Problem(BaseModel):
    """Why a request is refused."""

    error: str
    details: list[Detail] = Field(default_factory=list)


class SafetyRefusal(BaseModel):
    """Why the guard refuses a request: places and rules, never what came."""

    error: Literal["Input failed safety validation"] = "Input failed safety validation"
    reasons: list[str] = Field(examples=[["prompt: Should not look like sqli"]])


UNSAFE: Final[dict[str, Any]] = {
    "model": SafetyRefusal,
    "description": "The guard refuses what the request carries: which place, which rule.",
}
"""Status 400 in the description of a route that the guard looks at."""


def problem(error: str, *, field: str, rule: str, got: object) -> Problem:
    """Describe one broken rule."""
    return Problem(error=error, details=[Detail(field=field, rule=rule, got=shown(got))])


def invalid(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """Describe what pydantic found wrong: the first 20 broken rules."""
    details = [
        Detail(
            field=_place(one["loc"]),
            rule=_RULES.get(one["type"], one["msg"]),
            # Where a field is missing, pydantic shows the object around it.
            got=None if one["type"] == "missing" else shown(one["input"]),
        )
        for one in errors[:_MOST_DETAILS]
    ]
    return Problem(error="Request failed validation", details=details)


class RefusedError(Exception):
    """A request that is not answered, and why."""

    def __init__(self, refusal: Problem, *, status: int = HTTPStatus.UNPROCESSABLE_ENTITY) -> None:
        super().__init__(refusal.error)
        self.refusal = refusal
        self.status = status


class UnsafeError(Exception):
    """A request that the guard refuses, and why.

    Parameters
    ----------
    broken : sequence of (str, str)
        Places and rules; the first 20 are told.

    Attributes
    ----------
    refusal : SafetyRefusal
        As it is answered.
    status : int
        400.
    problem : Problem
        The same in the form of other problems, for an item of a batch.
    """

    status: Final = HTTPStatus.BAD_REQUEST

    def __init__(self, broken: Sequence[tuple[str, str]]) -> None:
        told = broken[:_MOST_DETAILS]
        self.refusal = SafetyRefusal(reasons=[f"{place}: {rule}" for place, rule in told])
        super().__init__(self.refusal.error)
        details = [Detail(field=place, rule=rule, got=None) for place, rule in told]
        self.problem = Problem(error=self.refusal.error, details=details)


def json_response(value: BaseModel, *, status: int = HTTPStatus.OK) -> Response:
    """Write a value as JSON; NaN becomes null."""
    return Response(value.model_dump_json(), status_code=status, media_type="application/json")


def method_refusal(method: str, allowed: str) -> Response:
    """Say which methods there are at a path."""
    rule = f"Should be {allowed} at this path"
    refusal = problem("Method not allowed", field="method", rule=rule, got=method)
    response = json_response(refusal, status=HTTPStatus.METHOD_NOT_ALLOWED)
    response.headers["allow"] = allowed
    return response


def internal_error() -> Response:
    """Answer where something went wrong inside: whoever asked learns nothing of it."""
    return json_response(Problem(error="Internal error"), status=HTTPStatus.INTERNAL_SERVER_ERROR)


def shown(value: object) -> Shown:
    """Shorten what came to something that is safe to repeat.

    Examples
    --------
    >>> shown(0), shown("short"), len(shown("long" * 1000))
    (0, 'short', 100)
    >>> shown({"prompt": ["a", "b"]})
    "{'prompt': ['a', 'b']}"
    """
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)) and abs(value) < 1e15:
        return value
    text = value if isinstance(value, str) else _REPR.repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."


def _place(parts: Sequence[int | str]) -> str:
    place: Iterable[str] = (str(shown(str(part))) for part in parts)
    return ".".join(place) or "body"
