"""The page on features, read back."""

from pathlib import Path

from nextcall.ranking.feature_table import (
    FEATURE_NAMES,
    FEATURES,
    feature_groups,
    features_markdown,
)


def test_the_page_has_a_row_for_each_feature() -> None:
    page = features_markdown()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) == len(FEATURES)
    for row, feature in zip(rows, FEATURES, strict=True):
        cells = [c.replace("\\|", "|").strip() for c in _cells(row)]
        name, formula, unit, span, known = cells
        assert name == f"`{feature.name}`"
        assert (formula, unit) == (feature.formula, feature.unit)
        low, _, high = span.partition(" to ")
        assert float(low) == feature.low
        assert (float("inf") if high == "any" else float(high)) == feature.high
        assert (known == "not known") == feature.needs_history
    assert page.endswith("|\n")


def _cells(row: str) -> list[str]:
    """Split at bars that are not escaped."""
    marked = row.replace("\\|", "\0").strip("|")
    return [cell.replace("\0", "\\|") for cell in marked.split("|")]


def test_the_page_in_the_documentation_is_this_one() -> None:
    page = Path(__file__).parents[2] / "docs" / "features.md"
    assert page.read_text(encoding="utf-8") == features_markdown(), "run `make features`"


def test_every_feature_is_in_one_group() -> None:
    groups = feature_groups()
    assert [name for group in groups.values() for name in group] == list(FEATURE_NAMES)
    assert all(groups.values())


def test_what_needs_calls_is_of_the_calls_or_of_the_graph() -> None:
    asked = {feature.name for feature in FEATURES if feature.needs_history}
    calls, graph = (set(feature_groups()[name]) for name in ("calls so far", "operation graph"))
    assert asked < calls | graph
    assert asked & graph == {"fed_by_history"}
    assert calls - asked == {"session_length", "time_since_last"}
