"""What a process tells of its progress is whole whenever it is read, and not told too often."""

import threading
from itertools import count
from pathlib import Path

import pytest

from nextcall.jobs.progress_file import ProgressFile, read_stage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "progress.json"


def told(path: Path) -> tuple[str, int, int | None]:
    stage = read_stage(path)
    assert stage is not None
    return stage.name, stage.done, stage.total


def test_each_step_is_told_where_there_is_time(path: Path) -> None:
    ticks = count(0, 10)
    progress = ProgressFile(path, clock=lambda: float(next(ticks)))
    seen = [told(path) for _ in progress(range(3), description="Embedding")]
    assert seen == [("Embedding", done, 3) for done in range(3)]
    assert told(path) == ("Embedding", 3, 3)


def test_a_quick_loop_writes_at_its_begin_and_its_end(path: Path) -> None:
    progress = ProgressFile(path, clock=lambda: 0.0)
    seen = [told(path) for _ in progress(range(1000), description="Adding")]
    assert set(seen) == {("Adding", 0, 1000)}
    assert told(path) == ("Adding", 1000, 1000)


def test_a_length_that_nobody_knows_is_none(path: Path) -> None:
    list(ProgressFile(path)((each for each in "ab"), description="Reading"))
    assert told(path) == ("Reading", 2, None)
    list(ProgressFile(path)((each for each in "ab"), description="Reading", total=2))
    assert told(path) == ("Reading", 2, 2)


def test_who_reads_never_finds_a_half(path: Path) -> None:
    progress = ProgressFile(path, seconds=0.0)
    list(progress(range(1), description="x"))
    halves, ended = [], threading.Event()

    def read() -> None:
        while not ended.is_set():
            if read_stage(path) is None:
                halves.append(1)

    reader = threading.Thread(target=read)
    reader.start()
    list(progress(range(300), description="x" * 500))
    ended.set()
    reader.join()
    assert halves == []


@pytest.mark.parametrize("text", ["", "[]", "null", '{"name": "a"}', '{"name": 1, "done": "x"}'])
def test_anything_else_is_no_stage(path: Path, text: str) -> None:
    assert read_stage(path) is None
    path.parent.mkdir()
    path.write_text(text)
    assert read_stage(path) is None
