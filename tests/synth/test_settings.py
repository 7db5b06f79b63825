from datetime import UTC, datetime
from typing import Any

import pytest

from nextcall.synth import SimulationSettings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": datetime(2026, 1, 5)}, "start must be a full hour with a time zone"),  # noqa: DTZ001  # the error
        ({"start": datetime(2026, 1, 5, 0, 30, tzinfo=UTC)}, "start must be a full hour"),
        ({"days": 0}, "days must be at least 1, got 0"),
        ({"max_calls": 0}, "max_calls must be at least 1, got 0"),
        ({"repeat": 1.5}, r"repeat must be in \[0, 1\], got 1.5"),
        ({"session_goal": -1}, r"session_goal must be in \[0, 1\], got -1"),
        ({"drift": 2}, r"drift must be in \[0, 1\], got 2"),
        ({"zipf": -1}, "zipf must be at least 0, got -1"),
        ({"drift_day": 30}, r"drift_day must be between 0 and days \(30\), got 30"),
        ({"drift_day": 0}, r"drift_day must be between 0 and days \(30\), got 0"),
    ],
)
def test_knobs_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SimulationSettings(**settings)
