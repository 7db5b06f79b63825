from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nextcall.catalog import Catalog
from nextcall.synth import (
    Noise,
    Simulation,
    SimulationSettings,
    Workflow,
    fidelity,
    recovered_matrix,
    simulate,
)
from nextcall.synth.workflow import STATES

NOISY = SimulationSettings(noise=Noise.of_level(0.3), drift_day=15, max_calls=30)


def _simulate(catalog: Catalog, seed: int = 0, n: int = 3000) -> Simulation:
    return simulate(catalog, n_sessions=n, settings=NOISY, rng=np.random.default_rng(seed))


def _value(frame: pd.DataFrame, name: str) -> float:
    return float(frame["value"][frame["name"] == name].iloc[0])


@pytest.mark.parametrize("catalog", ["shop", "whole"])
def test_a_simulation_passes(catalog: str, request: pytest.FixtureRequest) -> None:
    frame = fidelity(_simulate(request.getfixturevalue(catalog)))
    assert frame["passes"].all(), frame
    assert frame["value"].notna().all()


def test_pvalues_of_right_simulations_are_uniform(shop: Catalog) -> None:
    frames = [fidelity(_simulate(shop, seed, 300)) for seed in range(20)]
    for name in frames[0]["name"][frames[0]["name"].str.endswith("p-value")]:
        values = [_value(frame, name) for frame in frames]
        assert stats.kstest(values, "uniform").pvalue > 0.001, name


def test_the_planted_matrix_is_recovered_before_and_after_the_drift(whole: Catalog) -> None:
    simulation = _simulate(whole)
    matrices = []
    for regime, workflow in enumerate(simulation.truth.regimes.workflows):
        found = recovered_matrix(simulation, regime=regime)
        np.testing.assert_allclose(found.sum(axis=1), 1.0)
        # Every state was left at least 200 times: the error of a share is at most
        # sqrt(0.25 / 200); 4.2 of these are passed by one of 180 cells in 200 runs at most.
        assert np.abs(found - workflow.matrix).max() < 4.2 * np.sqrt(0.25 / 200)
        matrices.append(found)
    assert np.abs(matrices[0] - matrices[1]).max() > 0.1


def _claim(simulation: Simulation, matrix: np.ndarray) -> Simulation:
    """Say that another matrix was planted than was."""
    regimes = simulation.truth.regimes
    transitions = np.broadcast_to(matrix, regimes.transitions.shape)
    truth = replace(simulation.truth, regimes=replace(regimes, transitions=transitions))
    return replace(simulation, truth=truth)


def test_another_matrix_than_the_planted_one_is_noticed(whole: Catalog) -> None:
    rng = np.random.default_rng(0)
    simulation = simulate(whole, n_sessions=3000, rng=rng)
    matrix = Workflow().matrix.copy()
    assert fidelity(_claim(simulation, matrix))["passes"].all()
    browse, view, edit = (STATES.index(name) for name in ("browse", "view", "edit"))
    swapped = matrix.copy()
    swapped[browse, [view, edit]] = matrix[browse, [edit, view]]
    frame = fidelity(_claim(simulation, swapped)).set_index("name")
    assert not frame.loc["transition matrix, largest error", "passes"]
    assert not frame.loc["transitions, chi-square p-value", "passes"]
    assert frame.loc["session lengths, chi-square p-value", "passes"]
    longer = matrix.copy()
    longer[:, -1] *= 0.8
    longer[:, :-1] *= ((1 - longer[:, -1]) / (1 - matrix[:, -1]))[:, None]
    frame = fidelity(_claim(simulation, longer)).set_index("name")
    assert not frame.loc["session lengths, chi-square p-value", "passes"]
    assert frame.loc["transition matrix, largest error", "passes"]


def test_other_times_than_the_planted_ones_are_noticed(whole: Catalog) -> None:
    knobs = SimulationSettings(days=2)
    simulation = simulate(whole, n_sessions=3000, settings=knobs, rng=np.random.default_rng(0))
    truth = simulation.truth
    slower = replace(truth.settings, gaps=replace(truth.settings.gaps, median=14.0))
    flat = np.ones_like(truth.rates)
    claimed = replace(simulation, truth=replace(truth, settings=slower, rates=flat))
    frame = fidelity(claimed).set_index("name")
    assert frame["passes"].tolist() == [True, True, True, False, False, False]


def test_where_there_is_nothing_to_test_nothing_fails(whole: Catalog) -> None:
    ends = np.zeros((9, 10))
    ends[:, 9] = 1.0
    knobs = SimulationSettings(days=1)
    simulation = simulate(
        whole,
        n_sessions=2,
        workflow=Workflow(matrix=ends),
        settings=knobs,
        rng=np.random.default_rng(0),
    )
    frame = fidelity(simulation)
    assert frame["passes"].all()
    assert frame["value"].isna().tolist() == [True, True, True, True, False, True]
    assert np.isnan(recovered_matrix(simulation, regime=1)).all()
