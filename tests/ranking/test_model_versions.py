"""Versions of a model lie side by side, are known by their content, and one is in use."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nextcall.files import own_folder
from nextcall.ranking.model_files import ModelError
from nextcall.ranking.model_versions import (
    KEPT,
    InUse,
    ModelVersions,
    UnreadableModelError,
)


@pytest.fixture
def versions(tmp_path: Path) -> ModelVersions:
    return ModelVersions(tmp_path / "there" / "versions")


def trained(folder: Path, text: str = "trees") -> Path:
    """Write what a training leaves, as far as its versions look at it."""
    (folder / "static-a").mkdir(parents=True, exist_ok=True)
    (folder / "ranker.json").write_text(text)
    (folder / "static-a" / "table.npy").write_bytes(b"\x00\x01")
    return folder


def test_a_version_is_named_after_its_files(versions: ModelVersions, tmp_path: Path) -> None:
    one = versions.publish(trained(tmp_path / "a"))
    assert versions.publish(trained(tmp_path / "b")) == one
    other = versions.publish(trained(tmp_path / "c", "others"))
    assert one != other
    assert set(versions.names()) == {one, other}
    folder = versions.verify(one)
    assert (folder / "static-a" / "table.npy").read_bytes() == b"\x00\x01"
    assert {each.name for each in versions.folder.iterdir()} == {one, other, "lock"}


@pytest.mark.parametrize("fault", ["changed", "missing", "added", "manifest", "renamed", "listed"])
def test_a_damaged_version_is_found(versions: ModelVersions, tmp_path: Path, fault: str) -> None:
    version = versions.publish(trained(tmp_path / "a"))
    folder = versions.path(version)
    if fault == "changed":
        (folder / "static-a" / "table.npy").write_bytes(b"\x00\x00")
    elif fault == "missing":
        (folder / "ranker.json").unlink()
    elif fault == "added":
        (folder / "abstention.json").write_text("{}")
    elif fault == "manifest":
        (folder / "manifest.json").write_text("{}")
    elif fault == "renamed":
        version = "0" * 16
        folder.rename(versions.path(version))
    else:
        (folder / "manifest.json").write_text('{"files": []}')
    with pytest.raises(ModelError, match=f"^{version}"):
        versions.verify(version)


def test_a_damaged_version_is_mended_by_the_same_model(
    versions: ModelVersions, tmp_path: Path
) -> None:
    version = versions.publish(trained(tmp_path / "a"))
    (versions.path(version) / "ranker.json").write_text("")
    assert versions.publish(tmp_path / "a") == version
    versions.verify(version)


def test_a_version_that_cannot_be_mended_stays_as_it_is(
    versions: ModelVersions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = versions.publish(trained(tmp_path / "a"))
    (versions.path(version) / "ranker.json").write_text("damaged")
    right = Path.replace

    def full(path: Path, target: Path) -> Path:
        if path.name == version:
            raise OSError(28, "No space left on device")
        return right(path, target)

    with monkeypatch.context() as changed:
        changed.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            versions.publish(tmp_path / "a")
    assert (versions.path(version) / "ranker.json").read_text() == "damaged"


class Late(ModelVersions):
    """Versions that cannot be read when they are looked at for the first times."""

    looks = 2

    def verify(self, version: str) -> Path:
        self.looks -= 1
        if self.looks >= 0:
            raise UnreadableModelError(f"{version}: cannot be read.")
        return super().verify(version)


def test_the_only_copy_stays_where_it_cannot_be_read_yet(tmp_path: Path) -> None:
    version = Late(tmp_path / "versions").publish(trained(tmp_path / "a"))
    ModelVersions(tmp_path / "versions").verify(version)


def test_a_version_that_is_there_is_not_removed_while_it_is_published_again(
    versions: ModelVersions, tmp_path: Path
) -> None:
    version = versions.publish(trained(tmp_path / "a"))
    again = threading.Thread(target=versions.publish, args=(tmp_path / "a",))
    with versions.changing():
        again.start()
        again.join(0.5)
        assert again.is_alive()
        shutil.rmtree(versions.path(version))  # as who puts another into use does
    again.join()
    versions.verify(version)


class Stale(ModelVersions):
    """Versions that cannot be listed."""

    def names(self) -> list[str]:
        raise OSError(116, "Stale file handle")


def test_a_version_is_in_use_although_old_ones_cannot_be_removed(tmp_path: Path) -> None:
    versions = Stale(tmp_path / "versions")
    chosen = InUse(current=versions.publish(trained(tmp_path / "a")), before=(None,))
    versions.use(chosen)
    assert versions.in_use() == chosen


def test_one_is_in_use_and_the_way_back_is_known(versions: ModelVersions, tmp_path: Path) -> None:
    assert versions.in_use() == InUse()
    assert versions.names() == []
    one = versions.publish(trained(tmp_path / "a"))
    two = versions.publish(trained(tmp_path / "b", "others"))
    versions.use(versions.in_use().to(one))
    versions.use(versions.in_use().to(two))
    assert versions.in_use().order() == (two, one, None)
    versions.use(versions.in_use().back())
    versions.use(versions.in_use().back())
    assert versions.in_use() == InUse()
    with pytest.raises(ValueError, match=r"^There is no model before the one in use\.$"):
        versions.in_use().back()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"current": null}',
        '{"current": "../a", "before": []}',
        '{"current": null, "before": ["xxxxxxxxxxxxxxxx"]}',
    ],
)
def test_a_damaged_pointer_is_told(versions: ModelVersions, text: str) -> None:
    versions.use(InUse())
    (versions.folder / "current.json").write_text(text)
    with pytest.raises(ModelError, match=r"^current\.json: "):
        versions.in_use()


def test_old_versions_go_but_those_in_use_stay(versions: ModelVersions, tmp_path: Path) -> None:
    names = []
    for number in range(KEPT + 3):
        name = versions.publish(trained(tmp_path / "a", f"{number}"))
        os.utime(versions.path(name), (number, number))
        names.append(name)
    versions.use(InUse(current=names[0], before=(None, names[1])))
    assert versions.names() == [*reversed(names[3:]), names[1], names[0]]


def test_a_refusal_is_told_until_another_model_is_in_use(
    versions: ModelVersions, tmp_path: Path
) -> None:
    assert versions.refused() is None
    versions.refuse("It is worse.")
    versions.refuse("It is torn.")
    assert ModelVersions(versions.folder).refused() == "It is torn."
    assert versions.names() == []
    versions.use(InUse(current=versions.publish(trained(tmp_path / "a")), before=(None,)))
    assert versions.refused() is None
    versions.refuse("It is worse.")
    versions.use(versions.in_use().back())
    assert versions.refused() is None


def test_whoever_reads_finds_one_or_the_other(versions: ModelVersions) -> None:
    one, two = InUse(current="a" * 16), InUse(current="b" * 16, before=(None,))
    versions.use(one)
    seen, ended = set[InUse](), threading.Event()

    def read() -> None:
        while not ended.is_set():
            seen.add(versions.in_use())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        versions.use(two)
        versions.use(one)
    ended.set()
    reader.join()
    assert seen <= {one, two}


def test_what_was_left_by_who_was_killed_goes_and_what_is_being_copied_stays(
    versions: ModelVersions, tmp_path: Path
) -> None:
    versions.clear()  # there is no folder yet
    one = versions.publish(trained(tmp_path / "a"))
    script = """
import os, shutil, sys
from pathlib import Path
from nextcall.ranking.model_versions import ModelVersions
shutil.copytree = lambda *_: os.kill(os.getpid(), 9)  # in the middle
ModelVersions(Path(sys.argv[1])).publish(Path(sys.argv[2]))
"""
    other = trained(tmp_path / "b", "others")
    killed = subprocess.run(
        [sys.executable, "-c", script, str(versions.folder), str(other)], check=False
    )
    assert killed.returncode == -9
    assert len(list(versions.folder.iterdir())) == 2
    with own_folder(versions.folder, prefix=".new-") as copying:
        versions.clear()
        assert set(versions.folder.iterdir()) == {versions.path(one), copying}
    assert versions.names() == [one]
