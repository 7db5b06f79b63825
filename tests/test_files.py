"""Files that are whole or absent, or held by one at a time."""

import fcntl
import hashlib
import os
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.files import atomic_path, locked, own_folder, remove_abandoned, sha256_file


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


def test_a_folder_is_its_own_and_goes_with_the_block(tmp_path: Path) -> None:
    def use() -> None:
        with own_folder(tmp_path, prefix=".new-") as folder:
            assert folder.parent == tmp_path
            (folder / "file").touch()
            (tmp_path / ".new-file").touch()
            assert remove_abandoned(tmp_path, prefix=".new-") == 0
            assert (folder / "file").exists()
            raise KeyError(folder)

    with pytest.raises(KeyError):
        use()
    assert list(tmp_path.iterdir()) == [tmp_path / ".new-file"]


def test_what_a_process_left_that_was_killed_is_removed(tmp_path: Path) -> None:
    script = """
import os, sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from nextcall.files import own_folder
with own_folder(Path(sys.argv[1]), prefix=sys.argv[2]) as folder:
    (folder / "file").touch()
    os.kill(os.getpid(), 9)
"""
    for prefix in (".new-", ".other-"):
        subprocess.run([sys.executable, "-c", script, str(tmp_path), prefix], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    assert remove_abandoned(tmp_path, prefix=".new-") == 1
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".other-")


def test_nobody_loses_a_folder_while_others_remove_what_is_abandoned(tmp_path: Path) -> None:
    ended, lost = threading.Event(), list[Path]()

    def make() -> None:
        for _ in range(100):
            with own_folder(tmp_path, prefix=".new-") as folder:
                (folder / "file").touch()
                if not (folder / "file").exists():
                    lost.append(folder)

    def remove() -> None:
        while not ended.is_set():
            remove_abandoned(tmp_path, prefix=".new-")

    removing = [threading.Thread(target=remove) for _ in range(2)]
    with ThreadPoolExecutor(3) as making:
        for thread in removing:
            thread.start()
        made = [making.submit(make) for _ in range(3)]
        try:
            for each in made:
                each.result(60)
        finally:
            ended.set()
            for thread in removing:
                thread.join(60)
    assert lost == []
    assert list(tmp_path.iterdir()) == []


def test_who_holds_a_folder_that_was_just_made_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that removes what is abandoned may be stopped as soon as it holds it."""
    with ExitStack() as held:
        taken: list[Path] = []

        def made(**options: Any) -> str:
            folder: str = mkdtemp(**options)
            if not taken:
                taken.append(Path(folder))
                handle = os.open(folder, os.O_RDONLY)
                held.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_EX)
            return folder

        def use() -> None:
            with own_folder(tmp_path, prefix=".new-") as folder:
                own.append(folder)

        own = list[Path]()
        monkeypatch.setattr("nextcall.files.mkdtemp", made)
        using = threading.Thread(target=use, daemon=True)  # one that waits does not end the test
        using.start()
        using.join(60)
        assert len(own) == 1
        assert own != taken
    assert list(tmp_path.iterdir()) == taken
    assert remove_abandoned(tmp_path, prefix=".new-") == 1
