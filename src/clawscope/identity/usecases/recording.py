"""Every change leaves one audit row and its events, in its own transaction (identity.md §11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clawscope.identity.domain import events
from clawscope.identity.domain.audit import AuditRow
from clawscope.identity.ports import CutOffs, Work
from clawscope.kernel.events import Event
from clawscope.kernel.ids import new_id, new_uuid


@dataclass(frozen=True, slots=True)
class Fact:
    """What changed: who did it, to whom; `details` never hold a signature, nonce or token."""

    event_type: str
    actor_did: str
    subject_did: str
    details: Mapping[str, Any] = field(default_factory=dict)


def record(work: Work, fact: Fact, now: int) -> AuditRow:
    """Write the audit row and put its event into the outbox."""
    event_id = f"audit_{new_uuid()}"
    row = work.audit.append(
        AuditRow(
            sequence=0,
            event_id=event_id,
            event_type=fact.event_type,
            actor_did=fact.actor_did,
            subject_did=fact.subject_did,
            occurred_at=now,
            details=fact.details,
            prev_hash_b64u="",
        )
    )
    data = {"sequence": row.sequence, "actor_did": fact.actor_did, "subject_did": fact.subject_did, **fact.details}
    work.events.put(Event(event_id, events.BUS_NAMES[fact.event_type], now, data))
    return row


def cut_off(work: Work, cut_offs: CutOffs, dimension: str, value: str, reason: str, now: int) -> None:
    """End the tokens minted from what ended, in this transaction, and say so."""
    cut_offs.cut_off(work.transaction, dimension, value, reason)
    work.events.put(Event(new_id("evt"), events.TOKENS_CUT_OFF, now, {"dimension": dimension, "value": value, "reason": reason}))
