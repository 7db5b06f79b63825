"""Files of lines: put aside, deleted, written by many, and on disks that are full."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from nextcall.files import locked
from nextcall.telemetry.log_file import DAY, LogFile, LogStream

NOW = 1_700_000_000 // DAY * DAY  # the first second of a day

WRITER = """
import json, sys
from pathlib import Path
from nextcall.telemetry.log_file import LogFile

file = LogFile(Path(sys.argv[1]), most_bytes=20_000)
print("ready", flush=True)
sys.stdin.readline()
for number in range(3000):
    line = json.dumps([sys.argv[2], number, "x" * (number % 200)]) + chr(10)
    file.write(line.encode())
assert file.lost == 0
"""

FULL = """
import json, resource, sys
from pathlib import Path
from nextcall.telemetry.log_file import LogFile

hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
file = LogFile(Path(sys.argv[1]))
for number in range(40):
    if number == 5:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    if number == 30:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    file.write(json.dumps([number, "x" * 50]).encode() + b"\\n")
print(file.lost)
"""


def lines(folder: Path) -> list[str]:
    texts = [path.read_text() for path in sorted(folder.glob("*.jsonl"))]
    return [line for text in texts for line in text.splitlines() if line]


def test_many_processes_lose_cut_and_repeat_no_line(
    tmp_path: Path, start_script: Callable[..., "subprocess.Popen[str]"]
) -> None:
    path = tmp_path / "log.jsonl"
    names = [f"writer {number}" for number in range(3)]
    writers = [start_script(WRITER, str(path), name, asked=True) for name in names]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:  # all at once
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    found = Counter((name, number) for name, number, _ in map(json.loads, lines(tmp_path)))
    assert found == Counter((name, number) for name in names for number in range(3000))
    sizes = [file.stat().st_size for file in tmp_path.glob("*.jsonl")]
    assert len(sizes) > 30
    assert max(sizes) < 20_000 + 4 * 300


def test_a_file_is_put_aside_when_it_is_full(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "log.jsonl", most_bytes=10, clock=lambda: NOW)
    for letter in b"abcd":
        file.write(bytes([letter]) * 5 + b"\n")
    file.close()
    names = {path.name: path.read_text() for path in tmp_path.glob("*.jsonl")}
    aside = time.strftime("log-%Y%m%dT%H%M%S", time.gmtime(NOW))
    assert names == {f"{aside}-0.jsonl": "aaaaa\nbbbbb\n", "log.jsonl": "ccccc\nddddd\n"}
    again = LogFile(tmp_path / "log.jsonl", most_bytes=10, clock=lambda: NOW)
    again.write(b"eeeee\n")
    again.write(b"fffff\n")
    again.write(b"ggggg\n")
    again.close()
    assert (tmp_path / f"{aside}-1.jsonl").read_text() == "ccccc\nddddd\n"
    assert (tmp_path / f"{aside}-2.jsonl").read_text() == "eeeee\nfffff\n"
    assert again.lost == 0


def test_a_day_has_a_file_and_the_old_ones_go(tmp_path: Path) -> None:
    now = float(NOW)
    path = tmp_path / "log.jsonl"
    kept = tmp_path / "log-of-somebody-else.jsonl"
    kept.touch()
    os.utime(kept, (0, 0))
    file = LogFile(path, keep_days=3, clock=lambda: now)
    for day in range(6):
        now = NOW + day * DAY
        file.write(b"morning %d\n" % day)
        file.write(b"evening %d\n" % day)
        os.utime(path, (now, now))
    file.close()
    found = [aside.read_text() for aside in sorted(tmp_path.glob("log-2*.jsonl"))]
    assert found == [f"morning {day}\nevening {day}\n" for day in (2, 3, 4)]
    assert path.read_text() == "morning 5\nevening 5\n"
    assert kept.exists()


def test_a_process_that_comes_on_another_day_puts_the_file_aside(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("yesterday\n")
    os.utime(path, (NOW - 1, NOW - 1))
    file = LogFile(path, clock=lambda: float(NOW))
    file.write(b"today\n")
    file.close()
    assert path.read_text() == "today\n"
    assert lines(tmp_path) == ["yesterday", "today"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_lines_to_a_full_device_are_counted_and_nothing_is_raised(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    file = LogFile(tmp_path / "log.jsonl", most_bytes=1)
    for number in range(5):
        file.write(b"line\n")
        assert file.lost == number + 1
    file.close()


def test_what_a_disk_takes_after_it_was_full_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True
    )
    found = lines(tmp_path)
    whole = [json.loads(line)[0] for line in found if line.endswith("]")]
    assert len(found) == len(whole) + 1  # that was cut
    assert whole[:5] == [0, 1, 2, 3, 4]
    assert whole[-10:] == list(range(30, 40))
    assert len(whole) + int(done.stdout) == 40
    assert int(done.stdout) > 10


def test_a_folder_that_goes_costs_lines_until_it_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    file = LogFile(folder / "log.jsonl")
    file.write(b"lost\n")
    folder.mkdir()
    file.write(b"kept\n")
    file.close()
    file.write(b"again\n")
    file.close()
    assert file.lost == 1
    assert lines(folder) == ["kept", "again"]


def test_a_file_that_cannot_be_put_aside_goes_on(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "log.jsonl", most_bytes=5, clock=lambda: NOW)
    file.write(b"first\n")
    blocked = time.strftime("log-%Y%m%dT%H%M%S-0.jsonl", time.gmtime(NOW))
    (tmp_path / "log.jsonl").rename(tmp_path / "elsewhere")
    (tmp_path / "log.jsonl").mkdir()
    file.write(b"lost: the name is a folder's\n")
    assert file.lost == 1
    (tmp_path / "log.jsonl").rmdir()
    file.write(b"second\n")
    file.close()
    assert (tmp_path / "log.jsonl").read_text().split() == ["second"]
    assert not (tmp_path / blocked).exists()


def test_a_process_that_hangs_with_the_lock_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    file = LogFile(path, most_bytes=5, clock=lambda: NOW)
    with locked(tmp_path / ".log.jsonl.lock", seconds=0):
        file.write(b"first\n")
        file.write(b"second\n")
        assert path.read_text() == "first\nsecond\n"
    file.write(b"third\n")
    file.close()
    assert path.read_text() == "third\n"
    assert lines(tmp_path) == ["first", "second", "third"]
    assert file.lost == 0


def test_a_stream_that_nobody_reads_loses_lines() -> None:
    reading, writing = os.pipe()
    stream = LogStream(writing)
    stream.write(b"line\n")
    assert os.read(reading, 100) == b"line\n"
    os.close(reading)
    stream.write(b"line\n")
    stream.close()
    assert stream.lost == 1
    os.close(writing)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"most_bytes": 0}, "most_bytes must be at least 1, got 0."),
        ({"keep_days": 0}, "keep_days must be above 0, got 0."),
    ],
)
def test_limits_are_above_nothing(options: dict[str, int], told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^{told}$"):
        LogFile(tmp_path / "log.jsonl", **options)  # type: ignore[arg-type]  # parametrised
