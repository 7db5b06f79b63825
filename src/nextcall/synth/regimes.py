"""What holds before and after a drift: how popular resources are, and the chain's tables."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog import Catalog
from nextcall.synth.chain import WeightedRows
from nextcall.synth.resources import ResourceMap
from nextcall.synth.workflow import STATES, Workflow, feasible, stand_in_table

_UNSEEN = 0.05  # weight of the drawn popularity beside learned counts, relative to their mean


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Regimes:
    """One or two regimes: the second one holds for sessions that begin after the drift."""

    workflows: tuple[Workflow, ...]
    popularity: NDArray[np.float64]
    """Shape (n_regimes, n_groups): relative weight of each resource."""
    masks: int
    """How many different sets of states resources have operations for."""
    starts: WeightedRows
    """First state, by row ``regime * masks + mask``."""
    following: WeightedRows
    """Next state or end, by row ``(regime * masks + mask) * n_states + state``."""
    transitions: NDArray[np.float64]
    """Shape (n_regimes, n_masks, n_states, n_states + 1): what `following` was made of."""
    choices: WeightedRows
    """Operation (as a place in `ResourceMap.operations`), by row ``group * n_states + state``."""


def draw_regimes(
    catalog: Catalog,
    resources: ResourceMap,
    workflow: Workflow,
    *,
    zipf: float,
    drift: float | None,
    rng: np.random.Generator,
) -> Regimes:
    """Draw how popular services and operations are, and how that and the chain drift.

    Parameters
    ----------
    zipf : float
        Exponent of the Zipf law of the services' popularity for each of their operations; 0 makes
        all services alike.
    drift : float, optional
        How far the second regime lies from the first one: 0 is no change, 1 exchanges the
        popularity of all services and the targets of all transitions. None for one regime.
    """
    n_services = len(resources.services)
    ranked = np.arange(1, n_services + 1, dtype=np.float64) ** -zipf
    service = ranked[rng.permutation(n_services)]
    shift = int(rng.integers(1, len(STATES)))
    later_service = service[rng.permutation(n_services)]
    weights = service[resources.service_of[resources.group_of]]
    weights = weights * np.exp(0.5 * rng.standard_normal(len(weights)))
    if workflow.counts:
        seen = np.zeros(len(weights))
        for operation_id, count in workflow.counts.items():
            seen[catalog.positions[operation_id]] = count
        weights = seen + _UNSEEN * seen.mean() * weights / weights.mean()
    popularity = np.bincount(resources.group_of, weights=weights, minlength=len(resources.names))
    workflows: tuple[Workflow, ...] = (workflow,)
    groups = popularity[None, :]
    if drift is not None:
        factor = 1 - drift + drift * later_service / service
        turned = np.append(np.roll(np.arange(len(STATES)), shift), len(STATES))
        matrix = (1 - drift) * workflow.matrix + drift * workflow.matrix[:, turned]
        workflows = (workflow, replace(workflow, matrix=matrix))
        groups = np.stack([popularity, popularity * factor[resources.service_of]])
    stand_ins = stand_in_table(resources.masks)
    transitions = np.stack([feasible(one.matrix, stand_ins) for one in workflows])
    starts = np.concatenate([feasible(one.start[None, :], stand_ins) for one in workflows])
    return Regimes(
        workflows=workflows,
        popularity=groups.astype(np.float64),
        masks=len(resources.masks),
        starts=WeightedRows.of_matrix(starts[:, 0, :]),
        following=WeightedRows.of_matrix(transitions.reshape(-1, len(STATES) + 1)),
        transitions=transitions,
        choices=WeightedRows.of_rows(resources.offsets, weights[resources.operations]),
    )
