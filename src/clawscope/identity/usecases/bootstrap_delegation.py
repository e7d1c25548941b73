"""Tell a delegation service whether both sides are bound now; nothing is written (identity.md §10)."""

from __future__ import annotations

import hmac
from typing import Any

from clawscope.identity.domain import errors
from clawscope.identity.ports import Store, Work
from clawscope.identity.usecases.presenting import require_bound
from clawscope.kernel.clock import Clock
from clawscope.kernel.codes import UNAUTHORIZED
from clawscope.kernel.ids import random_bytes
from clawscope.kernel.secret import Secret, keyed_hash

_SCHEME = "bearer"


class BootstrapDelegation:
    """Knows one key, and answers whoever holds it."""

    def __init__(self, store: Store, clock: Clock, key: Secret | None) -> None:
        self._store = store
        self._clock = clock
        self._pepper = random_bytes(32)
        self._key = None if key is None else keyed_hash(self._pepper, key.reveal())

    def admit(self, authorization: str | None) -> None:
        """(1) `DELEGATION_BOOTSTRAP_NOT_CONFIGURED`, (2) `UNAUTHORIZED` unless the header is `Bearer` and the key."""
        if self._key is None:  # 1
            raise errors.DELEGATION_BOOTSTRAP_NOT_CONFIGURED("set identity.delegate_key")
        scheme, _, sent = (authorization or "").partition(" ")
        # Hashed alike, so that comparing takes the same time whatever was sent.
        good = hmac.compare_digest(keyed_hash(self._pepper, sent), self._key)
        if scheme.lower() != _SCHEME or not good:  # 2
            raise UNAUTHORIZED("send Authorization: Bearer with the delegate key")

    async def __call__(self, delegator_did: str, delegate_did: str) -> dict[str, Any]:
        """Both bindings. Raises `DELEGATOR_BINDING_REQUIRED`, then `DELEGATE_BINDING_REQUIRED`."""
        return await self._store.read(lambda work: self._look(work, delegator_did, delegate_did))

    def _look(self, work: Work, delegator_did: str, delegate_did: str) -> dict[str, Any]:
        require_bound(work, delegator_did, errors.DELEGATOR_BINDING_REQUIRED)
        require_bound(work, delegate_did, errors.DELEGATE_BINDING_REQUIRED)
        return {
            "ok": True,
            "result": {
                "delegator_did": delegator_did,
                "delegate_did": delegate_did,
                "delegator_binding_active": True,
                "delegate_binding_active": True,
                "checked_at": self._clock.now(),
            },
        }
