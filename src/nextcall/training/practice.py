"""Practice: many small catalogues cut out of a large one, and tasks of one or several calls.

A ranker that learns on one catalogue learns its size and its style too. One that practises on many
of them, each drawn anew, learns what holds for all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from nextcall.catalog import Catalog, Operation
from nextcall.catalog.graph import OperationGraph
from nextcall.sessions import Query, calls_of
from nextcall.synth.prompts import PromptWriter
from nextcall.training.first_hops import draw_first_hops

_JOINTS: Final = (
    ". ", ", then ", " and ", "; after that, ", ". Then ", ". Also ", ", and finally ", ". Next, ",
    " and also ",
)  # fmt: skip
_DETAILS: Final = (
    "", "", "", " named 'alpha-7'", " for user 4821", " with id 'x-19f3'", " called Test One",
    " from 2023-05-01 to 2023-06-01", " for John Smith", " in New York", " with a limit of 20",
    " (priority high)", " at 3 pm",
)  # fmt: skip
_LONGEST: Final = 12  # calls of a task
_FEWEST_PER_SERVICE: Final = 6
_UNNEEDED: Final = 0.5  # where nothing is missing, half of the first calls are left out


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeSettings:
    """How catalogues and tasks are drawn."""

    catalogs: int = 300
    queries: int = 20
    """Queries of each catalogue."""
    fewest: int = 15
    most: int = 2_500
    """Operations of a catalogue, drawn so that each order of magnitude is as likely."""
    single: float = 0.4
    """Share of the queries that ask for one call with one title."""
    retrieval: float = 0.4
    """Share of the tasks that ask for all their calls at once; the others ask for the next one."""
    most_goals: int = 4
    """Goals that the prompt of a task names, at most."""


def practice_catalog(
    catalog: Catalog,
    titles: Mapping[str, Sequence[str]],
    services: Sequence[str],
    *,
    settings: PracticeSettings,
    rng: np.random.Generator,
) -> Catalog:
    """Cut a catalogue out of some services: at least half of these services have titles.

    Parameters
    ----------
    titles : mapping of str to sequence of str
        Real prompts by operation id.
    services : sequence of str
        Services that may be taken; at least one must have an operation with a title.

    Raises
    ------
    ValueError
        Where no operation of the services has a title.
    """
    of_service: dict[str, list[Operation]] = {name: [] for name in services}
    for operation in catalog:
        if operation.service in of_service:
            of_service[operation.service].append(operation)
    titled = [s for s in services if any(o.operation_id in titles for o in of_service[s])]
    if not titled:
        raise ValueError("services must include one with a titled operation, got none.")
    size = int(np.exp(rng.uniform(np.log(settings.fewest), np.log(settings.most))))
    n_services = max(1, int(np.exp(rng.uniform(0, np.log(max(size / 6, 1.5))))))
    chosen = [titled[i] for i in rng.permutation(len(titled))[: n_services // 2 + 1]]
    others = [name for name in services if name not in chosen and of_service[name]]
    chosen += [others[i] for i in rng.permutation(len(others))[: max(0, n_services - len(chosen))]]
    each = max(_FEWEST_PER_SERVICE, size // len(chosen) + 1)
    operations: list[Operation] = []
    for name in chosen:
        own = of_service[name]
        if len(own) > each:
            weight = np.array([3.0 if o.operation_id in titles else 1.0 for o in own])
            rows = rng.choice(len(own), each, replace=False, p=weight / weight.sum())
            own = [own[row] for row in np.sort(rows)]
        operations += own
    return Catalog("practice", tuple(operations[: max(size, settings.fewest)]))


def practice_queries(
    catalog: Catalog,
    titles: Mapping[str, Sequence[str]],
    *,
    settings: PracticeSettings,
    rng: np.random.Generator,
    name: str,
) -> list[Query]:
    """Draw queries over a catalogue: single titles, and tasks of several calls.

    The prompt of a task names one to four goals. Its calls are those goals in order; before a goal
    one or two calls may come that find what the goal needs, by the operation graph, and that the
    prompt does not name; calls may repeat. How often is drawn once for each catalogue, so that no
    habit holds everywhere.

    Parameters
    ----------
    name : str
        Session of all queries, and the beginning of their ids.

    Returns
    -------
    list of Query
        Empty where no operation has a title.
    """
    titled = [row for row, o in enumerate(catalog) if o.operation_id in titles]
    if not titled:
        return []
    world = _World(catalog, titles, titled, rng)
    queries = []
    for number in range(settings.queries):
        row = titled[int(rng.integers(len(titled)))]
        query_id = f"{name}-{number}"
        if rng.random() < settings.single:
            queries.append(world.single(row, query_id=query_id, session_id=name))
        else:
            queries.append(world.task(row, query_id=query_id, session_id=name, settings=settings))
    return queries


class _World:
    """One catalogue with its habits."""

    def __init__(
        self,
        catalog: Catalog,
        titles: Mapping[str, Sequence[str]],
        titled: list[int],
        rng: np.random.Generator,
    ) -> None:
        self._catalog = catalog
        self._titles = titles
        self._titled = titled
        self._rng = rng
        self._writer = PromptWriter(
            catalog, titles, synonym=rng.uniform(0, 0.5), dropped=rng.uniform(0, 0.5)
        )
        self._repeats = max(0.0, rng.uniform(-0.2, 0.4))
        self._graph = OperationGraph.build(catalog)
        self._hops = rng.uniform(0, 1)
        self._same_service = rng.uniform(0.3, 1.0)
        self._answers: dict[str, list[str]] = {}
        self._of_service: dict[str, list[Operation]] = {}
        for operation in catalog:
            self._of_service.setdefault(operation.service, []).append(operation)
            for title in titles.get(operation.operation_id, ()):
                self._answers.setdefault(title, []).append(operation.operation_id)
        self._titled_of_service: dict[str, list[int]] = {}
        for row in titled:
            service = catalog.operations[row].service
            self._titled_of_service.setdefault(service, []).append(row)

    def single(self, row: int, *, query_id: str, session_id: str) -> Query:
        """Ask for one operation by its title, or by another wording, perhaps after some calls."""
        rng = self._rng
        operation = self._catalog.operations[row]
        said = self._titles[operation.operation_id]
        title = said[int(rng.integers(len(said)))]
        own_words = rng.random() < 0.6
        prompt = title if own_words else self._writer.write(np.array([row]), rng=rng)[0]
        relevant = tuple(self._answers[title])
        before: list[str] = []
        if rng.random() < 0.4:
            kin = self._of_service[operation.service]
            others = [o.operation_id for o in kin if o.operation_id not in relevant]
            n_calls = int(rng.integers(1, 4)) if others else 0
            before = [others[int(rng.integers(len(others)))] for _ in range(n_calls)]
        return Query(
            query_id=query_id,
            prompt=prompt,
            history=calls_of(before),
            relevant=relevant,
            task="next_call" if before else "retrieval",
            session_id=session_id,
            step=len(before),
        )

    def task(
        self, row: int, *, query_id: str, session_id: str, settings: PracticeSettings
    ) -> Query:
        """Ask for several calls with one prompt: for all of them, or for the next one."""
        rng = self._rng
        goals = self._goals(row, int(rng.integers(1, settings.most_goals + 1)))
        said = self._writer.write(np.array(goals), rng=rng)
        said = [text + _DETAILS[int(rng.integers(len(_DETAILS)))] for text in said]
        prompt = said[0]
        for text in said[1:]:
            prompt += _JOINTS[int(rng.integers(len(_JOINTS)))] + text
        calls = self._calls(goals)
        whole = rng.random() < settings.retrieval
        step = 0 if whole else int(rng.integers(len(calls)))
        return Query(
            query_id=query_id,
            prompt=prompt,
            history=calls_of(calls[:step]),
            relevant=tuple(dict.fromkeys(calls)) if whole else (calls[step],),
            task="retrieval" if whole else "next_call",
            session_id=session_id,
            step=step,
            remaining=tuple(calls[step:]),
        )

    def _goals(self, row: int, n_goals: int) -> list[int]:
        """Rows of titled operations, mostly of one service."""
        rng = self._rng
        goals = [row]
        for _ in range(n_goals - 1):
            stays = rng.random() < self._same_service
            service = self._catalog.operations[goals[-1]].service
            others = self._titled_of_service[service] if stays else self._titled
            goal = others[int(rng.integers(len(others)))]
            if goal not in goals:
                goals.append(goal)
        return goals

    def _calls(self, goals: Sequence[int]) -> list[str]:
        rng = self._rng
        calls: list[str] = []
        for goal in goals:
            operation = self._catalog.operations[goal]
            if rng.random() < self._hops:
                calls += self._found_first(goal, calls)
            calls.append(operation.operation_id)
            while len(calls) < _LONGEST and rng.random() < self._repeats:
                calls.append(calls[int(rng.integers(max(0, len(calls) - 3), len(calls)))])
        return calls

    def _found_first(self, goal: int, calls: Sequence[str]) -> list[str]:
        """Give what is called to find what a goal needs, or now and then to look at it first."""
        rng = self._rng
        rows = [self._catalog.positions[name] for name in calls]
        hops = draw_first_hops(self._catalog, self._graph, goal, rows, deeper=self._hops, rng=rng)
        if hops:
            return [self._catalog.operations[row].operation_id for row in hops]
        finders = self._finders(self._catalog.operations[goal])
        if not finders or rng.random() < _UNNEEDED:
            return []
        return [finders[int(rng.integers(len(finders)))]]

    def _finders(self, operation: Operation) -> list[str]:
        """Operations that look up what this one works on or takes as a parameter."""
        parameters = [parameter.name.lower() for parameter in operation.parameters]
        return [
            other.operation_id
            for other in self._of_service[operation.service]
            if other.operation_id != operation.operation_id
            and other.action in {"list", "search", "read"}
            and other.resource
            and (
                other.resource == operation.resource
                or any(other.resource.split()[-1] in name for name in parameters)
            )
        ]
