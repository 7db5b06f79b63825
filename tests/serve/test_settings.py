"""What the environment may tell the service."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from nextcall.locations import cache_dir, packaged_model
from nextcall.serve.settings import Settings, load_settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_defaults_need_no_environment() -> None:
    settings = load_settings()
    assert (settings.environment, settings.host, settings.port) == (
        "development",
        "127.0.0.1",
        8000,
    )
    assert settings.model == packaged_model()
    assert settings.catalog == Path("data/catalogs/aws.parquet")
    assert settings.cache_dir == cache_dir()
    assert settings.database_url == "sqlite:///data/nextcall.db"
    assert load_settings(data_dir="/there").database_url == "sqlite:////there/nextcall.db"


def test_a_password_is_not_shown() -> None:
    assert "hidden" not in repr(load_settings(database_url="postgresql://who:hidden@there/a"))


def test_what_is_given_wins_over_the_environment_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text(
        "NEXTCALL_PORT=1\nNEXTCALL_THREADS=2\nNEXTCALL_DATA_DIR=there\nOTHER=x\nNEXTCALL_HOST=\n"
    )
    monkeypatch.setenv("NEXTCALL_PORT", "3")
    monkeypatch.setenv("NEXTCALL_MAX_BATCH", "5")
    settings = load_settings(max_batch=7, model=None)
    assert (settings.port, settings.threads, settings.max_batch) == (3, 2, 7)
    assert settings.model == packaged_model()
    Path("there/models/aws").mkdir(parents=True)
    assert load_settings().model == Path("there/models/aws")
    assert load_settings(catalog=Path("own.parquet")).model == packaged_model()
    assert settings.host == "127.0.0.1"  # an empty variable says nothing


def test_settings_stay_as_they_were_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1  # type: ignore[misc]  # what the test shows


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_development_listens_on_this_machine(host: str) -> None:
    assert load_settings(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.5", "example.org", "8.8.8.8"])  # noqa: S104  # to be refused
def test_development_listens_nowhere_else(host: str) -> None:
    with pytest.raises(ValueError, match=f"^host must be a loopback .* got '{re.escape(host)}'"):
        load_settings(host=host)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("port", "70000", r"NEXTCALL_PORT: .*less than or equal to 65535, got '70000'\."),
        ("port", "http", r"NEXTCALL_PORT: .*valid integer.*, got 'http'\."),
        (
            "environment",
            "prod",
            r"NEXTCALL_ENVIRONMENT: .*'development' or 'production', got 'prod'",
        ),
        (
            "encoder",
            "minlm",
            r"^NEXTCALL_ENCODER: must be auto, static, minilm or a folder .* got 'minlm'\.$",
        ),
        ("max_history", "101", r"NEXTCALL_MAX_HISTORY: .*equal to 100, got '101'\."),
        ("default_predictions", "21", r"at most max_predictions \(20\), got 21\."),
    ],
)
def test_a_setting_that_breaks_its_rule_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"NEXTCALL_{name.upper()}", value)
    with pytest.raises(ValueError, match=message):
        load_settings()


def test_a_default_that_could_not_be_made_is_no_fault_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEXTCALL_ENVIRONMENT", "prod")
    with pytest.raises(ValueError, match="NEXTCALL_ENVIRONMENT") as caught:
        load_settings()
    assert str(caught.value).count("NEXTCALL_") == 1


def test_the_example_lists_every_setting_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    if not EXAMPLE.exists():
        pytest.skip(f"{EXAMPLE.name} lies in the project's folder only")
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    shown = [re.fullmatch(r"(?:# )?NEXTCALL_(\w+)=(.*)", line) for line in lines]
    values = {match[1].lower(): match[2] for match in shown if match}
    assert sorted(values) == sorted(Settings.model_fields)
    for name, value in values.items():
        monkeypatch.setenv(f"NEXTCALL_{name.upper()}", value)
    default = load_settings(cache_dir="data/cache").model_dump()
    for name in values:
        monkeypatch.delenv(f"NEXTCALL_{name.upper()}")
    own = load_settings(cache_dir="data/cache").model_dump()
    # Where the demo has not run, that default is a folder of the package: no line can name it.
    assert (default.pop("model"), own.pop("model")) == (Path("data/models/aws"), packaged_model())
    assert own == default
    explained = [
        before.startswith("# ") and not re.match(r"# NEXTCALL", before)
        for before, line in pairwise(lines)
        if re.match(r"(?:# )?NEXTCALL_\w+=", line)
    ]
    assert all(explained)
