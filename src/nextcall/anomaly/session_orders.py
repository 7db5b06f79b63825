"""Sessions whose calls come in an unusual order, told call by call."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from nextcall.anomaly.session_score import SessionScore, SurprisingCall
from nextcall.anomaly.session_tails import share_as_odd, surprise_of_unknown
from nextcall.sessions.table import check_sessions
from nextcall.sessions.transitions import Transitions

LEAST_SESSIONS: Final = 20
"""Sessions with a call that `SessionOrders.fit` needs."""

_PRIOR_CALLS: Final = 4.0  # usual calls that a session begins with: one odd call is no odd session
_TOLD: Final = 3  # operations that an explanation lists
_KEPT: Final = 50_000  # histories whose distribution is not computed again


@dataclass(slots=True)
class _Course:
    """A session as far as it has come."""

    near: tuple[str, ...] = ()
    calls: int = 0
    unknown: int = 0
    excess: float = 0.0
    highest: float = -math.inf
    strangest: tuple[float, int, str, tuple[str, ...]] = field(default=(-math.inf, 0, "", ()))

    @property
    def statistic(self) -> float:
        return self.excess / (self.calls + _PRIOR_CALLS)


class SessionOrders(OutlierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Scores sessions by the likelihood of their calls under the n-gram model of all sessions.

    A call's excess is its surprise, -log of its probability after the calls before it, less the
    surprise that the model expects there: where much may follow, no call is odd. Their sum over
    the calls so far, divided by their number and four, is the session's excess a call.

    Judged anew at every call, a session has many chances to look odd. So the highest excess a call
    so far is held against the highest that the training sessions ever come to, each scored by a
    model of the other folds: `rate` is the share of usual sessions that are told as odd at any of
    their calls, and what was odd once stays so. Sessions longer than usual have more chances than
    that.

    An operation that no training session has surprises as rarely as the training sessions have one
    that no other fold has, and no less than the least likely one does in the models of the folds,
    which saw fewer calls.

    Parameters
    ----------
    rate : float
        Share of usual sessions that are told as odd, at whatever call, in (0, 0.5].
    order : int
        Longest run of calls that the model counts, at least 1; as `Transitions.fit`.
    folds : int
        Models by which the training sessions are scored, at least 2.

    Attributes
    ----------
    model_ : Transitions
        Of all training sessions.
    held_out_ : list of numpy.ndarray
        Excess a call of the training sessions after 1, 2, ... calls, each under a model without
        its session, in rising order; as far as 20 sessions go.
    highest_ : numpy.ndarray of shape (n_sessions,)
        The highest of these of each training session, in rising order.

    Examples
    --------
    >>> from nextcall.sessions import calls_of
    >>> from nextcall.sessions.call import Session
    >>> from nextcall.sessions.table import sessions_to_frame
    >>> usual = ["list", "get", "update", "get", "delete"]
    >>> sessions = sessions_to_frame(
    ...     [
    ...         Session(session_id=str(n), user_id="u", calls=calls_of(usual[: 2 + n % 4]))
    ...         for n in range(100)
    ...     ]
    ... )
    >>> detector = SessionOrders(rate=0.02).fit(sessions)
    >>> [detector.update(call) >= 0.5 for call in ["list", "get", "update"]]
    [False, False, False]
    >>> detector.update("list") >= 0.5
    True
    >>> detector.latest().strangest.expected[0][0]
    'get'
    """

    def __init__(self, *, rate: float = 0.01, order: int = 3, folds: int = 10) -> None:
        self.rate = rate
        self.order = order
        self.folds = folds

    def fit(self, sessions: pd.DataFrame, y: object = None) -> Self:  # noqa: ARG002  # scikit-learn's
        """Learn what usually follows what, and how odd usual sessions are.

        Parameters
        ----------
        sessions : pandas.DataFrame
            A session table; its rows of one session in order.
        y : object
            Not looked at.

        Raises
        ------
        ValueError
            Where an option is out of range, the table breaks a rule or has under 20 sessions.
        """
        if not 0.0 < self.rate <= 0.5:
            raise ValueError(f"rate must be above 0 and at most 0.5, got {self.rate}.")
        if self.folds < 2:
            raise ValueError(f"folds must be at least 2, got {self.folds}.")
        sequences = list(_sequences(sessions).values())
        if len(sequences) < LEAST_SESSIONS:
            raise ValueError(
                f"sessions must be at least {LEAST_SESSIONS} to learn from, got {len(sequences)}."
            )
        self._unknown = surprise_of_unknown(sequences, folds=self.folds)
        held_out: list[list[float]] = []
        highest = []
        for fold in range(self.folds):
            others = [each for at, each in enumerate(sequences) if at % self.folds != fold]
            self._use(Transitions.fit(others, order=self.order))
            for calls in sequences[fold :: self.folds]:
                course = _Course()
                for step, call in enumerate(calls):
                    self._advance(course, call)
                    if step == len(held_out):
                        held_out.append([])
                    held_out[step].append(course.statistic)
                highest.append(course.highest)
        unknown_less = math.log(self.folds / (self.folds - 1))
        self._use(Transitions.fit(sequences, order=self.order), unknown_less=unknown_less)
        self.held_out_ = [np.sort(each) for each in held_out if len(each) >= LEAST_SESSIONS]
        self.highest_ = np.sort(highest)
        self._courses: dict[str, _Course] = {}
        return self

    def update(self, operation_id: str, session_id: str = "") -> float:
        """Score a session with its next call; `latest` explains.

        Returns
        -------
        float
            In [0, 1]; from 0.5 on the session is odd, at this call or one before. It never falls.

        Raises
        ------
        ValueError
            Where the operation is no text, or empty.
        """
        check_is_fitted(self)
        if not (operation_id and type(operation_id) is str):
            raise ValueError(f"operation_id must be text and not empty, got {operation_id!r}.")
        course = self._courses.setdefault(session_id, _Course())
        self._advance(course, operation_id)
        return self._risk(share_as_odd(self.highest_, course.highest))

    def latest(self, session_id: str = "") -> SessionScore:
        """Explain a session as far as it has come.

        Raises
        ------
        KeyError
            Where it has no call.
        """
        return self._told(self._courses[session_id])

    def forget(self, session_id: str = "") -> None:
        """End a session: its next call will be a first one; nothing where there is none."""
        self._courses.pop(session_id, None)

    def score(self, sessions: pd.DataFrame) -> dict[str, SessionScore]:
        """Score whole sessions, by id in the order of the table; as `update` on each call."""
        return {name: self._told(course) for name, course in self._all(sessions).items()}

    def score_samples(self, sessions: pd.DataFrame) -> NDArray[np.float64]:
        """Score whole sessions in the order of the table; the lower the odder.

        The natural logarithm of the share of usual sessions that are at least as odd after as many
        calls. `score` and `predict` go by the highest excess a call instead, which may be early in
        a session; that after the last call tells orders apart a little better.
        """
        told = self._all(sessions).values()
        last = len(self.held_out_) - 1
        return np.log(
            [
                share_as_odd(self.held_out_[min(each.calls - 1, last)], each.statistic)
                for each in told
            ]
        )

    def predict(self, sessions: pd.DataFrame) -> NDArray[np.int64]:
        """Say -1 of sessions that are odd at any call, else 1, in the order of the table."""
        odd = [each.score >= 0.5 for each in self.score(sessions).values()]
        return np.where(np.array(odd, dtype=bool), -1, 1)

    def _all(self, sessions: pd.DataFrame) -> dict[str, _Course]:
        check_is_fitted(self)
        return {name: self._follow(calls) for name, calls in _sequences(sessions).items()}

    def _follow(self, calls: Iterable[str]) -> _Course:
        course = _Course()
        for call in calls:
            self._advance(course, call)
        return course

    def _use(self, model: Transitions, *, unknown_less: float = 0.0) -> None:
        self.model_ = model
        self._unknown_less = unknown_less
        self._moments: dict[tuple[str, ...], tuple[float, float]] = {}

    def _advance(self, course: _Course, call: str) -> None:
        near = course.near
        expected, largest = self._surprise_after(near)
        position = self.model_.positions.get(call)
        if position is None:
            surprise = max(largest - self._unknown_less, self._unknown)
            course.unknown += 1
        else:
            share = self.model_.probabilities(near, among=np.array([position]))[0]
            surprise = -math.log(share)
        excess = surprise - expected
        if excess > course.strangest[0]:
            course.strangest = excess, course.calls, call, near
        course.excess += excess
        course.calls += 1
        course.highest = max(course.highest, course.statistic)
        course.near = (*near, call)[-(self.order - 1) :] if self.order > 1 else ()

    def _surprise_after(self, near: tuple[str, ...]) -> tuple[float, float]:
        """Give the mean surprise of a next call, and the largest."""
        if (known := self._moments.get(near)) is not None:
            return known
        if len(self._moments) == _KEPT:
            self._moments.clear()
        shares = self.model_.probabilities(near)
        surprises = -np.log(shares)
        moments = float(shares @ surprises), float(surprises.max())
        self._moments[near] = moments
        return moments

    def _risk(self, probability: float) -> float:
        return float(self.rate / (self.rate + probability))

    def _told(self, course: _Course) -> SessionScore:
        excess, step, call, near = course.strangest
        shares = self.model_.probabilities(near)
        best = np.argsort(-shares, kind="stable")[:_TOLD]
        probability = share_as_odd(self.highest_, course.highest)
        return SessionScore(
            score=self._risk(probability),
            excess=course.statistic,
            probability=probability,
            calls=course.calls,
            unknown=course.unknown,
            strangest=SurprisingCall(
                step=step,
                operation_id=call,
                excess=excess,
                expected=tuple((self.model_.states[at], float(shares[at])) for at in best),
            ),
        )


def _sequences(sessions: pd.DataFrame) -> dict[str, Sequence[str]]:
    """Give the calls of each session of a table, in its order."""
    table = check_sessions(sessions)
    calls: dict[str, list[str]] = {}
    pairs = zip(table["session_id"].tolist(), table["operation_id"].tolist(), strict=True)
    for session_id, operation_id in pairs:
        calls.setdefault(session_id, []).append(operation_id)
    return dict(calls)
