import hashlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.catalog import Catalog, describe_operation
from nextcall.sessions.table import check_sessions
from nextcall.synth import Noise, SimulationSettings, UserHabits, Workflow, simulate
from nextcall.synth.clock import GapLaw

NOISY = SimulationSettings(noise=Noise.of_level(0.3), drift_day=15, session_goal=0.3)

names = st.lists(
    st.sampled_from(["GetA", "ListAs", "CreateA", "DropB", "b", "SendBMail", "StartC", "x1"]),
    min_size=1,
    unique=True,
)


@settings(max_examples=20)
@given(names, st.integers(0, 3), st.integers(1, 30))
def test_any_catalogue_gives_a_session_table_of_its_operations(
    operations: list[str], seed: int, n_sessions: int
) -> None:
    catalog = Catalog(
        "any", tuple(describe_operation(operation_id=name, service="s") for name in operations)
    )
    rng = np.random.default_rng(seed)
    simulation = simulate(catalog, n_sessions=n_sessions, settings=NOISY, rng=rng)
    frame = simulation.sessions
    pd.testing.assert_frame_equal(check_sessions(frame), frame)
    assert frame["session_id"].nunique() == n_sessions
    assert frame["operation_id"].isin(operations).all()
    assert frame["prompt"].str.len().min() > 0
    assert (frame["step"] == frame.groupby("session_id").cumcount()).all()
    assert (frame.groupby("session_id")["time"].diff().dropna() >= timedelta(0)).all()
    assert len(simulation.truth.calls) == len(frame)


_SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from nextcall.catalog import Catalog
from nextcall.synth import Noise, SimulationSettings, simulate
from nextcall.synth.save import save_simulation
knobs = SimulationSettings(noise=Noise.of_level(0.3), drift_day=15, session_goal=0.3)
catalog = Catalog.load(Path(sys.argv[1]))
made = simulate(catalog, n_sessions=200, settings=knobs, rng=np.random.default_rng(7))
save_simulation(made, Path(sys.argv[2]))
"""


def test_the_same_seed_gives_the_same_bytes_in_every_process(shop: Catalog, tmp_path: Path) -> None:
    shop.save(tmp_path / "shop.parquet")
    digests = []
    for hash_seed in ("1", "2"):
        folder = tmp_path / hash_seed
        subprocess.run(
            [sys.executable, "-c", _SCRIPT, str(tmp_path / "shop.parquet"), str(folder)],
            check=True,
            env={"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"},
        )
        digests.append(
            {
                path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                for path in sorted(folder.iterdir())
            }
        )
    assert digests[0] == digests[1]
    assert len(digests[0]) == 6


def test_another_seed_gives_other_sessions(shop: Catalog) -> None:
    one, other = (
        simulate(shop, n_sessions=50, rng=np.random.default_rng(seed)).sessions for seed in (0, 1)
    )
    assert not one["operation_id"].head(50).equals(other["operation_id"].head(50))


def test_one_knob_leaves_the_other_draws_alone(shop: Catalog) -> None:
    plain, noisy = (
        simulate(
            shop,
            n_sessions=100,
            settings=SimulationSettings(noise=noise),
            rng=np.random.default_rng(0),
        )
        for noise in (Noise(), Noise(error=0.5, retry=1.0))
    )
    kept = noisy.sessions[noisy.truth.calls["kind"] == "workflow"]
    assert kept["operation_id"].tolist() == plain.sessions["operation_id"].tolist()


def test_the_truth_tells_noise_from_workflow(shop: Catalog, rng: np.random.Generator) -> None:
    simulation = simulate(shop, n_sessions=500, settings=NOISY, rng=rng)
    frame, calls = simulation.sessions, simulation.truth.calls
    wrong = calls["kind"] == "wrong"
    assert (frame["operation_id"][wrong] != calls["meant_id"][wrong]).all()
    assert (frame["operation_id"][~wrong] == calls["meant_id"][~wrong]).all()
    assert (frame["outcome"][calls["kind"] == "retry"] == "retry").all()
    before = frame.shift()[calls["kind"] == "retry"]
    after = frame[calls["kind"] == "retry"]
    assert (before["outcome"] == "error").all()
    assert (before["operation_id"] == after["operation_id"]).all()
    assert (before["prompt"] == after["prompt"]).all()
    values = simulation.truth.to_dict()
    assert values["calls_by_kind"] == calls["kind"].value_counts().to_dict()
    assert values["drift_time"] == "2026-01-20T00:00:00+00:00"
    assert values["sessions_abandoned"] > 0


def test_a_session_that_states_its_goal_says_one_thing(
    shop: Catalog, rng: np.random.Generator
) -> None:
    simulation = simulate(shop, n_sessions=500, settings=NOISY, rng=rng)
    by_session = simulation.sessions.groupby("session_id")["prompt"]
    whole = simulation.truth.sessions.set_index("session_id")["states_goal"]
    assert (by_session.nunique()[whole[whole].index] == 1).all()
    goals = simulation.truth.calls["goal_id"].groupby(simulation.sessions["session_id"])
    assert (goals.nunique()[whole[whole].index] == 1).all()
    single = ~simulation.sessions["session_id"].map(whole).astype(bool)
    calls = simulation.truth.calls[single]
    assert (calls["goal_id"] == calls["meant_id"]).all()
    # A goal is a change in the service where the session begins, wherever there was one.
    first = simulation.truth.calls.groupby(simulation.sessions["session_id"])["meant_id"].first()
    for session_id in whole[whole].index:
        goal = goals.first()[session_id]
        assert goal.partition(":")[0] == first[session_id].partition(":")[0]


def test_real_titles_are_used(shop: Catalog, rng: np.random.Generator) -> None:
    titles = {operation.operation_id: ["To paint the fence"] for operation in shop}
    made = simulate(shop, n_sessions=50, prompts=titles, rng=rng)
    assert made.sessions["prompt"].str.endswith("fence").all()


def test_sessions_drift_on_the_day(whole: Catalog) -> None:
    knobs = SimulationSettings(days=10, drift_day=5, drift=1.0, repeat=1.0, zipf=2.0)
    simulation = simulate(whole, n_sessions=4000, settings=knobs, rng=np.random.default_rng(2))
    starts = simulation.sessions.groupby("session_id")["time"].first()
    late = simulation.truth.sessions.set_index("session_id")["regime"] == 1
    assert simulation.truth.drift_time == knobs.start + timedelta(days=5)
    assert ((starts >= simulation.truth.drift_time) == late).all()
    assert len(simulation.truth.regimes.workflows) == 2


def test_favourite_users_come_often_and_keep_their_pace(whole: Catalog) -> None:
    knobs = SimulationSettings(
        users=UserHabits(users=3, tempo=1.0), gaps=GapLaw(sigma=0.1, tail=0.0)
    )
    simulation = simulate(whole, n_sessions=2000, settings=knobs, rng=np.random.default_rng(2))
    frame = simulation.sessions
    truth = simulation.truth.users.set_index("user_id")
    sessions = frame.groupby("session_id")["user_id"].first().value_counts()
    assert sessions.sort_index().is_monotonic_decreasing
    gap = frame.groupby("session_id")["time"].diff().dt.total_seconds()
    medians = gap.groupby(frame["user_id"]).median()
    np.testing.assert_allclose(medians, 12.0 * truth["pace"], rtol=0.02)


def test_a_start_in_another_zone_is_turned_to_utc(shop: Catalog, rng: np.random.Generator) -> None:
    india = datetime.fromisoformat("2026-01-05T00:00:00+05:30")
    made = simulate(shop, n_sessions=20, settings=SimulationSettings(start=india), rng=rng)
    first = made.sessions["time"].min()
    assert first >= india.astimezone(UTC)
    assert made.truth.to_dict()["drift_time"] is None


def test_no_session_is_refused(shop: Catalog, rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="n_sessions must be at least 1, got 0"):
        simulate(shop, n_sessions=0, rng=rng)


def test_a_workflow_of_ones_own_is_followed(whole: Catalog, rng: np.random.Generator) -> None:
    matrix = np.zeros((9, 10))
    matrix[:, 9] = 1.0
    matrix[2] = 0.0
    matrix[2, 8] = 1.0  # create, then delete
    start = np.eye(9)[2]
    made = simulate(whole, n_sessions=20, workflow=Workflow(start=start, matrix=matrix), rng=rng)
    actions = made.sessions["operation_id"].map(lambda name: whole[name].action)
    assert actions.tolist() == ["create", "delete"] * 20
