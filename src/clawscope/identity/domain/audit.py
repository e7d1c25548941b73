"""The audit chain: one gapless row for every change, each hashing its predecessor (identity.md §11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clawscope.protocol import jcs
from clawscope.protocol.digest import sha256_b64u

FIRST_PREV_HASH = "A" * 43
_DOMAIN = b"clawscope/identity-audit/v1\n"


@dataclass(frozen=True, slots=True)
class AuditRow:
    """What happened, to whom, by whom; `occurred_at` in epoch seconds."""

    sequence: int
    event_id: str
    event_type: str
    actor_did: str
    subject_did: str
    occurred_at: int
    details: Mapping[str, Any]
    prev_hash_b64u: str
    entry_hash_b64u: str = ""

    def hashed(self) -> dict[str, Any]:
        """What the entry hash covers."""
        return {
            "sequence": self.sequence,
            "event_id": self.event_id,
            "event_type": self.event_type,
            "actor_did": self.actor_did,
            "subject_did": self.subject_did,
            "occurred_at": self.occurred_at,
            "details": dict(self.details),
            "prev_hash_b64u": self.prev_hash_b64u,
        }

    def body(self) -> dict[str, Any]:
        """The row as it is answered."""
        return {**self.hashed(), "entry_hash_b64u": self.entry_hash_b64u}


def entry_hash(row: AuditRow) -> str:
    """SHA-256 over the domain prefix and the JCS of the row without its own hash."""
    return sha256_b64u(_DOMAIN + jcs.canonical(row.hashed()))


def first_fault(rows: Iterable[AuditRow]) -> int | None:
    """The sequence at which a chain read from its start is changed, missing or reordered; `None` for a whole one."""
    expected, prev_hash = 1, FIRST_PREV_HASH
    for row in rows:
        if row.sequence != expected or row.prev_hash_b64u != prev_hash or entry_hash(row) != row.entry_hash_b64u:
            return expected
        expected, prev_hash = expected + 1, row.entry_hash_b64u
    return None
