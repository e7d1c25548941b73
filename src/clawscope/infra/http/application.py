"""The ASGI application: every declared endpoint on Litestar's router, our renderer for everything that misses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from litestar import Litestar, Request, Response
from litestar.handlers import asgi

from clawscope.infra.http.call import Reply
from clawscope.infra.http.dispatch import Dispatch, Surroundings
from clawscope.infra.http.endpoint import Endpoint
from clawscope.infra.http.problem import encode, refusal_reply
from clawscope.kernel.codes import INTERNAL_ERROR, NOT_FOUND
from clawscope.kernel.ids import new_id

Hook = Callable[[], Awaitable[None]]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def application(endpoints: Sequence[Endpoint], around: Surroundings, on_startup: Sequence[Hook], on_shutdown: Sequence[Hook]) -> Asgi:
    """One ASGI application for all endpoints. Raises `ValueError` if an address and method are declared twice.

    Addresses without parameters are found in a table before Litestar's router is asked: the hot routes are all of that kind.
    """
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        methods = by_path.setdefault(endpoint.path, {})
        if endpoint.method in methods:
            raise ValueError(f"{endpoint.operation} is declared twice")
        methods[endpoint.method] = endpoint
    dispatches = {path: Dispatch(methods, around) for path, methods in by_path.items()}
    handlers = [asgi(path, copy_scope=False)(_function(dispatch)) for path, dispatch in dispatches.items()]
    routed = Litestar(
        route_handlers=handlers,
        openapi_config=None,
        exception_handlers={Exception: _missed(around.base_url)},
        on_startup=list(on_startup),
        on_shutdown=list(on_shutdown),
        logging_config=None,
    )
    fixed = {path: dispatch for path, dispatch in dispatches.items() if "{" not in path}

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        found = fixed.get(scope["path"]) if scope["type"] == "http" else None
        await (found or routed)(scope, receive, send)

    return serve


def _function(dispatch: Dispatch) -> Callable[[Any, Any, Any], Awaitable[None]]:
    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await dispatch(scope, receive, send)

    return serve


def _missed(base_url: str) -> Callable[[Request[Any, Any, Any], Exception], Response[bytes]]:
    def render(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        known = getattr(error, "status_code", 500) < 500
        made = new_id("req")
        reply: Reply = refusal_reply((NOT_FOUND if known else INTERNAL_ERROR)(), made, "problem", {}, base_url)
        headers = {**reply.headers, "X-Clawscope-Request-Id": made}
        return Response(encode(reply.body), status_code=reply.status, headers=headers, media_type=reply.media_type)

    return render
