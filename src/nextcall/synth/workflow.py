"""What users do with a resource, as a Markov chain: the documented prior, or learned."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog import Catalog
from nextcall.sessions.transitions import Transitions
from nextcall.synth.chain import check_chain

STATES: Final = (
    "browse", "view", "create", "edit", "save", "confirm", "attach", "detach", "delete",
)  # fmt: skip
"""What a call does in a workflow, in the order of every start vector and matrix."""

STATE_OF_ACTION: Final = {
    "list": "browse", "search": "browse", "read": "view", "create": "create", "update": "edit",
    "send": "save", "other": "save", "start": "confirm", "stop": "confirm",
    "attach": "attach", "detach": "detach", "delete": "delete",
}  # fmt: skip
"""State of each action of `nextcall.catalog.actions.ACTIONS`: *save* hands work over, *confirm*
sets it going or ends it."""

STAND_INS: Final = {
    "browse": "view create save confirm edit attach detach delete",
    "view": "browse edit save confirm create attach detach delete",
    "create": "edit attach save confirm view browse detach delete",
    "edit": "save create attach confirm view browse detach delete",
    "save": "edit confirm create attach view browse detach delete",
    "confirm": "save edit create attach view browse detach delete",
    "attach": "create edit save confirm view browse detach delete",
    "detach": "delete edit save confirm view browse attach create",
    "delete": "detach edit save confirm view browse attach create",
}
"""What users do where a resource has no operation for a state: the first of these that it has."""

# Next state in percent, by last state (rows), in the order of STATES, the end last. A choice, not
# a measurement: the life of a REST resource (create -> view -> edit -> browse -> delete) with a
# look after each change, ends likelier after a change than amid looking, about 6 calls a session.
_PRIOR_MATRIX = (
    (10, 34, 14,  8,  3,  5,  4,  2,  6, 14),  # browse
    (14, 10,  8, 24,  4,  8,  6,  2,  8, 16),  # view
    (10, 28, 10, 12,  6, 10, 10,  1,  3, 10),  # create
    (10, 28,  5, 12, 12, 10,  3,  2,  4, 14),  # edit
    (14, 20,  8,  8,  6, 16,  3,  2,  5, 18),  # save
    (16, 26,  6,  5,  4,  8,  3,  2,  6, 24),  # confirm
    (14, 22,  8,  8,  3,  9, 10,  5,  3, 18),  # attach
    (16, 14,  5,  6,  2,  5, 12,  8, 16, 16),  # detach
    (28,  6, 10,  3,  2,  4,  2,  3, 14, 28),  # delete
)  # fmt: skip
_PRIOR_START = (34, 20, 22, 6, 3, 6, 4, 1, 4)  # percent, in the order of STATES
_STRENGTH = 20.0  # calls' worth of trust in the overall frequencies, when a matrix is learned


@dataclass(frozen=True, eq=False, kw_only=True)
class Workflow:
    """How sessions begin, go on and end; the default is the documented prior."""

    start: NDArray[np.float64] = field(default_factory=lambda: np.array(_PRIOR_START) / 100)
    """Shape (n_states,): probability of each first state."""
    matrix: NDArray[np.float64] = field(default_factory=lambda: np.array(_PRIOR_MATRIX) / 100)
    """Shape (n_states, n_states + 1): probability of each next state, the session's end last."""
    stickiness: float = 0.85
    """Chance to stay with a resource of many operations; one with n operations keeps the user
    with this times n / (n + 1)."""
    leaving: float = 0.05
    """Chance that a move to another resource goes to another service."""
    counts: dict[str, int] = field(default_factory=dict)
    """How often each operation was seen; empty where nothing was learned."""
    moves: dict[tuple[str, str], int] = field(default_factory=dict)
    """How often a session went from an operation to one of another resource of its service."""

    def __post_init__(self) -> None:
        check_chain(self.start, self.matrix)
        if len(self.start) != len(STATES):
            raise ValueError(f"start must have {len(STATES)} entries, got {len(self.start)}.")
        for name, value in (("stickiness", self.stickiness), ("leaving", self.leaving)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {value}.")

    def to_dict(self) -> dict[str, Any]:
        """Give the chain and the moves' chances as plain values that JSON can hold."""
        return {
            "states": list(STATES),
            "start": self.start.tolist(),
            "matrix": self.matrix.tolist(),
            "stickiness": self.stickiness,
            "leaving": self.leaving,
        }


def state_of(action: str) -> int:
    """Give the position in `STATES` of what an action does.

    Examples
    --------
    >>> STATES[state_of("update")]
    'edit'
    """
    return STATES.index(STATE_OF_ACTION[action])


def stay_chance(stickiness: float, n_operations: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the chance that the next call is about the same resource, by its operations' number."""
    return stickiness * n_operations / (n_operations + 1)


def stand_in_table(available: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Give what is done in place of each state, by what a resource has operations for.

    Parameters
    ----------
    available : numpy.ndarray of bool, shape (n_rows, n_states)
        Whether there is an operation; at least one in each row.

    Returns
    -------
    numpy.ndarray of int64, shape (n_rows, n_states)
        The state itself where it is available, else its first stand-in that is.
    """
    table = np.empty(available.shape, dtype=np.int64)
    for state, name in enumerate(STATES):
        order = np.array([state, *(STATES.index(other) for other in STAND_INS[name].split())])
        table[:, state] = order[available[:, order].argmax(axis=1)]
    return table


def feasible(
    probabilities: NDArray[np.float64], stand_ins: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Move each state's probability to its stand-in; a last column, for the end, stays.

    Parameters
    ----------
    probabilities : numpy.ndarray of shape (n_from, n_states) or (n_from, n_states + 1)
        What users want to do next.
    stand_ins : numpy.ndarray of int64, shape (n_rows, n_states)
        As `stand_in_table` gives it.

    Returns
    -------
    numpy.ndarray of shape (n_rows, n_from, the columns of `probabilities`)
        What they do next, on a resource of each row.
    """
    n_rows, n_states = stand_ins.shape
    result = np.zeros((n_rows, *probabilities.shape))
    result[:, :, n_states:] = probabilities[:, n_states:]
    rows = np.arange(n_rows)
    for state in range(n_states):
        result[rows, :, stand_ins[:, state]] += probabilities[:, state]
    return result


def learn_workflow(
    catalog: Catalog, sequences: Iterable[Sequence[str]], *, strength: float = _STRENGTH
) -> Workflow:
    """Learn a workflow from sessions over a catalogue.

    The matrix is that of what was done: where a resource lacked an operation, its stand-in counts.

    Parameters
    ----------
    catalog : Catalog
        The operations.
    sequences : iterable of sequences of str
        Operation ids of each session, in order; ids that the catalogue lacks are left out.
    strength : float
        How many calls' worth of trust the overall frequency of the states gets in each row.

    Raises
    ------
    ValueError
        Where no call is of the catalogue.
    """
    known = [[call for call in sequence if call in catalog] for sequence in sequences]
    known = [sequence for sequence in known if sequence]
    if not known:
        raise ValueError(f"sequences must hold a call of catalogue {catalog.name!r}, got none.")
    done = [[STATE_OF_ACTION[catalog[call].action] for call in sequence] for sequence in known]
    chain = Transitions.fit(done, states=STATES, order=2, discount=0.0, strength=strength)
    sizes: dict[tuple[str, str], int] = {}
    for operation in catalog:
        place = (operation.service, operation.resource)
        sizes[place] = sizes.get(place, 0) + 1
    counts: dict[str, int] = {}
    moves: dict[tuple[str, str], int] = {}
    stays, expected, left, moved = 0, 0.0, 0, 0
    for sequence in known:
        for call in sequence:
            counts[call] = counts.get(call, 0) + 1
        for call, following in pairwise(sequence):
            one, other = catalog[call], catalog[following]
            size = sizes[one.service, one.resource]
            expected += size / (size + 1)
            if one.service != other.service:
                left += 1
            elif one.resource == other.resource:
                stays += 1
            else:
                moves[call, following] = moves.get((call, following), 0) + 1
                moved += 1
    return Workflow(
        start=_normalised(chain.start),
        matrix=_normalised(chain.matrix),
        stickiness=min(1.0, stays / expected) if expected else Workflow.stickiness,
        leaving=left / (left + moved) if left + moved else Workflow.leaving,
        counts=counts,
        moves=moves,
    )


def _normalised(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    normalised: NDArray[np.float64] = rows / rows.sum(axis=-1, keepdims=True)
    return normalised
