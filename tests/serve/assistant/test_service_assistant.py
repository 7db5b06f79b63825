"""What a service is told of language models, and where their keys are read."""

from pathlib import Path

import pytest
import yaml

from nextcall.resilience.breakers import Breakers
from nextcall.serve.assistant.service_assistant import environment_of, open_assistant
from nextcall.serve.loading import open_stores
from nextcall.serve.outside_calls import LANGUAGE_MODELS
from nextcall.serve.predictor import Predictor
from nextcall.serve.process.starting import opened_app
from nextcall.serve.settings import Settings, load_settings

from .conftest import table_of


def test_keys_are_read_from_the_environment_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("FIRST_KEY=file\nSECOND_KEY=file\nTHIRD_KEY=\nnextcall_Mixed=x\n")
    monkeypatch.setenv("FIRST_KEY", "process")
    monkeypatch.setenv("SECOND_KEY", "")
    monkeypatch.setenv("THIRD_KEY", "")
    told = environment_of(load_settings())
    assert (told["FIRST_KEY"], told["SECOND_KEY"], told["nextcall_Mixed"]) == (
        "process",
        "file",
        "x",
    )
    assert "THIRD_KEY" not in told


def test_a_table_that_breaks_a_rule_ends_the_start(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    table = table_of("http://127.0.0.1:1/v1")
    file.write_text(yaml.safe_dump({**table, "tiers": {**table["tiers"], "low": ["other"]}}))
    settings = load_settings(llm_models=file, database_url=f"sqlite:///{tmp_path}/a.db")
    with open_stores(settings) as stores, pytest.raises(ValueError, match=r"models\.yaml.*low"):
        open_assistant(settings, stores.ledger, breakers=Breakers(), environment={})


def test_a_service_is_started_with_its_assistant(
    predictor: Predictor, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    own = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/a.db"})
    said = list[str]()
    with opened_app(predictor, own, tell=said.append) as app:
        assert "/api/run" in app.openapi()["paths"]
    assert said == []


def test_a_call_has_less_time_than_whoever_waits_for_it() -> None:
    settings = load_settings()
    assert settings.llm_seconds == LANGUAGE_MODELS.seconds < settings.prediction_seconds
