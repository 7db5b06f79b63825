"""Files that are whole or absent, or held by one at a time."""

import hashlib
import os
import stat
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.files import atomic_path, locked, sha256_file


def test_a_file_stands_where_it_was_asked_for_and_nothing_else(tmp_path: Path) -> None:
    wanted = tmp_path / "deep" / "folder" / "model.txt"
    with atomic_path(wanted) as temporary:
        assert temporary.parent == wanted.parent  # one file system, so that moving is one step
        assert temporary.suffix == wanted.suffix  # writers choose the format by it
        temporary.write_text("whole")
        assert not wanted.exists()
    assert wanted.read_text() == "whole"
    assert list(wanted.parent.iterdir()) == [wanted]


def test_the_old_file_stays_when_the_new_one_fails(tmp_path: Path) -> None:
    wanted = tmp_path / "result.json"
    wanted.write_text("old")

    def write_half() -> None:
        with atomic_path(wanted) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError("stopped in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        write_half()
    assert wanted.read_text() == "old"
    assert list(tmp_path.iterdir()) == [wanted]


def test_nothing_is_left_when_a_first_file_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "a.txt"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes of this kind")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_file_has_the_mode_that_open_would_give_it(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        (tmp_path / "plain").write_text("")
        with atomic_path(tmp_path / "atomic") as temporary:
            temporary.write_text("")
        modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "atomic")]
        assert os.umask(mask) == mask  # and the mask is as it was
    finally:
        os.umask(before)
    assert modes[0] == modes[1]


def test_the_mask_of_the_process_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To ask for it is to set it: a file that another thread makes meanwhile is open to all."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "umask", lambda _: pytest.fail("it was set"))
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("whole")
    assert (tmp_path / "a.txt").read_text() == "whole"


@given(content=st.binary(max_size=3000), size=st.sampled_from([1, 1 << 10, 1 << 20]))
def test_a_hash_is_of_all_bytes(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, size: int
) -> None:
    path = tmp_path_factory.mktemp("hash") / "file"
    whole = content * (size // max(len(content), 1) + 1)  # up to over one block
    path.write_bytes(whole)
    assert sha256_file(path) == hashlib.sha256(whole).hexdigest()
    path.unlink()


def test_a_missing_file_has_no_hash(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sha256_file(tmp_path / "absent")


def test_one_at_a_time_is_let_in(tmp_path: Path) -> None:
    path, inside, most = tmp_path / "there" / "lock", list[int](), list[int]()

    def enter(number: int) -> None:
        for _ in range(20):
            with locked(path, seconds=60):
                inside.append(number)
                time.sleep(0.001)  # whoever may, comes in now
                most.append(len(inside))
                inside.remove(number)

    threads = [threading.Thread(target=enter, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 80


def test_whoever_waits_for_a_lock_waits_no_longer_than_it_is_told(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", seconds=0):
        with locked(tmp_path / "other", seconds=0):
            pass
        with (
            pytest.raises(TimeoutError, match=r"^lock must be free within 0\.02 seconds"),
            locked(tmp_path / "lock", seconds=0.02),
        ):
            pass
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock", seconds=0):  # free again
        raise ZeroDivisionError
    with locked(tmp_path / "lock", seconds=0):
        pass
