"""A service that is killed while it is asked, and whose disk is full for a while."""

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[3] / "benchmarks" / "service_faults.py"


def test_no_answer_is_wrong_and_no_feedback_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    faults = ["killed", "log_full", "disk_full"]
    options = ["--kills", "1", "--seconds", "0.5", "--output", str(tmp_path / "found.json")]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--only", *faults, *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NEXTCALL_CACHE_DIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    for name in faults:
        told = found[name]
        assert (told["wrong"], told["feedback_lost"]) == (0, 0), name
        assert told["feedback"] > 0
        assert told["seconds_until_back"] is not None
    assert found["log_full"]["errors"] == {}
    assert found["log_full"]["lines_told_as_lost"] > 0
    assert found["log_full"]["lines_cut_after"] == 0
    # Nothing is acknowledged that is not kept; predictions need no disk.
    assert found["disk_full"]["errors"].keys() == {"feedback 503"}
