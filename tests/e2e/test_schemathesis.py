"""Schemathesis over the whole OpenAPI of a running server: no 5xx but our typed ones, every answer conforms to its schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from clawscope.kernel.errors import registered
from tests.fakes.control_plane import ControlPlane
from tests.http.receipts import receipt
from tests.http.serving import OPERATOR_KEY, Served
from tests.http.tokens import request, token

_EXAMPLES = 25
_CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
_TYPED = {"CONTROL_PLANE_NOT_CONFIGURED", "CONTROL_CHAIN_LOOKUP_FAILED", "SIGNING_NOT_CONFIGURED"}


def operations(served: Served) -> list[Any]:
    """Every operation of the served description."""
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    schema.config.generation.modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    return [found.ok() for found in schema.get_all_operations()]


def judge(case: Case, served: Served) -> None:
    """Call and judge one generated case."""
    case.headers = {**{name: value for name, value in (case.headers or {}).items() if name.lower() != "accept"}}
    answer = case.call(base_url=served.url, headers={"Authorization": f"Bearer {OPERATOR_KEY}"}, timeout=20)
    if answer.status_code >= 500:
        code = json.loads(answer.content).get("error") if answer.content else None
        code = json.loads(answer.content).get("code", code)
        assert code in _TYPED, (case.method, case.path, answer.status_code, answer.content[:300])
        assert registered()[code].status in (answer.status_code, 502)
    case.validate_response(answer, checks=_CHECKS)


def test_description_covers_every_route_and_is_valid(dev: Served) -> None:
    found = {(operation.method.upper(), operation.path) for operation in operations(dev)}
    assert {("POST", "/v1/tokens/issue"), ("DELETE", "/v1/revocations/cutoffs/{cutoff_id}"), ("GET", "/.well-known/jwks.json")} <= found
    assert len(found) >= 30


@pytest.mark.parametrize("part", range(4))
def test_generated_requests_meet_documented_answers_only(session_server: Any, part: int) -> None:
    served = _shared(session_server)
    for operation in operations(served)[part::4]:

        @settings(
            max_examples=_EXAMPLES,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        )
        @given(case=operation.as_strategy())
        def run(case: Case) -> None:
            judge(case, served)

        run()


def test_good_answers_conform_to_their_schemas(session_server: Any, control_plane: ControlPlane) -> None:
    served = _shared(session_server)
    by_name = {(operation.method.upper(), operation.path): operation for operation in operations(served)}
    chain = control_plane.chain()
    text = token(served)
    asked = {**chain.members, "aud": "a", "scope": ["proxy:call"], "reason": "x", "evidence_required": []}
    calls: list[tuple[str, str, Any, int]] = [
        ("POST", "/v1/tokens/issue", request(spend_cap=1.5), 200), ("POST", "/v1/tokens/issue/canonical", request(**chain.members), 200),
        ("POST", "/v1/tokens/introspect", {"token": text}, 200), ("POST", "/v1/tokens/introspect/matrix", {"token": text}, 200),
        ("POST", "/v1/capabilities/preflight", asked, 200), ("POST", "/v1/approvals", asked, 201), ("GET", "/v1/approvals", None, 200),
        ("POST", "/v1/approvals/exchange", {"receipt": receipt(served, chain)}, 200), ("POST", "/v1/tokens/revoke", {"token": text}, 200),
        ("POST", "/v1/tokens/revoke", {"token_hash": "0" * 64}, 200), ("POST", "/v1/tokens/introspect", {"token": text}, 200),
        ("POST", "/v1/tokens/introspect/matrix", {"token": text}, 200),
        ("POST", "/v1/revocations/cutoffs", {"dimension": "run_id", "value": "r", "reason": "x"}, 200), ("GET", "/v1/revocations/stream",
        None, 200),
        ("GET", "/v1/revocations/snapshot", None, 200), ("GET", "/v1/audit/issuance", None, 200), ("GET", "/v1/audit/approvals", None, 200),
        ("GET", "/v1/audit/bundle", None, 200), ("GET", "/v1/keys", None, 200),
    ]  # fmt: skip
    for method, path, body, status in calls:
        case = by_name[method, path].Case(body=body, media_type="application/json") if body is not None else by_name[method, path].Case()
        answer = case.call(base_url=served.url, headers={"Authorization": f"Bearer {OPERATOR_KEY}"}, timeout=20)
        assert answer.status_code == status, (path, answer.content[:300])
        case.validate_response(answer, checks=_CHECKS)


_SERVED: list[Served] = []


def _shared(session_server: Any) -> Served:
    if not _SERVED:
        _SERVED.append(session_server({"sse_max_subscribers": 0, "introspect_anonymous_per_s": 0}))
    return _SERVED[0]
