import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nextcall.catalog import Catalog
from nextcall.files import sha256_file
from nextcall.sessions.table import load_sessions
from nextcall.synth import Simulation, simulate
from nextcall.synth.save import load_prompts, save_simulation


@pytest.fixture
def simulation(shop: Catalog) -> Simulation:
    return simulate(shop, n_sessions=30, rng=np.random.default_rng(0))


@pytest.mark.parametrize("session_format", ["parquet", "jsonl"])
def test_what_was_written_is_read_back(
    simulation: Simulation, session_format: str, tmp_path: Path
) -> None:
    path = save_simulation(
        simulation, tmp_path, session_format=session_format, manifest={"seed": 0}
    )
    assert path == tmp_path / f"sessions.{session_format}"
    pd.testing.assert_frame_equal(load_sessions(path), simulation.sessions)
    for name in ("calls", "sessions", "users"):
        pd.testing.assert_frame_equal(
            pd.read_parquet(tmp_path / f"truth_{name}.parquet").astype("object"),
            getattr(simulation.truth, name).astype("object"),
        )
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert truth == json.loads(json.dumps(simulation.truth.to_dict()))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["seed"] == 0
    assert manifest["catalog"]["sha256"] == simulation.catalog.content_hash
    written = {path.name for path in tmp_path.iterdir()} - {"manifest.json"}
    assert set(manifest["files"]) == written
    for name, digest in manifest["files"].items():
        assert sha256_file(tmp_path / name) == digest


def test_another_format_is_refused(simulation: Simulation, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="session_format must be 'parquet' or 'jsonl', got 'csv'"):
        save_simulation(simulation, tmp_path, session_format="csv")
    assert not list(tmp_path.iterdir())


def test_prompts_are_read_for_every_right_answer(tmp_path: Path) -> None:
    rows = [
        {"prompt": "show it", "relevant": ["a", "b"]},
        {"prompt": "give it", "relevant": ["b"]},
        {"prompt": "nothing is right"},
    ]
    path = tmp_path / "queries.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert load_prompts(path) == {"a": ["show it"], "b": ["show it", "give it"]}
