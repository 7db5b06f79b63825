"""Where things lie when a command is not told."""

import sys
from pathlib import Path

import pytest

from nextcall.locations import (
    cache_dir,
    data_dir,
    demo_catalog,
    model_for,
    packaged_model,
    shared_dir,
)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A home of its own and none of the variables."""
    for name in (
        "NEXTCALL_CACHE_DIR",
        "NEXTCALL_DATA_DIR",
        "NEXTCALL_SHARED",
        "XDG_CACHE_HOME",
        "LOCALAPPDATA",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return monkeypatch


@pytest.mark.parametrize(
    ("platform", "place"),
    [
        ("linux", ".cache/nextcall"),
        ("darwin", "Library/Caches/nextcall"),
        ("win32", "AppData/Local/nextcall"),
    ],
)
def test_the_cache_is_the_users(
    bare: pytest.MonkeyPatch, tmp_path: Path, platform: str, place: str
) -> None:
    bare.setattr(sys, "platform", platform)
    assert cache_dir() == tmp_path / place


@pytest.mark.parametrize(
    ("platform", "variable"), [("linux", "XDG_CACHE_HOME"), ("win32", "LOCALAPPDATA")]
)
def test_a_platforms_own_variable_is_heeded(
    bare: pytest.MonkeyPatch, platform: str, variable: str
) -> None:
    bare.setattr(sys, "platform", platform)
    bare.setenv(variable, "elsewhere")
    assert cache_dir() == Path("elsewhere", "nextcall")


def test_our_variables_come_first(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare.setenv("XDG_CACHE_HOME", "elsewhere")
    bare.setenv("NEXTCALL_CACHE_DIR", str(tmp_path / "cache"))
    bare.setenv("NEXTCALL_DATA_DIR", "held")
    bare.setenv("NEXTCALL_SHARED", "lent")
    assert cache_dir() == tmp_path / "cache"
    assert data_dir() == Path("held")
    assert shared_dir() == Path("lent")


def test_a_tilde_is_the_home(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare.setenv("HOME", str(tmp_path))
    bare.setenv("USERPROFILE", str(tmp_path))
    bare.setenv("NEXTCALL_CACHE_DIR", "~/kept")
    assert cache_dir() == tmp_path / "kept"


@pytest.mark.usefixtures("bare")
def test_data_lies_in_the_project() -> None:
    assert data_dir() == Path("data")
    assert shared_dir() == Path("../shared")


def test_the_demos_ranker_is_for_the_demos_catalogue(tmp_path: Path) -> None:
    catalog = demo_catalog(tmp_path)
    assert model_for(catalog, data=tmp_path) == packaged_model()  # the demo has not run
    own = tmp_path / "models" / "aws"
    own.mkdir(parents=True)
    assert model_for(catalog, data=tmp_path) == own
    assert model_for(tmp_path / "other.parquet", data=tmp_path) == packaged_model()
    assert (packaged_model() / "ranker.json").is_file()
