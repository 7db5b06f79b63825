"""What answers when little is known: the levels, which of them a question is on, and the last two.

A trained ranker answers wherever there is one. Without it the fusion of keyword and meaning search
does; and where the prompt names nothing that the catalogue has, how APIs are usually used.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nextcall.catalog import Operation
from nextcall.catalog.actions import ACTIONS, is_parameter, path_segments
from nextcall.ranking.candidates import Retrieved
from nextcall.ranking.index import CatalogIndex
from nextcall.sessions import Call

CONFIDENCE_THRESHOLD: Final = 0.6
"""Confidence from which a first answer counts as sure."""


class ColdStartLevel(StrEnum):
    """Who answers, from where most is known to where least is; the order of the fallback."""

    NONE = "none"
    """A ranker trained on this catalogue, after calls that it knows: no cold start."""
    PROMPT_ONLY = "prompt_only"
    """A ranker trained on this catalogue, without earlier calls."""
    ZERO_SHOT = "zero_shot"
    """A ranker trained on other catalogues, with or without earlier calls."""
    FUSED_RETRIEVAL = "fused_retrieval"
    """No ranker: the fusion of keyword and meaning search."""
    REST_CONVENTIONS = "rest_conventions"
    """No ranker, and a prompt that names nothing: how calls follow one another in REST APIs."""
    GENERIC_CRUD = "generic_crud"
    """Nor are there earlier calls or paths: create, read, update, delete, and the prompt's verb."""


def choose_level(
    *,
    has_ranker: bool,
    trained_here: bool,
    known_calls: int,
    text_match: bool = True,
    has_paths: bool = True,
) -> ColdStartLevel:
    """Choose who answers a question; each level does what the one before it lacks the means for.

    Parameters
    ----------
    has_ranker : bool
        Whether there is a trained ranker.
    trained_here : bool
        Whether it was trained on this very catalogue.
    known_calls : int
        Earlier calls that the catalogue knows.
    text_match : bool
        What `names_something` says of the prompt; not asked where there is a ranker.
    has_paths : bool
        What `Conventions.has_paths` says of the catalogue; not asked where there is a ranker.

    Examples
    --------
    >>> nothing = dict(has_ranker=False, trained_here=False, text_match=False, has_paths=False)
    >>> [str(choose_level(known_calls=calls, **nothing)) for calls in (0, 1)]
    ['generic_crud', 'rest_conventions']
    """
    if has_ranker:
        if not trained_here:
            return ColdStartLevel.ZERO_SHOT
        return ColdStartLevel.NONE if known_calls else ColdStartLevel.PROMPT_ONLY
    if text_match:
        return ColdStartLevel.FUSED_RETRIEVAL
    if known_calls or has_paths:
        return ColdStartLevel.REST_CONVENTIONS
    return ColdStartLevel.GENERIC_CRUD


_NEAR_MEANING: Final = 0.35
# Cosine with the nearest operation. Of prompts that share no word and name nothing ("!!!",
# "thanks", another language), on AWS and eight other catalogues, 95 % have less; one that names a
# thing by another word ("purchases" for orders) has more. In doubt the search answers.


def names_something(found: Retrieved) -> bool:
    """Tell whether a prompt names anything that the catalogue has.

    It does where they share a word, and be it a verb, or where an operation's meaning is near.
    """
    return len(found.terms.ids) > 0 or found.best["dense"] >= _NEAR_MEANING


# The order in which a resource's operations are usually called, and how much else counts. Choices;
# that a search comes before a list, and that _FED is 4 and not 1, was seen to do better on the mean
# of all evaluation sets.
_FIRST: Final = "search list read create start send update attach detach stop delete other"
_CRUD: Final = "create read update delete list search start send attach detach stop other"
_AFTER: Final[Mapping[str, str]] = {
    "create": "read update attach list start send create stop detach delete search other",
    "read": "update list delete start attach send read stop detach create search other",
    "list": "read update delete search create start attach send stop detach list other",
    "search": "read update delete list create start attach send stop detach search other",
    "update": "read list update start attach send delete stop detach create search other",
    "delete": "list read create delete search update start attach send stop detach other",
    "attach": "read list attach detach start update send create stop delete search other",
    "detach": "list read delete detach attach update create start send stop search other",
    "start": "read stop list send update start attach delete create detach search other",
    "stop": "read start delete list stop update detach send attach create search other",
    "send": "read list send update create start attach stop detach delete search other",
    "other": _FIRST,
}
# Places of two calls: one collection, inside it, around it, elsewhere in the service, elsewhere.
_SAME, _INSIDE, _AROUND, _NEAR, _FAR = range(5)
_WEIGHT_OF_PLACE: Final = np.array([1.0, 0.8, 0.4, 0.3, 0.05])
_FADING: Final = (1.0, 0.5, 0.25)  # of the last three calls
_FED: Final = 4.0  # of an operation that takes all that the last call gave, beside 1
_AGAIN: Final = 0.5  # of an operation that was called before
_VERB: Final = 8.0  # of an operation whose own verb is the prompt's
_ACTION: Final = 4.0  # of another verb for the same
_KIN: Final = 2.0  # of another way to look
_LOOKS: Final = tuple(ACTIONS.index(action) for action in ("read", "list", "search"))


class Conventions:
    """How APIs are usually used, told from methods, names and paths alone.

    After ``POST /orders`` comes ``GET /orders/{id}``; a search or a list before one of its items, a
    parent before what it holds, an operation that needs no id before those that do, and what takes
    the id that the last call gave.

    Parameters
    ----------
    index : CatalogIndex
        The catalogue; its text is not looked at, but for the prompt's verb.
    """

    def __init__(self, index: CatalogIndex) -> None:
        self._index = index
        self._action = index.statics.action.astype(np.int64)
        self._service = index.statics.service
        places = [_place(operation) for operation in index.catalog]
        codes = {place: code for code, place in enumerate(dict.fromkeys(places))}
        self._place = np.array([codes[place] for place in places], dtype=np.int64)
        self._places = list(codes)
        self._codes = codes

    @cached_property
    def has_paths(self) -> bool:
        """Whether paths say what belongs to what: some operation's has a fixed segment."""
        return any(_fixed(operation) for operation in self._index.catalog)

    def rest_scores(self, prompt: str, history: Sequence[Call] = ()) -> NDArray[np.float64]:
        """Score every operation by what usually comes next; shape (n_operations,), ties are many.

        Parameters
        ----------
        prompt : str
            Its verb counts; nothing else of it does.
        history : sequence of Call
            Oldest first; the last three that the catalogue knows are looked at.
        """
        called = self._index.positions([call.operation_id for call in history])
        every = np.arange(len(self._index))
        flow = self._index.graph.flow(every, called, np.ones(len(every)))
        can = (1.0 + _FED * flow.fed_by_last) / (1.0 + flow.unmet_needs)
        anew = _weights(_FIRST)[self._action]
        if len(called) == 0:
            return anew * can * self._verb_factors(prompt)
        usual = np.zeros(len(every))
        for row, fading in zip(called[::-1], _FADING, strict=False):
            place = self._relations(int(row))
            after = _weights(_AFTER[ACTIONS[self._action[row]]])[self._action]
            order = np.where(place == _SAME, after, anew)
            np.maximum(usual, order * _WEIGHT_OF_PLACE[place] * fading, out=usual)
        usual[np.unique(called)] *= _AGAIN
        return usual * can * self._verb_factors(prompt)

    def crud_scores(self, prompt: str) -> NDArray[np.float64]:
        """Score every operation by its action alone; shape (n_operations,), ties are many.

        The prompt's verb first, then create, read, update, delete and list; of one action those
        that need fewer parameters.
        """
        order = _weights(_CRUD)[self._action] * self._verb_factors(prompt)
        return order + 1e-3 / (1.0 + self._index.statics.n_required)

    def _verb_factors(self, prompt: str) -> NDArray[np.float64]:
        terms = self._index.prompt_terms(prompt)
        factors = np.ones(len(self._index))
        if terms.action in _LOOKS:
            factors[np.isin(self._action, _LOOKS)] = _KIN
        if terms.action >= 0:
            factors[self._action == terms.action] = _ACTION
        if terms.verb >= 0:
            factors[self._index.statics.verb == terms.verb] = _VERB
        return factors

    def _relations(self, row: int) -> NDArray[np.int64]:
        """Give where each operation lies, seen from one call."""
        own = self._places[self._place[row]]
        of_place = np.full(len(self._places), -1)
        for code, other in enumerate(self._places):
            if other[: len(own)] == own:
                of_place[code] = _SAME if len(other) == len(own) else _INSIDE
        for length in range(1, len(own)):
            around = self._codes.get(own[:length])
            if around is not None:
                of_place[around] = _AROUND
        elsewhere = np.where(self._service == self._service[row], _NEAR, _FAR)
        known = of_place[self._place]
        return np.where(known >= 0, known, elsewhere)


def best_rows(scores: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Give the rows of the highest scores, best first; ties in the order of the catalogue."""
    order: NDArray[np.int64] = np.argsort(-scores, kind="stable")[:k]
    return order


def _weights(order: str) -> NDArray[np.float64]:
    """Give the weight of each action, by its code: 1, 1/2, 1/3, ... in the order named."""
    weights = np.empty(len(ACTIONS))
    for place, action in enumerate(order.split()):
        weights[ACTIONS.index(action)] = 1.0 / (1 + place)
    return weights


def _fixed(operation: Operation) -> tuple[str, ...]:
    segments = path_segments(operation.path or "")
    return tuple(segment for segment in segments if not is_parameter(segment))


def _place(operation: Operation) -> tuple[str, ...]:
    """Give where an operation lies: its path's fixed segments, else its service and resource."""
    fixed = _fixed(operation)
    if fixed:
        return ("/", *fixed)
    return (operation.service, *operation.resource.split())
