"""A test that cannot be is refused, with the field, the rule and what came."""

import re
from typing import Any

import pytest

from nextcall.trials.definition import Definition, Variant


def variant(name: str, share: float = 50, **more: Any) -> Variant:
    return Variant(variant_id=name, variant_name=f"The {name}", traffic_percentage=share, **more)


def definition(**changed: Any) -> Definition:
    given: dict[str, Any] = {
        "test_name": "ranker",
        "test_type": "model",
        "variants": [variant("A"), variant("B")],
        "control_variant_id": "A",
        "primary_metric": "taken",
    }
    return Definition(**{**given, **changed})


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"test_name": " "}, "test_name must hold more than white space, got ' '."),
        ({"test_name": "x" * 257}, "test_name must have at most 256 characters, got 257."),
        ({"primary_metric": "a\0"}, "primary_metric must be text without NUL"),
        ({"primary_metric": "\ud800"}, "primary_metric must be text without NUL"),
        ({"test_type": "colour"}, "test_type must be one of ['workflow', 'prompt', 'model'"),
        ({"mean_over": "days"}, "mean_over must be one of ['events', 'units'], got 'days'."),
        ({"better": "up"}, "better must be one of"),
        ({"min_sample_size": 1}, "min_sample_size must be at least 2, got 1."),
        ({"min_sample_size": True}, "min_sample_size must be at least 2, got True."),
        (
            {"min_sample_size": 10**9 + 1},
            "min_sample_size must be at most 1000000000, got 10000000",
        ),
        ({"planned_sample_size": 10**400}, "planned_sample_size must be at most 1000000000, got 1"),
        ({"planned_sample_size": 99}, "planned_sample_size must be at least 100, got 99."),
        ({"confidence_level": 1.0}, "confidence_level must lie between 0 and 1, got 1.0."),
        ({"confidence_level": 1e-300}, "confidence_level must lie between 0 and 1, got 1e-300."),
        ({"control_variant_id": "C"}, "control_variant_id must be one of ['A', 'B'], got 'C'."),
        ({"variants": [variant("A", 100)]}, "variants must be 2 to 100, got 1."),
        (
            {"variants": [variant("A"), variant("B", 49)]},
            "traffic_percentage of all variants must sum to 100, got 99.",
        ),
        (
            {"variants": [variant("A", 100), variant("B", 0)]},
            "traffic_percentage of 'B' must be above 0, got 0.",
        ),
        (
            {"variants": [variant("A"), variant("B", float("nan"))]},
            "traffic_percentage of 'B' must be above 0, got nan.",
        ),
        (
            {"variants": [variant("A", 33.333), variant("B", 66.667)]},
            "share of 'A' must be a multiple of 0.01, got 33.333.",
        ),
        (
            {"variants": [variant("A"), variant("A")]},
            "each variant must have a variant_id of its own, got 'A' twice.",
        ),
        (
            {
                "variants": [
                    Variant(variant_id=each, variant_name="same", traffic_percentage=50)
                    for each in "AB"
                ]
            },
            "each variant must have a variant_name of its own, got 'same' twice.",
        ),
        (
            {"variants": [variant("A"), variant("B", configuration={"x": float("inf")})]},
            "configuration of 'B' must be what JSON can hold",
        ),
        (
            {"variants": [variant("A"), variant("B", configuration={"x": object()})]},
            "configuration of 'B' must be what JSON can hold",
        ),
        (
            {"variants": [variant("A"), variant("B", configuration={"x": "y" * 70_000})]},
            "configuration of 'B' must have at most 65536 characters",
        ),
        (
            {"variants": [variant("A"), variant("B", configuration={"x": "\0"})]},
            "characters of JSON and no NUL",
        ),
    ],
)
def test_what_cannot_be_is_refused(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        definition(**changed)


def test_thirds_to_a_hundredth_make_a_whole() -> None:
    shares = {"A": 33.33, "B": 33.33, "C": 33.34}
    thirds = definition(variants=[variant(name, share) for name, share in shares.items()])
    assert thirds.shares == thirds.allocation().shares == shares


def test_a_definition_comes_back_from_plain_data() -> None:
    whole = definition(variants=[variant("A", configuration={"k": [1, None]}), variant("B")])
    assert Definition.from_dict(whole.to_dict()) == whole
    assert (whole.planned_units, definition(planned_sample_size=500).planned_units) == (1000, 500)
    assert whole.alpha == pytest.approx(0.05)
