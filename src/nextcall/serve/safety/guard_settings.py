"""What the service is told of its guard: which checks run, and what becomes of what they find."""

from collections.abc import Mapping
from json import JSONDecodeError, loads
from typing import Annotated, Final

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode

from nextcall.guard.content import ContentCheck
from nextcall.guard.guard import THRESHOLD, Policy
from nextcall.guard.pii import PiiPolicy

DEFAULT_POLICIES: Final[Mapping[str, Policy]] = {
    "/predict": "block",
    "/predict/batch": "block",
    "/api/run": "block",
    "/api/ab-testing/tests": "flag",
    "/api/ab-testing/tests/{test_id}": "flag",
}
"""Routes whose requests are checked, by their templates, and what becomes of an attack there."""

_POLICIES: Final = ("observe", "flag", "block")


def _policies(value: object) -> object:
    """Read policies and put them over the defaults."""
    given = _json(value, 'an object such as {"/predict": "flag"}')
    if not isinstance(given, Mapping):
        raise ValueError('must be an object such as {"/predict": "flag"}')  # noqa: TRY004  # pydantic's way
    if unknown := sorted(set(given) - set(DEFAULT_POLICIES)):
        raise ValueError(f"must name routes of {list(DEFAULT_POLICIES)}, {unknown} are none")
    if wrong := sorted(route for route, policy in given.items() if policy not in _POLICIES):
        raise ValueError(f"must say observe, flag or block of a route, says otherwise of {wrong}")
    return {**DEFAULT_POLICIES, **given}


def _patterns(value: object) -> object:
    """Read patterns, and see whether each can be used."""
    given = _json(value, r'a list of regular expressions such as ["project\\s+x"]')
    if isinstance(given, list | tuple) and all(isinstance(one, str) for one in given):
        ContentCheck(blocked=given)
        return tuple(given)
    raise ValueError(r'must be a list of regular expressions such as ["project\\s+x"]')


def _json(value: object, form: str) -> object:
    if not isinstance(value, str):
        return value
    try:
        return loads(value)
    except JSONDecodeError as error:
        raise ValueError(f"must be JSON, {form}: {error}") from None


class GuardSettings(BaseSettings):
    """Every setting of the guard; a part of `Settings`."""

    guard_enabled: bool = Field(
        default=True, description="whether requests and answers are checked at all"
    )
    guard_attacks_enabled: bool = Field(
        default=True, description="whether texts are judged as attacks"
    )
    guard_pii_enabled: bool = Field(
        default=True, description="whether personal data and secrets are looked for"
    )
    guard_content_enabled: bool = Field(
        default=True, description="whether swear words and blocked patterns are looked for"
    )
    guard_output_enabled: bool = Field(
        default=True, description="whether answers are filtered before they leave"
    )
    guard_threshold: float = Field(
        THRESHOLD,
        gt=0,
        lt=1,
        allow_inf_nan=False,
        description="risk from which a text is taken for an attack",
    )
    guard_policies: Annotated[Mapping[str, Policy], NoDecode, BeforeValidator(_policies)] = Field(
        DEFAULT_POLICIES,
        description="what becomes of an attack, by route, as JSON: observe (counted), flag "
        "(answered with a mark) or block (status 400); a route that is not named keeps its default",
    )
    pii_policy: PiiPolicy = Field(
        "redact",
        description="what becomes of personal data: redact (masked before anything is logged, kept "
        "or sent on), block (status 400) or allow (nothing)",
    )
    swear_words_from: int = Field(
        2, ge=1, description="swear words from which a text is treated by content_policy"
    )
    content_policy: Policy = Field(
        "flag", description="what becomes of a text with swear words: observe, flag or block"
    )
    blocked_patterns: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_patterns)] = Field(
        (),
        description="regular expressions, in any case, as a JSON list; a text with one is refused",
    )
