"""The ASGI application: declared endpoints, start and stop, and our renderer for everything that misses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from clawscope.infra.http.dispatch import Dispatch, Surroundings, send_reply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.infra.http.problem import refusal_reply
from clawscope.infra.http.router import Router
from clawscope.kernel.codes import NOT_FOUND
from clawscope.kernel.errors import Refusal
from clawscope.kernel.ids import new_id, random_hex

Hook = Callable[[], Awaitable[None]]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def application(endpoints: Sequence[Endpoint], around: Surroundings, start: Hook, stop: Hook) -> Asgi:
    """One ASGI application for all endpoints. Raises `ValueError` if an address and method are declared twice."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        methods = by_path.setdefault(endpoint.path, {})
        if endpoint.method in methods:
            raise ValueError(f"{endpoint.operation} is declared twice")
        methods[endpoint.method] = endpoint
    router = Router({path: Dispatch(methods, around) for path, methods in by_path.items()})

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send, start, stop)
            return
        try:
            found = router.find(scope["raw_path"].partition(b"?")[0])
            if found is None:
                raise NOT_FOUND("there is nothing at this address", fix="see /openapi.json")
        except Refusal as missed:
            await _miss(missed, around, receive, send)
            return
        await found[0](scope, found[1], receive, send)

    return serve


async def _miss(missed: Refusal, around: Surroundings, receive: Any, send: Any) -> None:
    request_id = new_id("req")
    reply = refusal_reply(missed, request_id, "problem", {}, around.base_url)
    around.metrics.observe_request("issuer", "unmatched", "any", reply.status, 0)
    await send_reply(send, receive, reply, request_id, random_hex(16), {})


async def _live(receive: Any, send: Any, start: Hook, stop: Hook) -> None:
    """The ASGI lifespan protocol: a start that raises ends the server with its reason logged."""
    await receive()
    try:
        await start()
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await stop()
    await send({"type": "lifespan.shutdown.complete"})
