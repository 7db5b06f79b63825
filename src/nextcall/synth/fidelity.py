"""Does a simulation do what it says? Each measure beside what theory expects of it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from nextcall.synth.clock import elapsed_share
from nextcall.synth.noise import KINDS, RETRY, WORKFLOW
from nextcall.synth.simulate import Simulation
from nextcall.synth.workflow import STATES

_N = len(STATES)
_LEVEL = 0.001  # how often a test fails where nothing is wrong
_FEWEST = 5.0  # variance or expected count below which cells are pooled: the usual rule of five


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Choices:
    """Every place where the chain chose what comes next; arrays of one length."""

    last: NDArray[np.int64]
    """State of the call before."""
    position: NDArray[np.int64]
    """Calls of the workflow so far, at least 1."""
    regime: NDArray[np.int64]
    ended: NDArray[np.bool_]
    """Whether the session ended; it did not where it was left by mistake."""
    end_chance: NDArray[np.float64]
    followed: NDArray[np.int64]
    """Choices (positions in the arrays above) where the next call is known."""
    chosen: NDArray[np.int64]
    """State of that next call."""
    chances: NDArray[np.float64]
    """Shape (len(followed), n_states): probability of each state, given that the session goes on
    and with which resource."""


def fidelity(simulation: Simulation) -> pd.DataFrame:
    """Measure how well a simulation shows what it was made of.

    States are read back from the operations that were called and times from the table; the truth
    says which calls were noise, which sessions were left or cut, and at which resource each call
    was drawn.

    Returns
    -------
    pandas.DataFrame
        One row a measure: ``name``, ``value``, ``expectation`` (of the value where nothing is
        wrong), ``limit`` and ``passes``. An error passes up to its limit, which it exceeds once in
        a thousand right simulations at most. A p-value is uniform on [0, 1] for a right
        simulation and passes from 0.001 up. ``nan``, which passes, where there is nothing to test.

    Notes
    -----
    Resources differ in what they have operations for, so every step has probabilities of its own.
    The counts of what followed a state, less the sum of those probabilities, are a martingale:
    their quadratic form in the pseudo-inverse of the summed covariances ``diag(p) - p p'`` is
    chi-square distributed with the rank as degrees of freedom (martingale central limit theorem).
    Where all probabilities are alike, this is Pearson's test. The limit of the error is that of
    Azuma and Hoeffding, with Bonferroni's correction for the number of cells.
    """
    choices = _choices(simulation)
    error, limit = _matrix_error(choices)
    rows = [
        ("transition matrix, largest error", error, 0.0, limit, not error > limit),
        _test("transitions, chi-square p-value", _transition_test(choices)),
        _test("session lengths, chi-square p-value", _length_test(choices)),
        _test("gaps between calls, Kolmogorov-Smirnov p-value", _gap_test(simulation)),
        _test("starts of sessions, Kolmogorov-Smirnov p-value", _start_test(simulation)),
        _test("hours of the week, chi-square p-value", _profile_test(simulation)),
    ]
    return pd.DataFrame(rows, columns=["name", "value", "expectation", "limit", "passes"])


def recovered_matrix(simulation: Simulation, *, regime: int = 0) -> NDArray[np.float64]:
    """Estimate the transition matrix of states from the sessions of one regime.

    Where every resource has operations for every state, this is an estimate of the workflow's
    matrix; elsewhere stand-ins take the part of states that resources lack.

    Returns
    -------
    numpy.ndarray of shape (n_states, n_states + 1)
        Shares of what followed each state, the session's end last; nan where nothing is known.
    """
    choices = _choices(simulation)
    counts, ends, steps = _counts(choices, choices.regime == regime)
    with np.errstate(invalid="ignore"):
        share = ends / steps
        following = counts / counts.sum(axis=1, keepdims=True) * (1 - share)[:, None]
    return np.column_stack([following, share])


def _test(name: str, pvalue: float) -> tuple[str, float, float, float, bool]:
    return name, pvalue, 0.5, _LEVEL, not pvalue < _LEVEL


def _choices(simulation: Simulation) -> _Choices:
    truth = simulation.truth
    resources, regimes = truth.resources, truth.regimes
    planned = (truth.calls["kind"] == KINDS[WORKFLOW]).to_numpy(dtype=bool)
    session = _session_rows(simulation)[planned]
    positions = simulation.catalog.positions
    called = simulation.sessions["operation_id"].to_numpy(dtype=object)[planned]
    state = resources.state_of[[positions[operation_id] for operation_id in called]]
    mask = resources.mask_of[truth.calls["resource"].to_numpy()[planned]]
    first = np.flatnonzero(np.diff(session, prepend=-1))
    position = np.arange(len(session)) - first[session] + 1
    is_last = np.append(session[1:] != session[:-1], True)
    abandoned = truth.sessions["abandoned"].to_numpy()[session]
    regime = truth.sessions["regime"].to_numpy()[session]
    known = np.flatnonzero(position < truth.settings.max_calls)  # no choice after the last allowed
    end_chance = regimes.transitions[regime, 0, state, _N]
    goes_on = np.flatnonzero(~is_last[known])
    here = known[goes_on]
    chances = regimes.transitions[regime[here], mask[here + 1], state[here], :_N]
    return _Choices(
        last=state[known],
        position=position[known],
        regime=regime[known],
        ended=(is_last & ~abandoned)[known],
        end_chance=end_chance[known],
        followed=goes_on,
        chosen=state[here + 1],
        chances=chances / (1 - end_chance[here])[:, None],
    )


def _session_rows(simulation: Simulation) -> NDArray[np.int64]:
    """Give the number of each call's session; sessions stand one after the other."""
    ids = simulation.sessions["session_id"].to_numpy(dtype=object)
    return np.cumsum(np.append(False, ids[1:] != ids[:-1]))


def _counts(
    choices: _Choices, which: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Count next states and ends by last state, and the choices there were."""
    inside = which[choices.followed]
    last = choices.last[choices.followed]
    counts = np.zeros((_N, _N))
    np.add.at(counts, (last[inside], choices.chosen[inside]), 1.0)
    ends = np.bincount(choices.last[which & choices.ended], minlength=_N).astype(np.float64)
    steps = np.bincount(choices.last[which], minlength=_N).astype(np.float64)
    return counts, ends, steps


def _expected(choices: _Choices) -> NDArray[np.float64]:
    """Sum the chances of each next state by last state."""
    expected = np.zeros((_N, _N))
    np.add.at(expected, choices.last[choices.followed], choices.chances)
    return expected


def _matrix_error(choices: _Choices) -> tuple[float, float]:
    """Give the error of a next state's share that lies worst beside its limit, and that limit."""
    counts, _, _ = _counts(choices, np.ones(len(choices.last), dtype=bool))
    n = counts.sum(axis=1)
    if not n.any():
        return np.nan, np.nan
    seen = n > 0
    errors = np.abs(counts - _expected(choices))[seen].max(axis=1) / n[seen]
    limits = np.sqrt(np.log(2 * _N * seen.sum() / _LEVEL) / (2 * n[seen]))
    worst = int((errors / limits).argmax())
    return float(errors[worst]), float(limits[worst])


def _transition_test(choices: _Choices) -> float:
    """Test next states and ends together, state by state; see the notes of `fidelity`."""
    counts, ends, _ = _counts(choices, np.ones(len(choices.last), dtype=bool))
    surplus = counts - _expected(choices)
    last = choices.last[choices.followed]
    statistic, freedom = 0.0, 0
    for state in range(_N):
        chances = choices.chances[last == state]
        covariance = np.diag(chances.sum(axis=0)) - chances.T @ chances
        many = np.diag(covariance) >= _FEWEST  # rare next states are pooled into the missing one
        if many.any():
            part = covariance[np.ix_(many, many)]
            rank = int(np.linalg.matrix_rank(part, hermitian=True))
            inverse = np.linalg.pinv(part, hermitian=True)
            statistic += surplus[state, many] @ inverse @ surplus[state, many]
            freedom += rank
        chance = choices.end_chance[choices.last == state]
        variance = (chance * (1 - chance)).sum()
        if variance >= _FEWEST:
            statistic += (ends[state] - chance.sum()) ** 2 / variance
            freedom += 1
    return float(stats.chi2.sf(statistic, freedom)) if freedom else np.nan


def _length_test(choices: _Choices) -> float:
    """Test how many sessions ended after each number of calls; the longest are pooled."""
    variance = np.bincount(choices.position, choices.end_chance * (1 - choices.end_chance))
    surplus = np.bincount(choices.position, choices.ended - choices.end_chance)
    enough = int(np.cumprod(variance[1:] >= _FEWEST).sum())
    bins = np.minimum(np.arange(len(variance)), max(enough, 1))
    variance = np.bincount(bins, variance)[1:]
    surplus = np.bincount(bins, surplus)[1:]
    tested = variance >= _FEWEST
    if not tested.any():
        return np.nan
    return float(stats.chi2.sf((surplus[tested] ** 2 / variance[tested]).sum(), tested.sum()))


def _gap_test(simulation: Simulation) -> float:
    """Test the seconds between calls, at the pace of each user, against their law."""
    truth = simulation.truth
    frame = simulation.sessions
    session = _session_rows(simulation)
    seconds = frame["time"].diff().dt.total_seconds().to_numpy()
    pace = frame["user_id"].map(truth.users.set_index("user_id")["pace"]).to_numpy(dtype=float)
    drawn = np.append(False, session[1:] == session[:-1])
    drawn &= (truth.calls["kind"] != KINDS[RETRY]).to_numpy(dtype=bool)
    if not drawn.any():
        return np.nan
    gaps = np.maximum(seconds[drawn] / pace[drawn], 1e-6)  # times are whole microseconds
    return float(stats.kstest(truth.settings.gaps.cdf(gaps), "uniform").pvalue)


def _starts(simulation: Simulation) -> NDArray[np.float64]:
    """Give when each session began, in seconds after the first moment."""
    times = simulation.sessions["time"][np.diff(_session_rows(simulation), prepend=-1) > 0]
    since = times - simulation.truth.settings.start
    return np.asarray(since.dt.total_seconds(), dtype=np.float64)


def _start_test(simulation: Simulation) -> float:
    """Test whether the process of sessions is uniform in its own cumulative rate."""
    share = elapsed_share(_starts(simulation), simulation.truth.rates)
    return float(stats.kstest(share, "uniform").pvalue)


def _profile_test(simulation: Simulation) -> float:
    """Test the sessions' number in each hour of the week; hours that expect few are pooled."""
    truth = simulation.truth
    hours = len(truth.rates)
    hour = np.minimum((_starts(simulation) / 3600).astype(np.int64), hours - 1)
    week = np.arange(hours) % 168
    counts = np.bincount(week[hour], minlength=week.max() + 1).astype(np.float64)
    expected = np.bincount(week, truth.rates) / truth.rates.sum() * len(hour)
    few = expected < _FEWEST
    cells = np.append(counts[~few], counts[few].sum())
    means = np.append(expected[~few], expected[few].sum())
    kept = means > 0
    if kept.sum() < 2:
        return np.nan
    return float(stats.chisquare(cells[kept], means[kept]).pvalue)
