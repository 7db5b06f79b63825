"""The memory of this process, by both ways to learn it."""

import resource
import sys
from pathlib import Path

import pytest

from nextcall.serve.process.memory import memory_usage_mb


def test_resident_memory_is_what_the_kernel_says() -> None:
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("this system has no /proc")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    assert memory_usage_mb() == pytest.approx(int(lines["VmRSS"].split()[0]) / 1024, rel=0.05)


@pytest.mark.parametrize("content", [None, "", "one two"])
def test_elsewhere_it_is_the_highest_so_far(tmp_path: Path, content: str | None) -> None:
    statm = tmp_path / "statm"
    if content is not None:
        statm.write_text(content)
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scale = 1024 * 1024 if sys.platform == "darwin" else 1024
    assert memory_usage_mb(statm) == pytest.approx(highest / scale, rel=0.01)
