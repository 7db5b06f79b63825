"""The recipe: from prompts and sessions to a trained, calibrated ranker."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog import Catalog
from nextcall.progress import Progress, silent
from nextcall.ranking.boosting import BoostingSettings
from nextcall.ranking.candidates import N_CANDIDATES, RETRIEVER_WEIGHTS
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.rows import QueryRows, query_rows
from nextcall.ranking.training_prompts import TrainingPrompts
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Query, Session
from nextcall.sessions.awscli_examples import with_history
from nextcall.sessions.queries import next_call_queries
from nextcall.sessions.table import sessions_from_frame
from nextcall.synth.simulate import simulate
from nextcall.training.session_parts import session_of, session_parts

_FEWEST_OPERATIONS = 20  # a catalogue too small to walk through teaches no transitions


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that decides what is learned, but the data."""

    boosting: BoostingSettings = field(
        default_factory=lambda: BoostingSettings(
            trees=60,
            learning_rate=0.12,
            min_rows_in_leaf=40,
            feature_fraction=0.3,
            l2=5.0,
            max_bins=127,
            patience=60,  # all are kept: a tenth of the prompts tells little of where to stop
            ignored=("service_size",),  # of services that are trained on it tells which they are
        )
    )
    hard_negatives: int = 25
    random_negatives: int = 15
    history_calls: int = 2
    """Earlier calls of the copy that each prompt without a history gets; 0 makes no copies."""
    sessions: int = 1_200
    """Simulated sessions over the services with prompts; 0 simulates none."""
    prior_sessions: int = 2_000
    """Simulated sessions from which transitions between abstract calls are learned."""
    queries_per_session: int = 2
    """Calls of each simulated session that are asked for in training."""

    def ranker(self) -> CallRanker:
        """Make the ranker that is still to be fitted."""
        return CallRanker(
            settings=self.boosting,
            hard_negatives=self.hard_negatives,
            random_negatives=self.random_negatives,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Rows of every kind of query, each with the part that it belongs to."""

    rows: Mapping[str, QueryRows]
    """``prompts`` (as given), ``after_calls`` (the same after calls of the service), ``sessions``
    (simulated)."""
    parts: Mapping[str, NDArray[np.int64]]
    """Part of each query of `rows`."""
    teaches: Mapping[str, NDArray[np.bool_]]
    """Whether each query of `rows` may train: not where its right answers lie in several parts, and
    a simulated one only where it asks with a real prompt."""
    prior: WorkflowPrior

    def training_rows(self, parts: Sequence[int]) -> QueryRows:
        """Join the rows of some parts that may train.

        A prompt with an answer in another part would teach of services that are tested on; one made
        from the operation's own summary would teach that words always match.
        """
        chosen = [rows.select(self._teaching(name, parts)) for name, rows in self.rows.items()]
        joined = chosen[0]
        for rows in chosen[1:]:
            joined += rows
        return joined

    def training_prompts(self, parts: Sequence[int]) -> TrainingPrompts:
        """Give the prompts of some parts that may train, as they were given."""
        return TrainingPrompts.of(self.given("prompts", parts))

    def given(self, name: str, parts: Sequence[int]) -> list[Query]:
        """Give the queries of one kind, of some parts, that may train; none of a kind not made."""
        made = name in self.rows
        return [self.rows[name].queries[i] for i in self._teaching(name, parts)] if made else []

    def _teaching(self, name: str, parts: Sequence[int]) -> NDArray[np.int64]:
        return np.flatnonzero(np.isin(self.parts[name], parts) & self.teaches[name])

    def fit(
        self, recipe: Recipe, *, training: Sequence[int], validation: Sequence[int], seed: int
    ) -> CallRanker:
        """Fit a ranker on some parts; others decide its size and calibrate it."""
        ranker = recipe.ranker().fit_rows(
            self.training_rows(training),
            validation=self.training_rows(validation),
            prior=self.prior,
            rng=np.random.default_rng(seed),
        )
        ranker.prompts_ = self.training_prompts(training)
        return ranker


def prepare(
    index: CatalogIndex,
    queries: Sequence[Query],
    *,
    recipe: Recipe,
    rng: np.random.Generator,
    part_of: Mapping[str, int] | None = None,
    observed: Sequence[Session] = (),
    held_out: int | None = None,
    progress: Progress = silent,
) -> Material:
    """Make all that training and evaluation need, once for all folds.

    Nothing crosses parts: the calls before a prompt are of the prompt's own service, and sessions
    are simulated inside each part. Transitions are learned from observed sessions where there are
    some, else from sessions simulated over services that have no prompt and are never tested on;
    where these have fewer than 20 operations over the whole catalogue, and where that has fewer
    every step is equally likely.

    Parameters
    ----------
    queries : sequence of Query
        Prompts with their answers; those without a history get a copy after some calls.
    part_of : mapping of str to int, optional
        Part of each service of the catalogue; negative for those that no query is about. Without
        it parts are made of whole sessions (`session_parts`), and none are simulated: that needs
        services apart.
    observed : sequence of Session
        Real sessions, which teach transitions in place of simulated ones.
    held_out : int, optional
        Part that no ranker will learn from: its sessions teach no transitions either.

    Raises
    ------
    ValueError
        Where there is no query, or one whose answer the catalogue does not know.
    """
    if not queries:
        raise ValueError("queries must hold at least one query, got none.")
    catalog = index.catalog
    augment, walk, pick, share = rng.spawn(4)
    part_of_session = None if part_of else session_parts(queries, rng=share)

    def parts_of(some: Sequence[Query]) -> NDArray[np.int64]:
        if part_of_session is not None:
            return np.array([part_of_session[session_of(query)] for query in some])
        return np.array([(part_of or {})[catalog[q.relevant[0]].service] for q in some])

    apart = {q.session_id for q, p in zip(queries, parts_of(queries), strict=True) if p == held_out}
    shown = [session for session in observed if session.session_id not in apart]
    prior = _prior(index, part_of or {}, observed=shown, sessions=recipe.prior_sessions, rng=walk)

    def teaches(name: str, some: Sequence[Query]) -> NDArray[np.bool_]:
        if name == "sessions":
            return np.array([query.relevant[0] in titles for query in some], dtype=np.bool_)
        if part_of is None:
            return np.ones(len(some), dtype=np.bool_)
        spans = [{part_of[catalog[name].service] for name in query.relevant} for query in some]
        return np.array([len(span) == 1 for span in spans], dtype=np.bool_)

    found = {"prompts": list(queries)}
    if recipe.history_calls and part_of:
        bare = [query for query in queries if not query.history]
        found["after_calls"] = with_history(
            bare, catalog, n_calls=recipe.history_calls, rng=augment
        )
    titles = _titles(queries)
    if recipe.sessions and part_of:
        found["sessions"] = _simulated(
            catalog, part_of, titles, recipe=recipe, rng=walk, pick=pick, progress=progress
        )
    return Material(
        rows=rows_of_kinds(index, found, prior, progress=progress),
        parts={name: parts_of(some) for name, some in found.items()},
        teaches={name: teaches(name, some) for name, some in found.items()},
        prior=prior,
    )


def rows_of_kinds(
    index: CatalogIndex,
    queries: Mapping[str, Sequence[Query]],
    prior: WorkflowPrior,
    *,
    n_candidates: int = N_CANDIDATES,
    weights: Mapping[str, float] = RETRIEVER_WEIGHTS,
    progress: Progress = silent,
) -> dict[str, QueryRows]:
    """Compute the rows of several kinds of queries in one go, for many ask the same prompt.

    Parameters
    ----------
    n_candidates, weights
        As in `query_rows`.
    """
    every = [query for some in queries.values() for query in some]
    whole = query_rows(
        index, every, prior, n_candidates=n_candidates, weights=weights, progress=progress
    )
    ends = np.cumsum([len(some) for some in queries.values()])
    return {
        name: whole.select(np.arange(end - len(some), end))
        for (name, some), end in zip(queries.items(), ends, strict=True)
    }


def _titles(queries: Sequence[Query]) -> dict[str, list[str]]:
    titles: dict[str, list[str]] = defaultdict(list)
    for query in queries:
        for operation_id in query.relevant:
            titles[operation_id].append(query.prompt)
    return dict(titles)


def _prior(
    index: CatalogIndex,
    part_of: Mapping[str, int],
    *,
    sessions: int,
    rng: np.random.Generator,
    observed: Sequence[Session] = (),
) -> WorkflowPrior:
    """Learn how calls follow one another.

    From observed sessions where there are some, else from `sessions` simulated over services that
    no part holds; over the whole catalogue where these have fewer than 20 operations. Every step is
    equally likely where that has fewer too.
    """
    if observed:
        return WorkflowPrior.fit(index, observed)
    catalog = index.catalog
    free = [o.operation_id for o in catalog if part_of.get(o.service, -1) < 0]
    if len(free) < _FEWEST_OPERATIONS:
        free = [o.operation_id for o in catalog]
    if not sessions or len(free) < _FEWEST_OPERATIONS:
        return WorkflowPrior.uniform()
    walked = simulate(catalog.subset(free, name="free"), n_sessions=sessions, rng=rng)
    return WorkflowPrior.fit(index, sessions_from_frame(walked.sessions))


def _simulated(
    catalog: Catalog,
    part_of: Mapping[str, int],
    titles: Mapping[str, Sequence[str]],
    *,
    recipe: Recipe,
    rng: np.random.Generator,
    pick: np.random.Generator,
    progress: Progress,
) -> list[Query]:
    """Simulate sessions inside each part, and ask for some of their calls."""
    parts = sorted({part_of[name] for name in catalog.services if part_of[name] >= 0})
    queries: list[Query] = []
    for part in progress(parts, description="Simulating sessions", total=len(parts)):
        inside = [o.operation_id for o in catalog if part_of[o.service] == part]
        walked = simulate(
            catalog.subset(inside, name=f"part {part}"),
            n_sessions=max(recipe.sessions // len(parts), 1),
            prompts=titles,
            rng=rng,
        )
        for session in sessions_from_frame(walked.sessions):
            # Every part counts its sessions from 0.
            named = replace(session, session_id=f"part{part}-{session.session_id}")
            asked = next_call_queries([named], source=f"part {part}")
            chosen = pick.choice(
                len(asked), min(recipe.queries_per_session, len(asked)), replace=False
            )
            queries.extend(asked[i] for i in np.sort(chosen))
    return queries
