"""What a test is: its variants and their traffic, what is measured, how it will be read."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import isfinite
from operator import index
from typing import Any, Final, Literal, get_args

from nextcall.abtest.allocation import Allocation, allocate
from nextcall.abtest.metrics import Direction, check_direction

TestType = Literal["workflow", "prompt", "model", "routing"]
"""What the variants are variants of."""

MeanOver = Literal["events", "units"]
"""What a metric's mean is over: recorded events, with units as clusters; or the units that were
assigned, each with the sum of its events, 0 where it has none."""

TEST_TYPES: Final[tuple[TestType, ...]] = get_args(TestType)
_MEANS: Final[tuple[MeanOver, ...]] = get_args(MeanOver)
_LONGEST_ID: Final = 128
_LONGEST_NAME: Final = 256
_MOST_VARIANTS: Final = 100
_MOST_UNITS: Final = 10**9
_LARGEST_CONFIGURATION: Final = 65_536  # characters of JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way of doing what the test is about.

    Parameters
    ----------
    variant_id, variant_name : str
    traffic_percentage : float
        Of all units, to 0.01, above 0.
    configuration : mapping
        Whatever JSON can hold; the test hands it on and never reads it.
    """

    variant_id: str
    variant_name: str
    traffic_percentage: float
    configuration: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A test as it is planned.

    Parameters
    ----------
    test_name : str
    test_type : {"workflow", "prompt", "model", "routing"}
    variants : sequence of Variant
        At least two, whose percentages sum to 100.
    control_variant_id : str
        That of one of them.
    primary_metric : str
        Makes the verdict.
    min_sample_size : int
        Units with a value, of each variant, before which no winner is named; 2 to a thousand
        million.
    planned_sample_size : int, optional
        Units of each variant at which the test is to end: intervals are narrowest there. Ten times
        `min_sample_size` where it is not given.
    better : {"higher", "lower"}
        Of the primary metric.
    mean_over : {"events", "units"}
    confidence_level : float
        Of intervals, between 0 and 1.

    Raises
    ------
    ValueError
        Where one breaks its rule.

    Examples
    --------
    >>> halves = [
    ...     Variant(variant_id=each, variant_name=each, traffic_percentage=50) for each in "AB"
    ... ]
    >>> plan = Definition(
    ...     test_name="ranker", test_type="model", variants=halves, control_variant_id="A",
    ...     primary_metric="taken",
    ... )
    >>> plan.planned_units, Definition.from_dict(plan.to_dict()) == plan
    (1000, True)
    """

    test_name: str
    test_type: TestType
    variants: Sequence[Variant]
    control_variant_id: str
    primary_metric: str
    min_sample_size: int = 100
    planned_sample_size: int | None = None
    better: Direction = "higher"
    mean_over: MeanOver = "events"
    confidence_level: float = 0.95

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        object.__setattr__(self, "variants", tuple(self.variants))
        check_text("test_name", self.test_name, most=_LONGEST_NAME)
        check_text("primary_metric", self.primary_metric)
        _check_choice("test_type", self.test_type, TEST_TYPES)
        _check_choice("mean_over", self.mean_over, _MEANS)
        check_direction(self.better)
        _check_count("min_sample_size", self.min_sample_size, least=2)
        if self.planned_sample_size is not None:
            _check_count(
                "planned_sample_size", self.planned_sample_size, least=self.min_sample_size
            )
        if not 0 < self.alpha < 1:  # next to 0, that is 1 already
            raise ValueError(
                f"confidence_level must lie between 0 and 1, got {self.confidence_level}."
            )
        _check_variants(self.variants)
        ids = [each.variant_id for each in self.variants]
        if self.control_variant_id not in ids:
            raise ValueError(
                f"control_variant_id must be one of {ids}, got {self.control_variant_id!r}."
            )

    @property
    def planned_units(self) -> int:
        """Units of each variant at which the test is to end."""
        return self.planned_sample_size or 10 * self.min_sample_size

    @property
    def alpha(self) -> float:
        """Level of significance: what is left of the confidence level."""
        return 1 - self.confidence_level

    @property
    def shares(self) -> dict[str, float]:
        """Percentage of each variant, by its id."""
        return {each.variant_id: each.traffic_percentage for each in self.variants}

    def allocation(self) -> Allocation:
        """Give each variant its buckets."""
        return allocate(self.shares)

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as plain data, for JSON."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        found["variants"] = [
            {each.name: getattr(variant, each.name) for each in fields(variant)}
            for variant in self.variants
        ]
        return found

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "Definition":
        """Read what `to_dict` gave."""
        variants = [Variant(**each) for each in state["variants"]]
        return cls(**{**state, "variants": variants})


def check_text(name: str, value: str, *, most: int = _LONGEST_ID) -> str:
    """Give a text back that both databases can keep as it is.

    Raises
    ------
    ValueError
        Where it is blank, too long, or holds what no UTF-8 text of a database can.
    """
    if not value.strip():
        raise ValueError(f"{name} must hold more than white space, got {value!r}.")
    if len(value) > most:
        raise ValueError(f"{name} must have at most {most} characters, got {len(value)}.")
    if "\0" in value or not _has_utf8(value):
        raise ValueError(f"{name} must be text without NUL and lone surrogates, got {value!r}.")
    return value


def _has_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {list(choices)}, got {value!r}.")


def _check_count(name: str, value: int, *, least: int) -> None:
    if isinstance(value, bool) or index(value) < least:
        raise ValueError(f"{name} must be at least {least}, got {str(value)[:30]}.")
    if value > _MOST_UNITS:
        raise ValueError(f"{name} must be at most {_MOST_UNITS}, got {str(value)[:30]}.")


def _check_variants(variants: Sequence[Variant]) -> None:
    if not 2 <= len(variants) <= _MOST_VARIANTS:
        raise ValueError(f"variants must be 2 to {_MOST_VARIANTS}, got {len(variants)}.")
    for each in variants:
        check_text("variant_id", each.variant_id)
        check_text("variant_name", each.variant_name, most=_LONGEST_NAME)
        _check_configuration(each)
    for name in ("variant_id", "variant_name"):
        counts = Counter(getattr(each, name) for each in variants)
        repeated = [value for value, n in counts.items() if n > 1]
        if repeated:
            raise ValueError(
                f"each variant must have a {name} of its own, got {repeated[0]!r} twice."
            )
    for each in variants:
        share = each.traffic_percentage
        if not (isfinite(share) and share > 0):
            raise ValueError(
                f"traffic_percentage of {each.variant_id!r} must be above 0, got {share}."
            )
    total = sum(each.traffic_percentage for each in variants)
    if abs(total - 100) > 1e-6:
        raise ValueError(f"traffic_percentage of all variants must sum to 100, got {total:.6g}.")
    allocate({each.variant_id: each.traffic_percentage for each in variants})  # multiples of 0.01


def _check_configuration(variant: Variant) -> None:
    try:
        text = json.dumps(variant.configuration, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"configuration of {variant.variant_id!r} must be what JSON can hold: {error}."
        ) from error
    if len(text) > _LARGEST_CONFIGURATION or "\\u0000" in text:
        raise ValueError(
            f"configuration of {variant.variant_id!r} must have at most {_LARGEST_CONFIGURATION} "
            f"characters of JSON and no NUL, got {len(text)}."
        )
