"""A run whose figures are known."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

import pytest

from nextcall.performance.figures import Figures, Samples
from nextcall.performance.promises import judged_parts
from nextcall.performance.run import PerformanceRun
from nextcall.telemetry.service_level import ServiceLevelTargets

MakeRun: TypeAlias = Callable[..., PerformanceRun]


@pytest.fixture
def make_run() -> MakeRun:
    """Give what makes a run whose parts all took the same."""

    def make(milliseconds: float = 10.0, *, errors: int = 0, version: str = "1") -> PerformanceRun:
        spread = [milliseconds * (0.9 + 0.01 * place) / 1000 for place in range(21)]
        figures = Figures.of(Samples(seconds=spread, errors=errors, elapsed=sum(spread)))
        parts = dict.fromkeys(("guard", "ranking", "prediction", "kept"), figures)
        return PerformanceRun(
            at=datetime(2026, 5, 1, tzinfo=UTC),
            source="cli",
            version=version,
            model_version=None,
            users=20,
            parts=parts,
            promises=judged_parts(parts, ServiceLevelTargets(), memory_bytes=2e8),
        )

    return make
