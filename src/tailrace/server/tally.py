"""Numbers that only grow, by name and labels, and their form for Prometheus.

Plain dictionaries that the event loop alone touches: a count costs a look-up and an addition, no lock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from tailrace.server.measures import MEASURES, Measure

Labels: TypeAlias = tuple[str, ...]
Values: TypeAlias = Mapping[Labels, float]
Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class Spread:
    """How many values fell below each of some bounds."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def add(self, value: float) -> None:
        """Take a value; one that equals a bound is below it (Prometheus' ``le``)."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def write(self, family: HistogramMetricFamily, labels: Labels) -> None:
        """Add this to ``family``."""
        below, buckets = 0, []
        for bound, count in zip((*self._bounds, inf), self._counts, strict=True):
            below += count
            buckets.append((str(bound) if bound < inf else "+Inf", float(below)))
        family.add_metric(labels, buckets, self._total)


class Tally:
    """What has been counted of `MEASURES`; those without labels begin at 0, the others with their first count."""

    def __init__(self) -> None:
        self._counts: dict[str, defaultdict[Labels, float]] = {}
        self._spreads: dict[str, dict[Labels, Spread]] = {}
        self._bounds: dict[str, tuple[float, ...]] = {}
        for measure in MEASURES:
            if measure.kind == "histogram":
                self._bounds[measure.name] = measure.buckets
                self._spreads[measure.name] = {} if measure.labels else {(): Spread(measure.buckets)}
            elif not measure.live:
                self._counts[measure.name] = defaultdict(float, {} if measure.labels else {(): 0.0})

    def count(self, name: str, *labels: str, by: float = 1) -> None:
        """Add ``by`` to a counter."""
        self._counts[name][labels] += by

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Add ``value`` to a histogram."""
        spreads = self._spreads[name]
        spread = spreads.get(labels)
        if spread is None:
            spread = spreads[labels] = Spread(self._bounds[name])
        spread.add(value)

    def families(self, live: Mapping[str, Values]) -> Iterator[Family]:
        """Yield every measure, with ``live`` values for those that are not counted here."""
        for measure in MEASURES:
            yield self._histogram(measure) if measure.kind == "histogram" else self._single(measure, live)

    def _histogram(self, measure: Measure) -> HistogramMetricFamily:
        family = HistogramMetricFamily(measure.name, measure.help, labels=measure.labels)
        for labels, spread in self._spreads[measure.name].items():
            spread.write(family, labels)
        return family

    def _single(self, measure: Measure, live: Mapping[str, Values]) -> CounterMetricFamily | GaugeMetricFamily:
        make = CounterMetricFamily if measure.kind == "counter" else GaugeMetricFamily
        family = make(measure.name, measure.help, labels=measure.labels)
        values: Values = live.get(measure.name, {}) if measure.live else self._counts[measure.name]
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family


def text_of(families: Iterable[Metric], worker: int) -> bytes:
    """Return ``families`` in Prometheus' text format; ``worker``, unless 0, is a label of all."""
    found = list(families)
    if worker:
        for family in found:
            family.samples = [one._replace(labels={**one.labels, "worker": str(worker)}) for one in family.samples]
    registry = CollectorRegistry()
    registry.register(_Collected(found))
    return generate_latest(registry)


class _Collected(Collector):
    """What a registry asks: families that were made already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families
