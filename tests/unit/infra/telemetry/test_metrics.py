"""Metrics are counted per process and their series stay bounded."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from clawscope.infra.telemetry.metrics import Metrics, outcome_of


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def total(metrics: Metrics, name: str, **labels: str) -> float:
    return samples(metrics)[name, tuple(sorted(labels.items()))]


def test_requests_are_counted_by_route_method_and_outcome() -> None:
    metrics = Metrics()
    metrics.observe_request("clawscope", "/v1/tokens/introspect", "POST", 200, 0.002)
    metrics.observe_request("clawscope", "/v1/tokens/introspect", "POST", 200, 0.004)
    labels = {"service": "clawscope", "route": "/v1/tokens/introspect", "method": "POST", "outcome": "ok", "status": "200"}
    assert total(metrics, "clawscope_http_requests_total", **labels) == 2
    assert total(metrics, "clawscope_http_request_seconds_count", service="clawscope", route="/v1/tokens/introspect") == 2


def test_each_kind_of_fact_has_its_counter() -> None:
    metrics = Metrics()
    metrics.observe_refusal("TOKEN_REVOKED")
    metrics.token_issued("canonical", "default")
    metrics.token_revoked()
    metrics.introspected("claw", "active")
    metrics.dropped("full", 3)
    metrics.committed(16, 0.002)
    metrics.revocation_lag(0.25)
    assert total(metrics, "clawscope_refusals_total", code="TOKEN_REVOKED") == 1
    assert total(metrics, "clawscope_tokens_issued_total", lane="canonical", tier="default") == 1
    assert total(metrics, "clawscope_tokens_revoked_total") == 1
    assert total(metrics, "clawscope_introspections_total", face="claw", result="active") == 1
    assert total(metrics, "clawscope_facts_dropped_total", reason="full") == 3
    assert total(metrics, "clawscope_store_commit_functions_sum") == 16
    assert total(metrics, "clawscope_store_commit_seconds_count") == 1
    assert total(metrics, "clawscope_revocation_lag_seconds") == 0.25


def test_two_registries_share_nothing() -> None:
    first, second = Metrics(), Metrics()
    first.token_revoked()
    assert total(second, "clawscope_tokens_revoked_total") == 0


def test_invented_label_values_cannot_grow_the_series_without_bound() -> None:
    metrics = Metrics(series_max=10)
    for number in range(1000):
        metrics.observe_refusal(f"CODE_{number}")
    assert total(metrics, "clawscope_refusals_total", code="~other") == 990
    assert total(metrics, "clawscope_metric_series_folded_total") == 990
    assert len([name for name, _ in samples(metrics) if name == "clawscope_refusals_total"]) == 11


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "ok"),
        (304, "ok"),
        (400, "caller"),
        (401, "denied"),
        (403, "denied"),
        (402, "limited"),
        (429, "limited"),
        (499, "aborted"),
        (404, "caller"),
        (500, "server"),
        (503, "server"),
        (504, "timeout"),
    ],
)
def test_the_outcome_follows_the_status(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome
