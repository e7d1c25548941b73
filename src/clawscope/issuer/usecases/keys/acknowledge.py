"""Verifier nodes tell what they have applied, and are missed when they fall silent (keys.md §7)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from clawscope.issuer.domain import events
from clawscope.issuer.domain.errors import REVOCATION_SEQUENCE_AHEAD
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.rows import NodeState
from clawscope.issuer.ports import Store, Work
from clawscope.kernel.clock import Clock
from clawscope.kernel.codes import FORBIDDEN, INVALID_REQUEST
from clawscope.kernel.events import Event
from clawscope.kernel.ids import new_id

_NODE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What was recorded, and the newest row there is."""

    node_id: str
    applied_sequence: int
    latest_sequence: int


class Acknowledge:
    """Records by the issuer's clock what a node has applied; a node id belongs to the credential that first used it."""

    def __init__(self, store: Store, clock: Clock, rules: KeyRules) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules

    async def __call__(self, credential: str, node_id: str, kind: str, applied_sequence: int, *, leaving: bool = False) -> Acknowledged:
        """Record. Raises `INVALID_REQUEST`, `REVOCATION_SEQUENCE_AHEAD`, `FORBIDDEN` for another credential's node, store codes."""
        if _NODE_ID.fullmatch(node_id) is None:
            raise INVALID_REQUEST("node_id: 1 to 64 of A-Z a-z 0-9 . _ -")
        if _KIND.fullmatch(kind) is None:
            raise INVALID_REQUEST("kind: a lowercase word such as proxy, issuer or offline")
        if applied_sequence < 0:
            raise INVALID_REQUEST("applied_sequence: 0 or more")
        return await self._store.transact(lambda work: self._record(work, credential, node_id, kind, applied_sequence, leaving))

    async def tell_lost(self) -> tuple[str, ...]:
        """Tell once, as an event, of every node silent for `node_forget_s`; which they were."""
        return await self._store.transact(self._tell_lost)

    def _record(self, work: Work, credential: str, node_id: str, kind: str, applied_sequence: int, leaving: bool) -> Acknowledged:
        latest = work.revocations.head()
        if applied_sequence > latest:
            raise REVOCATION_SEQUENCE_AHEAD(f"the latest sequence is {latest}", fix="take a new revocation snapshot")
        known = work.nodes.get(node_id)
        if known is not None and known.credential != credential:
            raise FORBIDDEN("this node_id belongs to another credential", fix="choose a node_id of your own")
        now_ms = self._clock.now_ms()
        work.nodes.heard(NodeState(node_id, kind, credential, applied_sequence, now_ms, left=leaving), self._rules.node_live_s * 1000)
        return Acknowledged(node_id, applied_sequence, latest)

    def _tell_lost(self, work: Work) -> tuple[str, ...]:
        silent_since = self._clock.now_ms() - self._rules.node_forget_s * 1000
        lost = [node for node in work.nodes.all() if not node.left and not node.lost_told and node.last_seen_ms < silent_since]
        for node in lost:
            work.nodes.mark_lost(node.node_id)
            data = {
                "node_id": node.node_id,
                "kind": node.kind,
                "sequence": node.applied_sequence,
                "last_seen_at": node.last_seen_ms // 1000,
            }
            work.events.put(Event(new_id("evt"), events.VERIFIER_NODE_LOST, self._clock.now(), data))
        return tuple(node.node_id for node in lost)
