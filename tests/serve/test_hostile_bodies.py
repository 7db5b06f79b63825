"""Five hundred bodies of nobody who means well, sent to a service of its own process."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "hostile_bodies.py"


def test_each_is_refused_and_the_service_answers_on(tmp_path: Path) -> None:
    options = ["--bodies", "500", "--seconds", "1", "--output", str(tmp_path / "found.json")]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["faults"] == []
    kinds = found["answers"]
    assert sum(sum(statuses.values()) for statuses in kinds.values()) == 500
    assert all(kinds.values())
    assert "413" in kinds["10 MB and a byte"]
    assert kinds["a byte a second, or none"].keys() == {"404", "408"}
    # Four bodies of 10 MB are parsed at once, each into some 25 times as much.
    assert found["memory_mb_at_most"] - found["memory_mb_before"] < 1200
