"""What the page says of the metrics, held against their table."""

import re
from pathlib import Path

from nextcall.telemetry.families import FAMILIES
from nextcall.telemetry.service_level import ServiceLevelTargets

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()


def test_the_page_names_every_metric_with_its_labels() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (counter|gauge|histogram) \| ([\w, ]*)\|$", PAGE, re.MULTILINE
    )
    named = [(name, kind, labels.strip()) for name, kind, labels in rows]
    assert named == [(each.name, each.kind, ", ".join(each.labels)) for each in FAMILIES]


def test_the_page_names_the_limits_that_hold() -> None:
    told = ServiceLevelTargets()
    for text in (
        f"LLM, p95 | {told.llm_seconds * 1000:.0f} ms",
        f"ranking, p95 | {told.ranking_seconds * 1000:.0f} ms",
        f"{told.prediction_p50_seconds * 1000:.0f} and ",
        f"and {told.prediction_p95_seconds * 1000:,.0f} ms",
        f"answers of a cache, p95 | {told.cache_hit_seconds * 1000:.0f} ms",
        f"at least {told.hit_rate:.0%}".replace("%", " %"),
        f"at most {told.error_rate:.0%}".replace("%", " %"),
        f"memory | {told.memory_bytes / 1e9:.0f} GB",
        f"longest prediction | {told.deadline_seconds:.0f} s",
        f"fewer than {told.least_count} requests",
    ):
        assert text in PAGE
