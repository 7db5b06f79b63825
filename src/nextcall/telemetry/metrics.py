"""What the service counts: each number has its place, found once, and is right across workers."""

import math
import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Self

from nextcall.telemetry.exposition import Reading, exposition
from nextcall.telemetry.families import (
    FAMILIES,
    HTTP_ACTIVE,
    HTTP_REQUESTS,
    HTTP_SECONDS,
    METHODS,
    OTHER,
    STATUSES,
    Family,
)
from nextcall.telemetry.instruments import Count, Histogram
from nextcall.telemetry.slots import Slots, summed
from nextcall.telemetry.told import UNTOLD, Numbers, Told, told_by_family
from nextcall.telemetry.workers import Worker


class Metrics:
    """The counts of this worker, and the sums over all workers of one folder.

    Made by `open_metrics`. All families are those of `nextcall.telemetry.families`; labels are
    strings, in the order of the family's.
    """

    def __init__(self, slots: Slots, worker: Worker | None, endpoints: Iterable[str]) -> None:
        self._slots, self._worker = slots, worker
        self._endpoints = frozenset(endpoints)
        self._lock = threading.Lock()
        self._places: dict[Family, dict[tuple[str, ...], int]] = {each: {} for each in FAMILIES}
        self._spare = slots.place(("",), 1) or 0  # which is told of nowhere
        for family in FAMILIES:
            if family.labels:
                self._place(family, (OTHER,) * len(family.labels))
        self._requests: dict[tuple[str, str, int], tuple[int, int]] = {}
        self._counts: dict[tuple[Family, tuple[str, ...]], Count] = {}
        self._histograms: dict[tuple[Family, tuple[str, ...]], Histogram] = {}
        self.worker = "0" if worker is None else str(worker.number)
        """Label of what is told of each worker by itself."""
        self.is_shared = worker is not None
        """Whether other workers may read it."""
        self._active = self._place(HTTP_ACTIVE, ())
        # Looked up at each request:
        self._values, self._slots_lock = slots.values, slots.lock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the other workers; see `Worker.close`."""
        if self._worker is not None:
            self._worker.close()

    def request_began(self) -> None:
        """Count a request as being answered, until `request_ended`."""
        with self._slots_lock:
            self._values[self._active] += 1.0

    def request_ended(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        """Count a request as answered.

        Parameters
        ----------
        method : str
            One that is not of `METHODS` counts as ``*``.
        endpoint : str
            Template of the route, such as ``/tests/{test_id}``; an unknown one counts as ``*``.
        status : int
            One that HTTP does not know counts as ``*``.
        seconds : float
            From its first byte to the last of its answer; below 0 counts as 0.
        """
        places = self._requests.get((method, endpoint, status))
        if places is None:
            places = self._request_places(method, endpoint, status)
        requests, histogram = places
        if not 0.0 <= seconds < math.inf:
            seconds = 0.0
        values = self._values
        with self._slots_lock:
            values[requests] += 1.0
            values[histogram + bisect_left(_HTTP_BOUNDS, seconds)] += 1.0
            values[histogram + _HTTP_SUM] += seconds
            values[self._active] -= 1.0

    def _request_places(self, method: str, endpoint: str, status: int) -> tuple[int, int]:
        known = method if method in METHODS else OTHER
        template = endpoint if endpoint in self._endpoints else OTHER
        code = str(status) if status in STATUSES else OTHER
        places = (
            self._place(HTTP_REQUESTS, (known, template, code)),
            self._place(HTTP_SECONDS, (known, template)),
        )
        if (known, template, code) == (method, endpoint, str(status)):
            self._requests[method, endpoint, status] = places  # as in `count`
        return places

    def count(self, family: Family, *labels: str) -> Count:
        """Give a counter or gauge with its labels.

        Raises
        ------
        ValueError
            Where the family is a histogram or unknown, or has other labels.

        Examples
        --------
        >>> from nextcall.telemetry.families import CACHE_HITS
        >>> with open_metrics(endpoints=()) as metrics:
        ...     metrics.count(CACHE_HITS, "answers").add()
        ...     metrics.totals(CACHE_HITS)
        {('answers',): (1.0,)}
        """
        known = self._counts.get((family, labels))
        if known is not None:
            return known
        if family.kind == "histogram":
            raise ValueError(f"family must be a counter or a gauge, got {family.name}.")
        place = self._place(family, labels)
        slots, rises = self._slots, family.kind == "counter"
        made = Count(slots.values, slots.lock, place, rises=rises)
        if labels in self._places[family]:  # else there is no end of them
            self._counts[family, labels] = made
        return made

    def part(self, family: Family, *labels: str) -> "memoryview[float] | array[float]":
        """Give a counter with its labels a further number, at index 0, for one part of this worker.

        It is added to the others with these labels. Who asked for it changes it alone, under a
        lock of its own: that is a quarter of what `Count.rise` takes. It must never fall.

        Raises
        ------
        ValueError
            Where the family is no counter or unknown, or has other labels.

        Examples
        --------
        >>> from nextcall.telemetry.families import CACHE_HITS
        >>> with open_metrics(endpoints=()) as metrics:
        ...     for hits in (2, 3):
        ...         metrics.part(CACHE_HITS, "answers")[0] += hits
        ...     metrics.totals(CACHE_HITS)
        {('answers',): (5.0,)}
        """
        if family.kind != "counter":
            raise ValueError(f"family must be a counter, got {family.name}.")
        self._place(family, labels)
        known = labels if labels in self._places[family] else (OTHER,) * len(labels)
        place = self._slots.place((family.name, *known), 1)
        if place is None:  # there is no room: it is told of nowhere
            return array("d", [0.0])
        return self._slots.values[place : place + 1]

    def histogram(self, family: Family, *labels: str) -> Histogram:
        """Give a histogram with its labels.

        Raises
        ------
        ValueError
            Where the family is none or unknown, or has other labels.
        """
        known = self._histograms.get((family, labels))
        if known is not None:
            return known
        if family.kind != "histogram":
            raise ValueError(f"family must be a histogram, got {family.name}.")
        made = Histogram(self._slots, self._place(family, labels), family)
        if labels in self._places[family]:  # as above
            self._histograms[family, labels] = made
        return made

    def _place(self, family: Family, labels: tuple[str, ...]) -> int:
        """Give the first place of a set of labels, or that of ``*`` where there are too many."""
        known = self._places.get(family)
        if known is None:
            raise ValueError(f"family must be one of FAMILIES, got {family.name}.")
        if len(labels) != len(family.labels):
            raise ValueError(f"labels must be {family.labels} of {family.name}, got {labels}.")
        with self._lock:
            place = known.get(labels)
            if place is not None:
                return place
            # The first place is that of "*", which is there from the start.
            found = None
            if len(known) <= family.most and all(map(_is_label, labels)):
                first = UNTOLD[family.over]
                found = self._slots.place((family.name, *labels), family.size, first=first)
            if found is None:
                return known.get((OTHER,) * len(labels), self._spare)
            known[labels] = found
            return found

    def totals(self, family: Family) -> Numbers:
        """Sum a family over all workers, by labels: a number, or buckets and sum of a histogram.

        What was never counted is left out. A gauge is of the workers that live: their sum, or the
        least or most that one of them tells.
        """
        return self.told()[family]

    def told(self) -> Told:
        """Tell every family as `totals` does, read at one time."""
        if self._worker is not None:
            return told_by_family(*self._worker.totals())
        own = summed(self._slots.numbers())
        return told_by_family(own, [own])

    def text(self, sources: Iterable[Callable[[], Iterable[Reading]]] = ()) -> bytes:
        """Tell everything in the text format of Prometheus.

        Parameters
        ----------
        sources : iterable of callable
            Give what others count, of this worker.
        """
        told = [
            Reading(
                name=family.name,
                kind=family.kind,
                told=family.told,
                labels=family.labels,
                values=values,
                bounds=family.bounds,
            )
            for family, values in self.told().items()
            if values  # what nothing counts is not told of
        ]
        return exposition([*told, *(reading for source in sources for reading in source())])


_HTTP_BOUNDS: Final = HTTP_SECONDS.bounds
_HTTP_SUM: Final = len(_HTTP_BOUNDS) + 1
_LONGEST: Final = 200  # characters of a label


def open_metrics(*, endpoints: Iterable[str], folder: Path | None = None) -> Metrics:
    """Begin to count; to be closed.

    Parameters
    ----------
    endpoints : iterable of str
        Templates of all routes.
    folder : path, optional
        Where all workers of a service leave their numbers; without it there is one worker. See
        `Worker`.

    Raises
    ------
    OSError
        Where the folder cannot be used.

    Examples
    --------
    >>> with open_metrics(endpoints=["/predict"]) as metrics:
    ...     metrics.request_began()
    ...     metrics.request_ended("POST", "/predict", 200, 0.003)
    ...     print(metrics.text().decode().splitlines()[2])
    http_requests_total{endpoint="/predict",method="POST",status="200"} 1.0
    """
    if folder is None:
        return Metrics(Slots(), None, endpoints)
    worker = Worker(folder)
    return Metrics(worker.slots, worker, endpoints)


def _is_label(text: str) -> bool:
    return len(text) <= _LONGEST and text.isprintable()
