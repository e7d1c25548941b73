"""Health, readiness, metrics, the API description, and what a refusal code means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from clawscope.infra.http.call import Call, Reply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.infra.http.needs import PUBLIC, permission
from clawscope.infra.telemetry.metrics import CONTENT_TYPE, Metrics
from clawscope.kernel.codes import FORBIDDEN, NOT_FOUND, UNAUTHORIZED
from clawscope.kernel.errors import registered

Standing = Callable[[], Awaitable[Mapping[str, bool]]]
Share = Callable[[], Mapping[str, Any]]


class HealthBody(msgspec.Struct):
    """The merged health of every served slice."""

    status: str
    version: str
    signingEnabled: bool  # noqa: N815 - the ecosystem's clients read this spelling


class ReadyBody(msgspec.Struct):
    """Whether requests can be served, and what is missing."""

    ready: bool
    checks: dict[str, bool]


class ProblemKindBody(msgspec.Struct):
    """What a refusal code means: the page behind a problem document's `type`."""

    error: str
    status: int
    title: str


class Probes:
    """The handlers."""

    def __init__(self, version: str, metrics: Metrics, standing: Standing, shares: list[Share]) -> None:
        self._version = version
        self._metrics = metrics
        self._standing = standing
        self._shares = shares
        self._document: bytes = b"{}"

    def describe(self, document: Mapping[str, Any]) -> None:
        """Take the generated API description."""
        self._document = msgspec.json.encode(document)

    async def health(self, call: Call) -> Reply:
        """`GET /health`: the process answers; `signingEnabled` is true when every signer has keys."""
        merged: dict[str, Any] = {"status": "ok", "version": self._version}
        for share in self._shares:
            own = dict(share())
            merged["signingEnabled"] = bool(merged.get("signingEnabled", True)) and bool(own.pop("signingEnabled", True))
            merged |= own
        return Reply(merged, headers={"Cache-Control": "no-store"})

    async def ready(self, call: Call) -> Reply:
        """`GET /ready`: 503 until stores, schema and keys stand."""
        checks = dict(await self._standing())
        stands = all(checks.values())
        return Reply({"ready": stands, "checks": checks}, 200 if stands else 503, {"Cache-Control": "no-store"})

    async def metrics(self, call: Call) -> Reply:
        """`GET /metrics` for Prometheus."""
        return Reply(self._metrics.render(), media_type=CONTENT_TYPE)

    async def openapi(self, call: Call) -> Reply:
        """`GET /openapi.json`."""
        return Reply(self._document, headers={"Cache-Control": "public, max-age=300"})

    async def problem(self, call: Call) -> Reply:
        """`GET /problems/{code}`."""
        code = registered().get(call.params["code"])
        if code is None:
            raise NOT_FOUND("there is no such refusal code")
        return Reply({"error": code.name, "status": code.status, "title": code.message})

    def endpoints(self) -> list[Endpoint]:
        """What is served."""
        return [
            Endpoint("GET", "/health", self.health, PUBLIC, "Whether the process lives", "operations", answers={200: HealthBody}),
            Endpoint("GET", "/ready", self.ready, PUBLIC, "Whether requests can be served", "operations", answers={200: ReadyBody,
                     503: ReadyBody}),
            Endpoint("GET", "/metrics", self.metrics, permission("metrics:scrape"), "Counters for Prometheus", "operations",
                     answers={200: str}, media_type="text/plain", refusals=(UNAUTHORIZED, FORBIDDEN)),
            Endpoint("GET", "/openapi.json", self.openapi, PUBLIC, "This description", "operations", answers={200: dict}),
            Endpoint("GET", "/problems/{code}", self.problem, PUBLIC, "What a refusal code means", "operations",
                     answers={200: ProblemKindBody}, refusals=(NOT_FOUND,)),
        ]  # fmt: skip
