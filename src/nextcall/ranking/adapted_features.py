"""What a target's own questions and sessions say of the candidates of one more question."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from nextcall.ranking.answer_votes import AnswerVotes, TermVotes
from nextcall.ranking.array_file import ArrayGroup, within
from nextcall.ranking.call_counts import CallCounts
from nextcall.ranking.feature_table import Feature
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.likeness import PromptLikeness, Question
from nextcall.ranking.state_votes import StateVotes
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Query
from nextcall.sessions.queries import observed_sessions


def _f(name: str, formula: str, unit: str, low: float = 0.0, high: float = float("inf")) -> Feature:
    return Feature(name=name, formula=formula, unit=unit, low=low, high=high)


_ANY: Final = float("inf")
ADAPTED_FEATURES: Final = (
    # What the base ranker says; its own features stand before these.
    _f("base_score", "score of the base ranker", "score", -_ANY),
    _f("base_gap", "highest base_score minus this one", "score"),
    _f("base_share", "softmax of base_score over the candidates", "share", 0, 1),
    _f("base_rank", "rank by base_score, from 0", "rank"),
    _f("asks_for_all", "1 where any call of the task is right, 0 for the next one", "0 or 1", 0, 1),
    # Prompts: likeness is half cosine of vectors, half of tf-idf.
    _f("prompt_regression", "ridge regression of answers on prompts", "probability", -_ANY),
    _f("prompt_regression_gap", "highest prompt_regression minus this one", "probability"),
    _f("prompt_nearest", "likeness of the nearest prompt that it answered", "likeness", -1, 1),
    _f("prompt_nearest_gap", "highest prompt_nearest minus this one", "likeness"),
    _f("prompt_few_nearest", "mean likeness of the three nearest", "likeness", -1, 1),
    _f("prompt_votes", "share of prompts that it answered, like ones weighing more", "share", 0, 1),
    _f("term_votes", "naive Bayes of its prompts' terms", "log ratio", -_ANY),
    _f("uncalled_regression", "prompt_regression, 0 where it was called", "probability", -_ANY),
    _f("uncalled_sum", "sum of uncalled_regression over the catalogue", "calls", -_ANY),
    _f("last_regression", "prompt_regression of the last call", "probability", -_ANY),
    _f("turns_regression", "highest prompt_regression after an earlier turn", "probability", -_ANY),
    _f("n_turns", "earlier turns of the user", "turns"),
    # Sessions.
    _f("popularity", "share of the calls", "share", 0, 1),
    _f("first_probability", "share of sessions that it opens", "probability", 0, 1),
    _f("following", "P(it | last call)", "probability", 0, 1),
    _f("following_two", "P(it | last two calls)", "probability", 0, 1),
    _f("following_lift", "log of following / popularity", "log ratio", -_ANY),
    _f("following_seen", "times that the last call was seen before another", "calls"),
    _f("later_mean", "P(it comes later | a call of the last ten), mean", "probability", 0, 1),
    _f("later_max", "the same, highest", "probability", 0, 1),
    _f("repeats", "share of its sessions that call it again", "share", 0, 1),
    _f("calls_left", "its calls in a session that has it minus those so far", "calls", -_ANY),
    # Prompts and calls together.
    _f("state_regression", "ridge regression of next calls on states", "probability", -_ANY),
    _f("state_regression_gap", "highest state_regression minus this one", "probability"),
    _f("state_nearest", "likeness of the nearest state that it followed", "likeness", -1, 1),
    _f("state_votes", "share of states that it followed, like ones weighing more", "share", 0, 1),
)  # fmt: skip
"""Columns after those of `FEATURES`; NaN where nothing is known of it."""

ADAPTED_NAMES: Final = tuple(feature.name for feature in ADAPTED_FEATURES)
_COLUMN: Final = {name: column for column, name in enumerate(ADAPTED_NAMES)}
_MOST: Final = 3_000  # prompts, and states, that are compared: every pair of them is looked at
_UNKNOWN: Final = np.float32(np.nan)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with all that its adapted features need."""

    question: Question
    whole: bool
    """Any call of the task is a right answer, not only the next one."""
    turns: tuple[Question, ...] = ()
    """Earlier turns of the user."""


def ask(index: CatalogIndex, query: Query, *, vectors: NDArray[np.float32] | None = None) -> Asked:
    """Look at a query as evidence does; its right answers are not looked at.

    Parameters
    ----------
    vectors : array of shape (1 + n_turns, dimensions), optional
        Of the prompt and of the earlier turns; the index encodes, and keeps, what is not given.
    """
    if vectors is None:
        vectors = index.encode_prompts([query.prompt, *query.context])
    called = index.positions([call.operation_id for call in query.history])
    return Asked(
        Question.of(query.prompt, vectors[0], called),
        query.task == "retrieval",
        tuple(
            Question.of(text, vector)
            for text, vector in zip(query.context, vectors[1:], strict=True)
        ),
    )


class TargetEvidence:
    """What the queries of some sessions over one catalogue teach about it.

    Parameters
    ----------
    index : CatalogIndex
    queries : sequence of Query
        At least one, with right answers; of prompts and of states the last 3,000 are compared,
        of calls all are counted.
    prior : WorkflowPrior
        What follows what in any API.

    Attributes
    ----------
    content_hash : str
        Of the catalogue.
    encoder : str
        Name of what encoded the prompts.
    ordered : bool
        Whether it knows sessions, or only what prompts were answered with.
    """

    def __init__(self, index: CatalogIndex, queries: Sequence[Query], prior: WorkflowPrior) -> None:
        n = len(index)
        self._n = n
        self.content_hash = index.catalog.content_hash
        self.encoder = index.embedder.name
        asked, answers = _prompts(index, queries)
        self._prompts = PromptLikeness(asked)
        self._prompt_votes = AnswerVotes(self._prompts.matrix(), answers, n)
        self._term_votes = TermVotes(asked, answers, n)
        runs = [
            index.positions([call.operation_id for call in session.calls])
            for session in observed_sessions(queries)
        ]
        runs = [run for run in runs if len(run)]
        self._counts = CallCounts(runs or answers, index.statics, prior)
        self.ordered = bool(runs)
        steps = [query for query in queries if query.task == "next_call"][-_MOST:]
        self._states = None
        if steps:
            nexts = [index.positions(query.relevant) for query in steps]
            self._states = StateVotes([ask(index, query).question for query in steps], nexts, n)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Give plain arrays that `from_arrays` reads back exactly."""
        arrays = within("prompts", self._prompts.to_arrays())
        arrays |= within("votes", self._prompt_votes.to_arrays())
        arrays |= within("terms", self._term_votes.to_arrays())
        arrays |= within("counts", self._counts.to_arrays())
        return arrays | within("states", {} if self._states is None else self._states.to_arrays())

    @classmethod
    def from_arrays(
        cls,
        arrays: ArrayGroup,
        prior: WorkflowPrior,
        *,
        content_hash: str,
        encoder: str,
        ordered: bool,
    ) -> Self:
        """Read what `to_arrays` gave.

        Parameters
        ----------
        prior, content_hash, encoder, ordered
            That it had.

        Raises
        ------
        ValueError
            Where the arrays are not of that form.
        """
        evidence: Self = cls.__new__(cls)
        evidence.content_hash, evidence.encoder = content_hash, encoder
        evidence._counts = CallCounts.from_arrays(arrays.within("counts"), prior)
        evidence._n = n = len(evidence._counts.calls)
        evidence._prompts = prompts = PromptLikeness.from_arrays(arrays.within("prompts"))
        evidence._prompt_votes = AnswerVotes.from_arrays(
            arrays.within("votes"), n=len(prompts), n_operations=n
        )
        evidence._term_votes = TermVotes.from_arrays(arrays.within("terms"), n_operations=n)
        evidence.ordered = ordered
        states = arrays.within("states")
        known = arrays.holds("states")
        evidence._states = StateVotes.from_arrays(states, n_operations=n) if known else None
        return evidence

    def suggest(self, asked: Asked, *, n: int) -> NDArray[np.int64]:
        """Rows of the `n` operations that the evidence speaks for most, in no order."""
        question = asked.question
        likeness = self._prompts.to(question)
        total = self._prompt_votes.regression(likeness)
        if self._states is not None and not asked.whole:
            total = total + self._states.votes.regression(self._states.likeness(question))
        if len(question.called):
            total = total + self._counts.following(question.called)[0]
        else:
            total = total + self._counts.first
        return np.argpartition(-total, min(n, self._n) - 1)[:n]

    def features(
        self, asked: Asked, rows: NDArray[np.int64], base: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Compute the features of `ADAPTED_FEATURES` for candidates.

        Parameters
        ----------
        rows : array of shape (n_candidates,)
            Rows of the candidates in the catalogue.
        base : array of shape (n_candidates,)
            Their scores by the base ranker.

        Returns
        -------
        array of shape (n_candidates, n_features)
        """
        question, counts = asked.question, self._counts
        likeness = self._prompts.to(question)
        columns: dict[str, NDArray[np.float64] | float] = _base_columns(base)
        columns["asks_for_all"] = float(asked.whole)
        columns["n_turns"] = len(asked.turns)
        every = {"popularity": counts.popularity} | self._prompt_columns(question, likeness)
        regression = every["prompt_regression"]
        left = regression.copy()
        left[question.called] = 0.0
        every["uncalled_regression"] = left
        columns["uncalled_sum"] = float(left.sum())
        if asked.turns:
            each = [self._prompt_votes.regression(self._prompts.to(turn)) for turn in asked.turns]
            every["turns_regression"] = np.max(each, axis=0)
        if self.ordered:
            times = np.bincount(question.called, minlength=self._n)
            every |= {
                "first_probability": counts.first,
                "repeats": counts.repeats,
                "calls_left": counts.calls_a_session - times,
            }
        if len(question.called):
            columns["last_regression"] = regression[question.called[-1]]
        if len(question.called) and self.ordered:
            following, columns["following_seen"] = counts.following(question.called)
            every["following"] = following
            every["following_two"] = counts.following_two(question.called, following)
            every["following_lift"] = np.log(following / counts.popularity)
            every["later_mean"], every["later_max"] = counts.later(question.called)
        if self._states is not None:
            every |= self._states.columns(question)
        for name, values in every.items():
            columns[name] = values[rows]
        table = np.full((len(ADAPTED_NAMES), len(rows)), _UNKNOWN, dtype=np.float32)
        for name, column in columns.items():
            table[_COLUMN[name]] = column
        return np.ascontiguousarray(table.T)

    def _prompt_columns(
        self, question: Question, likeness: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        votes = self._prompt_votes
        regression, nearest = votes.regression(likeness), votes.nearest(likeness)
        return {
            "prompt_regression": regression,
            "prompt_regression_gap": regression.max() - regression,
            "prompt_nearest": nearest,
            "prompt_nearest_gap": nearest.max() - nearest,
            "prompt_few_nearest": votes.few_nearest(likeness),
            "prompt_votes": votes.votes(likeness),
            "term_votes": self._term_votes.lifts(question),
        }


def _base_columns(base: NDArray[np.float64]) -> dict[str, NDArray[np.float64] | float]:
    share = np.exp(base - base.max())
    rank = np.empty(len(base))
    rank[np.argsort(-base, kind="stable")] = np.arange(len(base))
    return {
        "base_score": base,
        "base_gap": base.max() - base,
        "base_share": share / share.sum(),
        "base_rank": rank,
    }


def _prompts(
    index: CatalogIndex, queries: Sequence[Query]
) -> tuple[list[Question], list[NDArray[np.int64]]]:
    """Give each prompt of a session once, with all that its session called for it."""
    answers: dict[tuple[str, str], dict[str, None]] = {}
    for query in queries:
        known = answers.setdefault((query.session_id or query.query_id, query.prompt), {})
        known |= dict.fromkeys((*query.relevant, *query.remaining))
    kept = list(answers.items())[-_MOST:]
    texts = [prompt for (_, prompt), _ in kept]
    vectors = index.encode_prompts(texts)
    asked = [Question.of(text, vector) for text, vector in zip(texts, vectors, strict=True)]
    return asked, [index.positions(list(known)) for _, known in kept]
