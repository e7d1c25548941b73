"""Rebuild a kept answer: the issuer signs the stored claims again, since tokens are never stored (tokens.md §2.5)."""

from __future__ import annotations

from typing import Any

import msgspec

from clawscope.issuer.domain.errors import IDEMPOTENCY_REPLAY_UNAVAILABLE
from clawscope.issuer.ports import View
from clawscope.kernel.errors import Refusal
from clawscope.protocol.claims import Claims
from clawscope.protocol.token import mint


class RemintToken:
    """Same claims, same key, same bytes: Ed25519 is deterministic."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def __call__(self, kept: dict[str, Any]) -> dict[str, Any]:
        """The first answer, whole. Raises 409 `IDEMPOTENCY_REPLAY_UNAVAILABLE` when its key signs no longer."""
        known = await self._view.fresh()
        try:
            kid, key = known.keyring.signer("token")
        except Refusal:
            raise IDEMPOTENCY_REPLAY_UNAVAILABLE("no key signs now") from None
        if kid != kept["kid"]:
            raise IDEMPOTENCY_REPLAY_UNAVAILABLE("another key signs now", fix="send the request under a new Idempotency-Key")
        return {"token": mint(msgspec.convert(kept["claims"], Claims), key, kid).token, **kept}
