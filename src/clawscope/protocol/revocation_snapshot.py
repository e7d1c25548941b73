"""The signed snapshot of all that may still hit a live token, for verifiers that start or were away (tokens.md §4.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from clawscope.protocol import jcs, statement, strict_json
from clawscope.protocol.keys import SigningKey
from clawscope.protocol.revocation import DIMENSIONS, CutOff, KeyRevoked, Record, RevocationView, TokenRevoked

KIND = "revocation-snapshot"


class SnapshotRefused(ValueError):
    """A snapshot that may not be used: `why` is `malformed`, `signature`, `rollback`, `expired` or `future`."""

    def __init__(self, why: Literal["malformed", "signature", "rollback", "expired", "future"]) -> None:
        super().__init__(f"the revocation snapshot is refused: {why}")
        self.why = why


class SnapshotToken(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One revoked token that may be alive; `exp` is absent where nobody knows it."""

    jti: str | None = None
    token_hash: str | None = None
    exp: int | None = None


class SnapshotCutOff(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One cut-off that may still cut a live token."""

    dimension: str
    value: str
    not_before: int
    org_id: str | None = None
    owner_did: str | None = None


class Snapshot(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Everything revoked up to `as_of_sequence` that still matters; good until `valid_until` (epoch seconds)."""

    snapshot_version: Literal["1"]
    as_of_sequence: int
    generated_at: int
    valid_until: int
    tokens: tuple[SnapshotToken, ...]
    cutoffs: tuple[SnapshotCutOff, ...]
    revoked_kids: tuple[str, ...]
    signer_kid: str
    signature_b64u: str = ""


def build(
    records: Iterable[Record], *, as_of_sequence: int, generated_at: int, valid_until: int, signer_kid: str, key: SigningKey
) -> Snapshot:
    """A snapshot signed by the statement key, from the feed's rows up to `as_of_sequence` that may still hit a live token."""
    rows = list(records)
    unsigned = Snapshot(
        snapshot_version="1",
        as_of_sequence=as_of_sequence,
        generated_at=generated_at,
        valid_until=valid_until,
        tokens=tuple(SnapshotToken(row.jti, row.token_hash, row.exp) for row in rows if isinstance(row, TokenRevoked)),
        cutoffs=tuple(
            SnapshotCutOff(row.dimension, row.value, row.not_before, row.org_id, row.owner_did) for row in rows if isinstance(row, CutOff)
        ),
        revoked_kids=tuple(sorted({row.kid for row in rows if isinstance(row, KeyRevoked)})),
        signer_kid=signer_kid,
    )
    return msgspec.structs.replace(unsigned, signature_b64u=statement.sign(KIND, as_object(unsigned), key))


def as_object(snapshot: Snapshot) -> dict[str, Any]:
    """The snapshot as a JSON object, absent members left out."""
    found: dict[str, Any] = msgspec.to_builtins(snapshot)
    return found


def encode(snapshot: Snapshot) -> bytes:
    """The snapshot as JSON text."""
    return jcs.canonical(as_object(snapshot))


def open_snapshot(raw: bytes, public: bytes, *, now: int, seen_sequence: int = 0, clock_skew_s: int = 60) -> Snapshot:
    """The snapshot in `raw`, if it may be used. Raises `SnapshotRefused`, in this order.

    1. it is strict JSON of the closed shape. 2. the statement key signed it. 3. its sequence is not below the highest seen.
    4. it is not from the future. 5. `valid_until` has not passed.
    """
    try:
        document = strict_json.parse(raw)
        snapshot = msgspec.convert(document, Snapshot)
    except (strict_json.NotJson, msgspec.ValidationError):
        raise SnapshotRefused("malformed") from None  # 1
    if snapshot.as_of_sequence < 0 or any(cut.dimension not in DIMENSIONS for cut in snapshot.cutoffs):
        raise SnapshotRefused("malformed")
    if not statement.verify(KIND, document, public):
        raise SnapshotRefused("signature")  # 2
    if snapshot.as_of_sequence < seen_sequence:
        raise SnapshotRefused("rollback")  # 3
    if snapshot.generated_at > now + clock_skew_s:
        raise SnapshotRefused("future")  # 4
    if snapshot.valid_until <= now:
        raise SnapshotRefused("expired")  # 5
    return snapshot


def view_of(snapshot: Snapshot) -> RevocationView:
    """A view that starts from the snapshot and goes on with the feed."""
    sequence = snapshot.as_of_sequence
    records: list[Record] = [TokenRevoked(sequence, row.jti, row.token_hash, row.exp) for row in snapshot.tokens]
    records += [
        CutOff(sequence, row.dimension, row.value, row.not_before, org_id=row.org_id, owner_did=row.owner_did) for row in snapshot.cutoffs
    ]
    records += [KeyRevoked(sequence, kid) for kid in snapshot.revoked_kids]
    return RevocationView.at(sequence, records)
