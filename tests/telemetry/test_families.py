"""The table of metrics."""

import re

import pytest

from nextcall.telemetry.families import FAMILIES, HTTP_SECONDS, Family


def test_names_follow_the_rules_of_prometheus() -> None:
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)
    for family in FAMILIES:
        assert re.fullmatch(r"[a-z][a-z_]*", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter")
        assert all(re.fullmatch(r"[a-z]+", label) for label in family.labels)


def test_the_limits_of_the_service_level_are_edges_of_buckets() -> None:
    assert {0.05, 0.1, 0.5, 0.8, 1.5, 30.0} <= set(HTTP_SECONDS.bounds)


def test_only_gauges_are_more_than_summed() -> None:
    with pytest.raises(ValueError, match=r"^over must be 'sum' in the counter any, got most\.$"):
        Family(name="any", kind="counter", told="Any.", over="most")


@pytest.mark.parametrize(
    ("kind", "bounds"), [("histogram", ()), ("histogram", (2.0, 1.0)), ("counter", (1.0,))]
)
def test_bounds_belong_to_histograms(kind: str, bounds: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"^bounds must rise in a histogram, .* for the .* any\.$"):
        Family(name="any", kind=kind, told="Any.", bounds=bounds)  # type: ignore[arg-type]  # parametrised
