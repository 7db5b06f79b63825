"""Sessions over any catalogue, and the truth about them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.catalog import Catalog
from nextcall.progress import Progress, silent
from nextcall.synth.clock import draw_starts, session_rates, week_profile
from nextcall.synth.noise import KINDS, RETRY, NoisyCalls, add_noise
from nextcall.synth.prompts import PromptWriter
from nextcall.synth.regimes import Regimes, draw_regimes
from nextcall.synth.resources import ResourceMap
from nextcall.synth.settings import SimulationSettings
from nextcall.synth.users import Users, draw_users
from nextcall.synth.walk import Walk, walk_sessions
from nextcall.synth.workflow import STATES, Workflow

_LOOKING: Final = (STATES.index("browse"), STATES.index("view"))
_RETRY_GAP = 3.0  # seconds, the mean of an exponential law: who repeats does so at once


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Truth:
    """What a simulation was made of."""

    settings: SimulationSettings
    resources: ResourceMap
    regimes: Regimes
    """Chains and popularity before and, where there is a drift, after it."""
    drift_time: datetime | None
    rates: NDArray[np.float64]
    """Shape (days * 24,): relative rate of sessions in each hour from the start."""
    users: pd.DataFrame
    """One row a user: user_id, activity (share of the sessions), pace."""
    sessions: pd.DataFrame
    """One row a session: session_id, start (seconds after the first moment), regime, abandoned,
    cut (at ``max_calls``), states_goal."""
    calls: pd.DataFrame
    """One row a call, in the order of the session table: kind (`KINDS`), meant_id (the operation
    that the workflow meant), goal_id (the one that the prompt states), resource (the group in
    `resources` that the workflow was at)."""

    def to_dict(self) -> dict[str, Any]:
        """Give the truth that no frame holds as plain values that JSON can hold."""
        settings = asdict(self.settings)
        settings["start"] = self.settings.start.isoformat()
        kinds = self.calls["kind"].value_counts()
        return {
            "settings": settings,
            "workflows": [workflow.to_dict() for workflow in self.regimes.workflows],
            "drift_time": self.drift_time.isoformat() if self.drift_time else None,
            "hourly_rates": self.rates.tolist(),
            "calls_by_kind": {kind: int(kinds.get(kind, 0)) for kind in KINDS},
            "sessions_abandoned": int(self.sessions["abandoned"].sum()),
            "sessions_after_drift": int(self.sessions["regime"].sum()),
        }


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Simulation:
    """Sessions and the truth about them."""

    catalog: Catalog
    sessions: pd.DataFrame
    """A session table: session_id, user_id, step, time, operation_id, prompt, outcome."""
    truth: Truth


def simulate(
    catalog: Catalog,
    *,
    rng: np.random.Generator,
    n_sessions: int = 10_000,
    workflow: Workflow | None = None,
    prompts: Mapping[str, Sequence[str]] | None = None,
    settings: SimulationSettings | None = None,
    progress: Progress = silent,
) -> Simulation:
    """Simulate sessions over a catalogue.

    Parameters
    ----------
    catalog : Catalog
        Operations that are called; every call is one of them.
    rng : numpy.random.Generator
        Source of the randomness; the same state gives the same sessions.
    n_sessions : int
        How many sessions, at least 1.
    workflow : Workflow, optional
        How sessions go; the documented prior where none is given, or what `learn_workflow` gave.
    prompts : mapping of str to sequence of str, optional
        Real prompts by operation id; an operation without one is asked for by its summary.
    settings : SimulationSettings, optional
        All other knobs.
    progress : Progress
        Shows the prompts as they are written.

    Raises
    ------
    ValueError
        Where `n_sessions` is below 1.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> paths = {"GET": "/users/{id}", "POST": "/users", "DELETE": "/users/{id}"}
    >>> catalog = Catalog(
    ...     "users",
    ...     tuple(
    ...         describe_operation(operation_id=f"{method} {path}", method=method, path=path)
    ...         for method, path in paths.items()
    ...     ),
    ... )
    >>> simulation = simulate(catalog, n_sessions=100, rng=np.random.default_rng(0))
    >>> simulation.sessions["session_id"].nunique()
    100
    """
    if n_sessions < 1:
        raise ValueError(f"n_sessions must be at least 1, got {n_sessions}.")
    knobs = settings or SimulationSettings()
    chain = workflow or Workflow()
    # A stream for each concern, so that a knob of one does not change the others' draws.
    worlds, people, arrivals, steps, mishaps, pauses, words = rng.spawn(7)
    resources = ResourceMap.of_catalog(catalog, moves=chain.moves)
    drifts = knobs.drift_day is not None
    regimes = draw_regimes(
        catalog,
        resources,
        chain,
        zipf=knobs.zipf,
        drift=knobs.drift if drifts else None,
        rng=worlds,
    )
    users = draw_users(knobs.users, regimes.popularity, rng=people)
    rates = session_rates(knobs.start, knobs.days, week_profile())
    starts = draw_starts(rates, n_sessions, rng=arrivals)
    drift_at = np.inf if knobs.drift_day is None else knobs.drift_day * 86_400
    regime = (starts >= drift_at).astype(np.int64)
    user = users.draw(n_sessions, rng=people)
    walk = walk_sessions(
        resources,
        regimes,
        users,
        user=user,
        regime=regime,
        repeat=knobs.repeat,
        max_calls=knobs.max_calls,
        rng=steps,
    )
    calls = add_noise(walk, knobs.noise, n_operations=len(catalog), rng=mishaps)
    session = np.repeat(np.arange(n_sessions), calls.lengths)
    states_goal = words.random(n_sessions) < knobs.session_goal
    goal = np.where(
        states_goal[session],
        _session_goals(walk, resources)[session],
        walk.operation[calls.source],
    )
    writer = PromptWriter(catalog, prompts or {})
    written = writer.write(goal, rng=words, progress=progress)
    said = _say_once(written, calls, session, states_goal)
    ids = np.array([operation.operation_id for operation in catalog], dtype=object)
    width = max(6, len(str(n_sessions - 1)))
    session_ids = np.array([f"s{row:0{width}d}" for row in range(n_sessions)], dtype=object)
    first = np.cumsum(calls.lengths) - calls.lengths
    frame = pd.DataFrame(
        {
            "session_id": pd.Series(session_ids[session], dtype="string"),
            "user_id": pd.Series(np.array(users.ids, dtype=object)[user[session]], dtype="string"),
            "step": np.arange(len(session)) - first[session],
            "time": _times(knobs, starts, users, user, calls, session, rng=pauses),
            "operation_id": pd.Series(ids[calls.operation], dtype="string"),
            "prompt": pd.Series(said, dtype="string"),
            "outcome": pd.Series(
                np.where(
                    calls.failed, "error", np.where(calls.kind == RETRY, "retry", "ok")
                ).astype(object),
                dtype="string",
            ),
        }
    )
    truth = Truth(
        settings=knobs,
        resources=resources,
        regimes=regimes,
        drift_time=(
            None if knobs.drift_day is None else knobs.start + timedelta(days=knobs.drift_day)
        ),
        rates=rates,
        users=users.to_frame(),
        sessions=pd.DataFrame(
            {
                "session_id": pd.Series(session_ids, dtype="string"),
                "start": starts,
                "regime": regime,
                "abandoned": calls.abandoned,
                "cut": walk.lengths == knobs.max_calls,
                "states_goal": states_goal,
            }
        ),
        calls=pd.DataFrame(
            {
                "kind": pd.Series(np.array(KINDS, dtype=object)[calls.kind], dtype="string"),
                "meant_id": pd.Series(ids[walk.operation[calls.source]], dtype="string"),
                "goal_id": pd.Series(ids[goal], dtype="string"),
                "resource": walk.resource[calls.source],
            }
        ),
    )
    return Simulation(catalog=catalog, sessions=frame, truth=truth)


def _session_goals(walk: Walk, resources: ResourceMap) -> NDArray[np.int64]:
    """Give what each session was about: the last change, else look, in the service it began in."""
    session = np.repeat(np.arange(len(walk.lengths)), walk.lengths)
    place = np.arange(len(session))
    service = resources.service_of[resources.group_of[walk.operation]]
    at_home = service == service[walk.offsets[:-1]][session]
    changes = at_home & ~np.isin(resources.state_of[walk.operation], _LOOKING)
    last_call, last_change = (np.full(len(walk.lengths), -1) for _ in range(2))
    np.maximum.at(last_call, session[at_home], place[at_home])
    np.maximum.at(last_change, session[changes], place[changes])
    return walk.operation[np.where(last_change >= 0, last_change, last_call)]


def _say_once(
    written: list[str],
    calls: NoisyCalls,
    session: NDArray[np.int64],
    states_goal: NDArray[np.bool_],
) -> NDArray[np.object_]:
    """Let calls for one wish carry one prompt: a retry, a wrong call, a session's goal."""
    wish = np.where(states_goal[session], -1 - session, calls.source)
    _, first, which = np.unique(wish, return_index=True, return_inverse=True)
    texts = np.array(written, dtype=object)
    said: NDArray[np.object_] = texts[first[which]]
    return said


def _times(
    knobs: SimulationSettings,
    starts: NDArray[np.float64],
    users: Users,
    user: NDArray[np.int64],
    calls: NoisyCalls,
    session: NDArray[np.int64],
    *,
    rng: np.random.Generator,
) -> pd.Series:
    """Give the time of each call: the session's start, then gaps at the user's pace."""
    n = len(session)
    gaps = knobs.gaps.draw(n, rng=rng) * users.pace[user[session]]
    gaps = np.where(calls.kind == RETRY, rng.exponential(_RETRY_GAP, n), gaps)
    first = np.cumsum(calls.lengths) - calls.lengths
    gaps[first] = 0.0
    running = np.cumsum(gaps)
    seconds = starts[session] + running - running[first][session]
    micro = np.round(seconds * 1e6).astype("timedelta64[us]")
    begin = np.datetime64(knobs.start.astimezone(UTC).replace(tzinfo=None), "us")
    return pd.Series(begin + micro).dt.tz_localize("UTC")
