"""Sessions, series and experiments whose truth is known, over any catalogue."""

from nextcall.synth.fidelity import fidelity, recovered_matrix
from nextcall.synth.noise import Noise
from nextcall.synth.prompts import remove_name
from nextcall.synth.settings import SimulationSettings
from nextcall.synth.simulate import Simulation, Truth, simulate
from nextcall.synth.users import UserHabits
from nextcall.synth.workflow import Workflow, learn_workflow

__all__ = [
    "Noise",
    "Simulation",
    "SimulationSettings",
    "Truth",
    "UserHabits",
    "Workflow",
    "fidelity",
    "learn_workflow",
    "recovered_matrix",
    "remove_name",
    "simulate",
]
