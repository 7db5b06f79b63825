"""Metrics in the text format of Prometheus."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from nextcall.telemetry.families import Kind

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One metric as it stands now."""

    name: str
    kind: Kind
    told: str
    values: Mapping[tuple[str, ...], tuple[float, ...]]
    """By labels: one number, or those of a histogram's buckets (not cumulative) and its sum."""
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    """Upper edges of a histogram's buckets but the last."""


def exposition(readings: Iterable[Reading]) -> bytes:
    r"""Write metrics as Prometheus reads them.

    Examples
    --------
    >>> hits = Reading(
    ...     name="hits_total", kind="counter", told="Found.", labels=("cache",),
    ...     values={("small",): (3.0,)})
    >>> print(exposition([hits]).decode(), end="")
    # HELP hits_total Found.
    # TYPE hits_total counter
    hits_total{cache="small"} 3.0
    """
    registry = CollectorRegistry()
    registry.register(_Readings(readings))
    return generate_latest(registry)


class _Readings(Collector):
    def __init__(self, readings: Iterable[Reading]) -> None:
        self._readings = list(readings)

    def collect(self) -> Iterator[Metric]:
        return map(_metric, self._readings)


def _metric(reading: Reading) -> Metric:
    name, told, labels = reading.name, reading.told, reading.labels
    if reading.kind == "histogram":
        histogram = HistogramMetricFamily(name, told, labels=labels)
        edges = [*map(floatToGoString, reading.bounds), "+Inf"]
        for of, (*counts, total) in reading.values.items():
            buckets = list(zip(edges, accumulate(counts), strict=True))
            histogram.add_metric(of, buckets=buckets, sum_value=total)
        return histogram
    family = CounterMetricFamily if reading.kind == "counter" else GaugeMetricFamily
    metric = family(name, told, labels=labels)
    for of, (value,) in reading.values.items():
        metric.add_metric(of, value)
    return metric
