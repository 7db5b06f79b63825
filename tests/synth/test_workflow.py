import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.catalog import Catalog
from nextcall.catalog.actions import ACTIONS
from nextcall.synth import SimulationSettings, Workflow, learn_workflow, simulate
from nextcall.synth.workflow import (
    STAND_INS,
    STATE_OF_ACTION,
    STATES,
    feasible,
    stand_in_table,
    state_of,
)

masks = st.lists(st.booleans(), min_size=len(STATES), max_size=len(STATES)).filter(any)


def test_every_action_has_a_state_and_every_state_an_action() -> None:
    assert set(STATE_OF_ACTION) == set(ACTIONS)
    assert {STATES[state_of(action)] for action in ACTIONS} == set(STATES)


def test_every_state_names_all_others_as_stand_ins() -> None:
    for state, others in STAND_INS.items():
        assert {state, *others.split()} == set(STATES)
        assert len(others.split()) == len(STATES) - 1


@given(st.lists(masks, min_size=1, max_size=5))
def test_what_is_feasible_keeps_the_mass_and_the_end(available: list[list[bool]]) -> None:
    workflow = Workflow()
    has = np.array(available)
    done = feasible(workflow.matrix, stand_in_table(has))
    np.testing.assert_allclose(done.sum(axis=2), 1.0)
    np.testing.assert_array_equal(done[:, :, -1], np.tile(workflow.matrix[:, -1], (len(has), 1)))
    for row, mask in zip(done, has, strict=True):
        assert not row[:, :-1][:, ~mask].any()
        # A state that is there gets at least its own share.
        assert (row[:, :-1][:, mask] >= workflow.matrix[:, :-1][:, mask] - 1e-12).all()


def test_a_missing_state_falls_to_its_first_stand_in() -> None:
    has = np.zeros((1, len(STATES)), dtype=bool)
    has[0, [STATES.index("browse"), STATES.index("edit")]] = True
    table = stand_in_table(has)[0]
    done = {state: STATES[table[place]] for place, state in enumerate(STATES)}
    assert done["view"] == "browse"
    assert done["save"] == "edit"
    assert done["edit"] == "edit"


def test_a_planted_workflow_is_learned_back(whole: Catalog, rng: np.random.Generator) -> None:
    matrix = np.roll(Workflow().matrix[:, :-1], 4, axis=1)
    planted = Workflow(
        matrix=np.column_stack([matrix, Workflow().matrix[:, -1]]), stickiness=0.6, leaving=0.3
    )
    settings = SimulationSettings(repeat=1.0, max_calls=200)
    simulation = simulate(whole, n_sessions=6000, workflow=planted, settings=settings, rng=rng)
    sessions = simulation.sessions.groupby("session_id")["operation_id"]
    learned = learn_workflow(whole, (list(calls) for _, calls in sessions), strength=1.0)
    # Each row saw over 1000 choices: four standard errors of a share are at most 4 * 0.5 / 32.
    steps = simulation.sessions["operation_id"].map(lambda name: whole[name].action).value_counts()
    assert steps.min() > 1000
    assert np.abs(learned.matrix - planted.matrix).max() < 4 * 0.5 / np.sqrt(1000)
    assert np.abs(learned.start - planted.start).max() < 4 * 0.5 / np.sqrt(6000)
    # A favourite that a user leaves for may be of the same resource or service: such moves count
    # as stays or as moves within the service.
    stray = (1 - planted.stickiness * 0.9) * planted.leaving / 0.9
    assert planted.stickiness - 0.03 < learned.stickiness < planted.stickiness + stray
    assert 0.05 < learned.leaving <= planted.leaving
    assert sum(learned.counts.values()) == len(simulation.sessions)
    assert learned.moves


def test_unknown_calls_are_left_out(shop: Catalog) -> None:
    learned = learn_workflow(shop, [["orders:GetOrder", "no:Such"], ["no:Such"], []])
    assert learned.counts == {"orders:GetOrder": 1}
    prior = Workflow()
    assert (learned.stickiness, learned.leaving) == (prior.stickiness, prior.leaving)
    with pytest.raises(ValueError, match="sequences must hold a call of catalogue 'shop'"):
        learn_workflow(shop, [["no:Such"]])


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"start must have 9 entries, got 1"):
        Workflow(start=np.array([1.0]), matrix=np.array([[0.5, 0.5]]))
    with pytest.raises(ValueError, match=r"stickiness must be in \[0, 1\], got 2"):
        Workflow(stickiness=2)
    with pytest.raises(ValueError, match=r"leaving must be in \[0, 1\], got -1"):
        Workflow(leaving=-1)
