"""Counters and histograms of one process, for Prometheus; each worker process has its own (insight.md §3.5)."""

from __future__ import annotations

from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_OTHER = "~other"
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_OUTCOMES = {401: "denied", 403: "denied", 402: "limited", 429: "limited", 499: "aborted", 504: "timeout"}


_Kind = TypeVar("_Kind", Counter, Histogram)


class Metrics:
    """The registry and what is counted. Label values come from closed lists; beyond `series_max` series a metric says `~other`."""

    def __init__(self, series_max: int = 2000) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._series_max = series_max
        self._children: dict[Counter | Histogram, dict[tuple[str, ...], Counter | Histogram]] = {}
        self._folded = self._counter("metric_series_folded_total", "Observations counted under ~other")
        self._requests = self._counter("http_requests_total", "Answers", "service", "route", "method", "outcome", "status")
        self._request_seconds = self._histogram("http_request_seconds", "Time to answer", "service", "route")
        self._refusals = self._counter("refusals_total", "Refusals by code", "code")
        self._issued = self._counter("tokens_issued_total", "CSTs issued", "lane", "tier")
        self._revoked = self._counter("tokens_revoked_total", "CSTs revoked")
        self._introspections = self._counter("introspections_total", "Introspections", "face", "result")
        self._dropped = self._counter("facts_dropped_total", "Facts that did not fit the buffer", "reason")
        self._commit_seconds = self._histogram("store_commit_seconds", "Time of one store commit")
        self._commit_size = self._histogram("store_commit_functions", "Functions committed together", buckets=_SIZES)
        self._lag = Gauge("clawscope_revocation_lag_seconds", "Age of the revocation view", registry=self._registry)

    def observe_request(self, service: str, route: str, method: str, status: int, seconds: float) -> None:
        """One answer; `route` is the template, `unmatched` for an unknown path."""
        self._of(self._requests, service, route, method, outcome_of(status), str(status)).inc()
        self._of(self._request_seconds, service, route).observe(seconds)

    def observe_refusal(self, code: str) -> None:
        """One refusal with its true code."""
        self._of(self._refusals, code).inc()

    def token_issued(self, lane: str, tier: str) -> None:
        """One CST issued."""
        self._of(self._issued, lane, tier).inc()

    def token_revoked(self) -> None:
        """One CST revoked."""
        self._revoked.inc()

    def introspected(self, face: str, result: str) -> None:
        """One introspection by `face` (`claw`, `oauth`, `matrix`) and its result."""
        self._of(self._introspections, face, result).inc()

    def dropped(self, reason: str, count: int = 1) -> None:
        """Facts or spans that were given up."""
        self._of(self._dropped, reason).inc(count)

    def committed(self, functions: int, seconds: float) -> None:
        """One commit of the store and how many functions shared it."""
        self._commit_size.observe(functions)
        self._commit_seconds.observe(seconds)

    def revocation_lag(self, seconds: float) -> None:
        """How old this process's view of revocations is."""
        self._lag.set(seconds)

    def render(self) -> bytes:
        """The text exposition of everything counted here."""
        return generate_latest(self._registry)

    def _of(self, metric: _Kind, *values: str) -> _Kind:
        # Asked for several times a request: a table of children is quicker than the library's own look-up under its lock.
        children = self._children.setdefault(metric, {})
        child = children.get(values)
        if child is None:
            if len(children) >= self._series_max:
                self._folded.inc()
                return metric.labels(*[_OTHER] * len(values))
            child = children[values] = metric.labels(*values)
        return child  # type: ignore[return-value]  # a metric's children are of its own kind

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"clawscope_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, *labels: str, buckets: tuple[float, ...] = _SECONDS) -> Histogram:
        return Histogram(f"clawscope_{name}", text, labels, registry=self._registry, buckets=buckets)


def outcome_of(status: int) -> str:
    """The outcome a status stands for where the code declares none (insight.md §1.4)."""
    if status < 400:
        return "ok"
    return _OUTCOMES.get(status, "caller" if status < 500 else "server")
