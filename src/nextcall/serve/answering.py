"""From the body of a request to the bytes of its answer: kept ones, the guard, the ranker."""

import asyncio
import time
from datetime import UTC, datetime
from functools import partial
from typing import Final, NamedTuple, get_args

from pydantic import ValidationError

from nextcall.ranking.cold_start import ColdStartLevel
from nextcall.resilience.deadline import deadline
from nextcall.serve.answers import PerformanceMetrics
from nextcall.serve.bodies import LARGEST_AT_ONCE, parsed_body
from nextcall.serve.caching.answer_cache import Asked, is_timed, request_key
from nextcall.serve.caching.caches import ServiceCaches
from nextcall.serve.caching.kept_answer import KeptAnswer, new_id
from nextcall.serve.feedback.shown_answers import ShownAnswers
from nextcall.serve.observer import Observer
from nextcall.serve.order import Detail, Means, Order
from nextcall.serve.predictor import Predictor
from nextcall.serve.problems import RefusedError, UnsafeError, invalid
from nextcall.serve.process.memory import memory_usage_mb
from nextcall.serve.safety.safety import Safety
from nextcall.serve.schemas import Limits, PredictRequest
from nextcall.serve.short_work import ShortWork, in_thread

_ROUTE: Final = "/predict"
_BATCH: Final = "/predict/batch"
_SMALL: Final = 2_048  # bytes of a body whose checks take about as long as those of any other


class Reply(NamedTuple):
    """What is answered."""

    body: bytes
    is_kept: bool | None
    """Whether it was there already; None where nothing is kept."""


class Answering:
    """Answers requests by what was kept, else by a predictor behind the guard.

    Parameters
    ----------
    predictor : Predictor
    safety : Safety
    limits : Limits
        What a request may ask.
    caches : ServiceCaches, optional
        Nothing is kept without them.
    observer : Observer, optional
        Hears of each answer.
    shown : ShownAnswers, optional
        Remembers each answer, for feedback.
    seconds : float
        That an answer may take.
    """

    def __init__(
        self,
        predictor: Predictor,
        safety: Safety,
        limits: Limits,
        *,
        caches: ServiceCaches | None = None,
        observer: Observer | None = None,
        shown: ShownAnswers | None = None,
        seconds: float = 30.0,
    ) -> None:
        self.predictor, self.safety, self.observer = predictor, safety, observer
        self.shown, self._seconds = shown, seconds
        self._work = ShortWork()
        self._limits = limits
        self._cache = None if caches is None else caches.answers
        self.semantic = None if caches is None else caches.semantic
        if caches is not None:
            predictor.vectors, predictor.views = caches.vectors, caches.views
        self._means = Means(safety=safety, semantic=self.semantic, observer=observer, shown=shown)
        self._asked: dict[tuple[str, Detail], Asked] = {
            (route, detail): (detail, str(safety.policy(route)))
            for route in (_ROUTE, _BATCH)
            for detail in get_args(Detail)
        }

    async def reply(self, body: bytes, detail: Detail, *, user: str | None = None) -> Reply:
        """Answer a request of a user.

        Raises
        ------
        RefusedError, UnsafeError
            Where it breaks a rule, or the guard refuses it.
        DeadlineExceededError
            Where it takes too long.
        """
        begin = time.perf_counter()
        cache = self._cache
        if cache is not None:
            kept = cache.at_once(body, self._asked_of(self.predictor, _ROUTE, detail))
            if kept is not None:
                return self._again(kept, begin, user)
        order = None if len(body) > LARGEST_AT_ONCE else self._order(body, detail, user)
        is_small = detail == "short" and len(body) <= _SMALL
        if order is not None and is_small and (cache is None or cache.is_near):
            reply = await self._alone(order, body, begin)
            if reply is not None:
                return reply
        async with deadline(self._seconds):
            if order is None:
                order = await in_thread(partial(self._order, body, detail, user))
            try:
                return await self._looked_for(order, body, begin, is_small=is_small)
            finally:
                asyncio.get_running_loop().call_soon(order.note)

    def _order(self, body: bytes, detail: Detail, user: str | None) -> Order:
        request = self._checked(parsed_body(body))
        return Order(self._means, self.predictor.pinned(), _ROUTE, request, detail, user)

    async def _alone(self, order: Order, body: bytes, begin: float) -> Reply | None:
        """Answer a small request where nobody else is on the way.

        It waits for nothing, so it needs no deadline; and nobody can come in between and ask the
        same, so it is computed without a look at who does.
        """
        try:
            return await self._work.alone(partial(self._at_once, order, body, begin))
        except UnsafeError:
            if order.untold:
                await in_thread(order.tell)
            raise
        finally:
            if order.is_begun:
                asyncio.get_running_loop().call_soon(order.note)

    def _at_once(self, order: Order, body: bytes, begin: float) -> Reply:
        cache = self._cache
        if cache is None:
            order.attempt()
            return self._first(order, begin, kept=None)
        asked = self._asked_of(order.predictor, _ROUTE, order.detail)
        key, mark = request_key(order.request, asked, now=datetime.now(UTC)), cache.memory.mark
        found = cache.memory.get(key)
        kept = order.attempt() if found is None else found

        def keep() -> None:
            if found is None:
                cache.memory.put(key, kept, since=mark)
            if not is_timed(order.request):
                cache.know(body, asked, key)
            if order.later is not None:
                order.later()

        if self._is_to_keep(order):
            asyncio.get_running_loop().call_soon(keep)
        return self._settled(order, kept, begin)

    async def _looked_for(
        self, order: Order, body: bytes, begin: float, *, is_small: bool
    ) -> Reply:
        cache = self._cache

        async def compute() -> KeptAnswer:
            try:
                made = await self._work.run(
                    order.make, at_once=order.attempt, may_be_short=is_small
                )
            except UnsafeError:
                if order.untold:
                    await in_thread(order.tell)
                raise
            if cache is not None and not self._is_to_keep(order):
                await in_thread(partial(cache.forget, key))  # which may wait for Redis
            return made

        if cache is None:
            await compute()
            return self._first(order, begin, kept=None)
        asked = self._asked_of(order.predictor, _ROUTE, order.detail)
        key = request_key(order.request, asked, now=datetime.now(UTC))
        try:
            kept = await cache.get_or_compute_async(key, compute)
        except UnsafeError:
            if not order.is_begun:  # another asked the same: this one is counted, too
                await in_thread(order.check)
            raise
        if not is_timed(order.request):
            cache.know(body, asked, key)
        if order.later is not None:
            asyncio.get_running_loop().call_soon(order.later)
        return self._settled(order, kept, begin)

    def reply_to_item(self, values: object, detail: Detail, *, user: str | None = None) -> bytes:
        """Answer one request of a batch; waits.

        Raises
        ------
        RefusedError, UnsafeError
            As `reply`.
        """
        begin = time.perf_counter()
        predictor = self.predictor.pinned()
        order = Order(self._means, predictor, _BATCH, self._checked(values), detail, user)
        try:
            return self._item(order, begin)
        finally:
            order.note()

    def _item(self, order: Order, begin: float) -> bytes:
        cache = self._cache
        if cache is None:
            order.make()
            return self._first(order, begin, kept=None).body
        asked = self._asked_of(order.predictor, _BATCH, order.detail)
        key = request_key(order.request, asked, now=datetime.now(UTC))

        def compute() -> KeptAnswer:
            made = order.make()
            if not self._is_to_keep(order):
                cache.forget(key)
            return made

        try:
            kept = cache.get_or_compute(key, compute)
        except UnsafeError:
            if not order.is_begun:
                order.check()
            raise
        if order.later is not None:
            order.later()
        return self._settled(order, kept, begin).body

    def _asked_of(self, predictor: Predictor, route: str, detail: Detail) -> Asked:
        """Say what an answer depends on beside the request: its model, too."""
        return (*self._asked[route, detail], predictor.identity)

    def _checked(self, values: object) -> PredictRequest:
        try:
            return PredictRequest.model_validate(values, context=self._limits)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False)
            raise RefusedError(invalid(problems)) from error

    def _is_to_keep(self, order: Order) -> bool:
        """Say whether an answer may be given again: not one that was made while a check failed.

        Asked again, it is looked at in full. Who finds so while it is computed lets its key be
        forgotten then: what is invalid before it is kept is kept nowhere.
        """
        return order.fresh is None or order.is_whole

    def _settled(self, order: Order, kept: KeptAnswer, begin: float) -> Reply:
        if order.fresh is None:
            return self._again(kept, begin, order.user, is_counted=order.is_begun)
        return self._first(order, begin, kept=False)

    def _again(
        self, kept: KeptAnswer, begin: float, user: str | None, *, is_counted: bool = False
    ) -> Reply:
        if not is_counted:
            self.safety.count(kept.noted)
        performance = None
        if kept.is_full:
            performance = PerformanceMetrics(
                ml_scoring_latency_ms=None, cache_hit=True, memory_usage_mb=memory_usage_mb()
            )
        seconds = time.perf_counter() - begin
        self._note(kept, is_kept=True, seconds=seconds)
        named = self._named(kept, user)
        body = kept.written(named, milliseconds=1000 * seconds, performance=performance)
        return Reply(body=body, is_kept=True)

    def _first(self, order: Order, begin: float, *, kept: bool | None) -> Reply:
        fresh = order.fresh
        if fresh is None:
            raise RuntimeError("An order must be made before it is written.")
        performance = fresh.performance
        if performance is not None:
            performance = performance.model_copy(update={"cache_hit": kept})
        seconds = time.perf_counter() - begin
        if self.observer is not None:
            order.notes.append(partial(self._note, fresh.kept, is_kept=kept, seconds=seconds))
        named = self._named(fresh.kept, order.user)
        body = fresh.kept.written(named, milliseconds=1000 * seconds, performance=performance)
        return Reply(body=body, is_kept=kept)

    def _named(self, kept: KeptAnswer, user: str | None) -> str:
        """Give an answer an id, under which feedback finds it."""
        prediction_id = new_id()
        if self.shown is not None:
            self.shown.remember(prediction_id, kept, user)
        return prediction_id

    def _note(self, kept: KeptAnswer, *, is_kept: bool | None, seconds: float) -> None:
        if self.observer is None:
            return
        self.observer.answered(is_kept=is_kept, seconds=seconds)
        if kept.level != ColdStartLevel.NONE:
            least = self.predictor.confidence_threshold
            self.observer.cold_started(kept.level, kept.confidence, least=least)
