"""Identity's chain records over HTTP (tokens.md §2.3)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from clawscope.infra.net.fetch import Fetched, Fetcher, Unreachable
from clawscope.issuer.domain import errors
from clawscope.issuer.domain.chain import ChainRecord, ChainUnusable, read_chain
from clawscope.protocol.strict_json import NotJson, parse

_MOST_TEXT = 256


class HttpChains:
    """`Chains` at `GET {identity}/v1/control-plane/controllers/{controller}/agents/{agent}`."""

    def __init__(self, base_url: str, timeout_ms: int) -> None:
        self._base_url = base_url.rstrip("/")
        self._fetcher = Fetcher(timeout_ms)

    async def chain(self, controller_did: str, agent_did: str) -> ChainRecord:
        """See `Chains.chain`."""
        url = f"{self._base_url}/v1/control-plane/controllers/{quote(controller_did, safe='')}/agents/{quote(agent_did, safe='')}"
        try:
            return _record(await self._fetcher.get(url))
        except Unreachable:
            raise errors.CONTROL_CHAIN_LOOKUP_FAILED("the identity service did not answer in time", extra={"details": None}) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._fetcher.close()


def _record(answer: Fetched) -> ChainRecord:
    try:
        body = parse(answer.raw) if answer.whole else None
    except NotJson:
        body = None
    if answer.status == 404:
        raise errors.CONTROL_CHAIN_NOT_FOUND("register the controller and the agent first", details=_upstream(answer.status, body))
    if answer.status != 200:
        raise errors.CONTROL_CHAIN_LOOKUP_FAILED(f"the identity service answered {answer.status}", details=_upstream(answer.status, body))
    try:
        return read_chain(body)
    except ChainUnusable as error:
        raise errors.CONTROL_CHAIN_LOOKUP_FAILED(str(error), details=_upstream(answer.status, body)) from None


def _upstream(status: int, body: Any) -> dict[str, Any]:
    details: dict[str, Any] = {"upstream_status": status}
    if isinstance(body, dict):
        for name in ("error", "message"):
            if isinstance(body.get(name), str):
                details[f"upstream_{name}"] = body[name][:_MOST_TEXT]
    return details
