from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from matplotlib.figure import Figure


def _draw(figure: Figure) -> Any:
    """Draw for real, so that warnings of matplotlib fail the test."""
    file = BytesIO()
    figure.savefig(file, format="png")
    assert 2_000 < len(file.getvalue()) < 300_000
    return figure


@pytest.fixture
def draw() -> Callable[[Figure], Any]:
    return _draw
