import numpy as np
import pandas as pd
import pytest

from nextcall.catalog import Catalog
from nextcall.synth import SimulationSettings, UserHabits, Workflow, simulate


def _repeated(catalog: Catalog, repeat: float) -> tuple[pd.DataFrame, float]:
    simulation = simulate(
        catalog,
        n_sessions=1000,
        settings=SimulationSettings(repeat=repeat, max_calls=8),
        rng=np.random.default_rng(1),
    )
    frame = simulation.sessions
    return frame, float(frame.duplicated(["session_id", "operation_id"]).mean())


def test_the_repeat_knob_goes_all_the_way(whole: Catalog) -> None:
    never, some, always = (_repeated(whole, repeat)[1] for repeat in (0.0, 0.5, 1.0))
    assert never < some / 3  # a service of the catalogue has but three operations a state
    assert some == pytest.approx(always / 2, rel=0.3)


def test_a_replaced_call_does_what_the_chain_meant(whole: Catalog) -> None:
    """A service of three resources has three operations a state: a call is another of them."""
    frame, _ = _repeated(whole, 0.0)
    free, _ = _repeated(whole, 1.0)
    share = frame["operation_id"].map(lambda name: whole[name].action).value_counts(normalize=True)
    other = free["operation_id"].map(lambda name: whole[name].action).value_counts(normalize=True)
    # Two samples of some 5000 calls: four standard errors of a difference of shares.
    assert (share - other).abs().max() < 4 * np.sqrt(2 * 0.25 / len(frame))


def test_where_nothing_else_is_there_the_call_is_repeated(shop: Catalog) -> None:
    alone = shop.subset(["users:GetUser"], name="alone")
    frame, _ = _repeated(alone, 0.0)
    assert frame["operation_id"].eq("users:GetUser").all()
    assert frame.groupby("session_id").size().max() > 1


def test_sticky_sessions_stay_and_others_leave(whole: Catalog) -> None:
    changed = {}
    for stickiness, leaving in ((1.0, 0.0), (0.2, 0.0), (0.2, 0.9)):
        simulation = simulate(
            whole,
            n_sessions=500,
            workflow=Workflow(stickiness=stickiness, leaving=leaving),
            settings=SimulationSettings(repeat=1.0, users=UserHabits(users=50)),
            rng=np.random.default_rng(5),
        )
        services = simulation.sessions["operation_id"].str.partition(":")[0]
        at_first = services.groupby(simulation.sessions["session_id"]).transform("first")
        changed[stickiness, leaving] = float((services != at_first).mean())
    assert changed[1.0, 0.0] == changed[0.2, 0.0] == 0.0
    assert changed[0.2, 0.9] > 0.1


def test_sessions_are_cut_at_the_limit(whole: Catalog) -> None:
    simulation = simulate(
        whole,
        n_sessions=300,
        settings=SimulationSettings(max_calls=3),
        rng=np.random.default_rng(0),
    )
    lengths = simulation.sessions.groupby("session_id").size()
    assert lengths.max() == 3
    cut = simulation.truth.sessions.set_index("session_id")["cut"]
    assert (lengths[cut[cut].index] == 3).all()
    assert (lengths[cut[~cut].index] < 3).all()
