"""Sessions over a catalogue: the chain of states, on resources that a session moves between."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextcall.synth.chain import WeightedRows
from nextcall.synth.regimes import Regimes
from nextcall.synth.resources import ResourceMap
from nextcall.synth.users import Users
from nextcall.synth.workflow import STATES, stay_chance

_N = len(STATES)
_TRIES = 4  # draws of another operation where one should not be repeated


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Walk:
    """Calls of every session, one session after the other; arrays of one length but `lengths`."""

    lengths: NDArray[np.int64]
    """Shape (n_sessions,): calls of each session, at least 1."""
    operation: NDArray[np.int64]
    """Row of each call's operation in the catalogue."""
    resource: NDArray[np.int64]
    """Group that the call's state was drawn for; that of the operation itself, unless the call
    was replaced so that it is no repetition."""

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Shape (n_sessions + 1,): where each session begins."""
        return np.concatenate([[0], np.cumsum(self.lengths)])


def walk_sessions(
    resources: ResourceMap,
    regimes: Regimes,
    users: Users,
    *,
    user: NDArray[np.int64],
    regime: NDArray[np.int64],
    repeat: float,
    max_calls: int,
    rng: np.random.Generator,
) -> Walk:
    """Walk every session to its end, all at once.

    Parameters
    ----------
    user, regime : numpy.ndarray of int64, shape (n_sessions,)
        Who begins each session, and which regime holds then.
    repeat : float
        Chance that a call that was already made in the session is made again, once it is drawn;
        else another operation of the same state is called, where the service has one.
    max_calls : int
        A session that is still going on is cut here.
    """
    n = len(user)
    stay = np.stack([stay_chance(one.stickiness, resources.sizes) for one in regimes.workflows])
    leaving = np.array([one.leaving for one in regimes.workflows])
    near = WeightedRows.of_rows(resources.near_offsets, resources.nearness)
    again = _Alternatives(resources, regimes, repeat)
    made = np.full((n, max_calls if repeat < 1 else 0), -1, dtype=np.int32)

    active = np.arange(n)
    group = _first_groups(regimes, users, user=user, regime=regime, rng=rng)
    state = regimes.starts.draw(regime * regimes.masks + resources.mask_of[group], rng.random(n))
    state %= _N
    lengths = np.zeros(n, dtype=np.int64)
    steps: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []
    for step in range(max_calls):
        drawn = regimes.choices.draw(group * _N + state, rng.random(len(active)))
        operation = resources.operations[drawn]
        planned = group
        if repeat < 1:
            operation = again.replace(operation, made[active, :step], rng=rng)
            made[active, step] = operation
            group = resources.group_of[operation]
        steps.append((active, operation, planned))
        lengths[active] = step + 1
        rule = regime[active]
        moves = rng.random(len(active)) >= stay[rule, group]
        leaves = moves & (rng.random(len(active)) < leaving[rule])
        beside = resources.near[near.draw(group, rng.random(len(active)))]
        elsewhere = users.favourite(rule, user[active], rng=rng)
        group = np.where(leaves, elsewhere, np.where(moves, beside, group))
        row = (rule * regimes.masks + resources.mask_of[group]) * _N + state
        state = regimes.following.draw(row, rng.random(len(active))) - row * (_N + 1)
        goes_on = state < _N
        active, group, state = active[goes_on], group[goes_on], state[goes_on]
        if not len(active):
            break
    offsets = np.cumsum(lengths) - lengths
    total = int(lengths.sum())
    operations, planned_groups = (np.empty(total, dtype=np.int64) for _ in range(2))
    for step, (who, operation, planned) in enumerate(steps):
        operations[offsets[who] + step] = operation
        planned_groups[offsets[who] + step] = planned
    return Walk(lengths=lengths, operation=operations, resource=planned_groups)


def _first_groups(
    regimes: Regimes,
    users: Users,
    *,
    user: NDArray[np.int64],
    regime: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw where sessions begin: at a favourite of the user, or anywhere by popularity."""
    n_groups = regimes.popularity.shape[1]
    popular = WeightedRows.of_matrix(regimes.popularity)
    anywhere = popular.draw(regime, rng.random(len(user))) - regime * n_groups
    favourite = users.favourite(regime, user, rng=rng)
    return np.where(rng.random(len(user)) < users.loyalty, favourite, anywhere)


class _Alternatives:
    """Other operations of the same state: of the same resource, else of the same service."""

    def __init__(self, resources: ResourceMap, regimes: Regimes, repeat: float) -> None:
        self._resources = resources
        self._regimes = regimes
        self._repeat = repeat
        service = resources.service_of[resources.group_of]
        self._cell = service * _N + resources.state_of
        self._order = np.argsort(self._cell, kind="stable")
        counts = np.bincount(self._cell, minlength=len(resources.services) * _N)
        self._rows = WeightedRows.of_rows(
            np.concatenate([[0], np.cumsum(counts)]), np.ones(len(service))
        )

    def replace(
        self,
        operation: NDArray[np.int64],
        made: NDArray[np.int32],
        *,
        rng: np.random.Generator,
    ) -> NDArray[np.int64]:
        """Replace operations that were made before, but for the share that is to be repeated."""
        result = operation.copy()
        seen = (made == operation[:, None]).any(axis=1)
        left = np.flatnonzero(seen & (rng.random(len(operation)) >= self._repeat))
        for attempt in range(_TRIES):
            old = operation[left]
            uniform = rng.random(len(left))
            if attempt == 0:
                cell = self._resources.group_of[old] * _N + self._resources.state_of[old]
                other = self._resources.operations[self._regimes.choices.draw(cell, uniform)]
            else:
                other = self._order[self._rows.draw(self._cell[old], uniform)]
            fresh = ~(made[left] == other[:, None]).any(axis=1)
            result[left[fresh]] = other[fresh]
            left = left[~fresh]
        return result
