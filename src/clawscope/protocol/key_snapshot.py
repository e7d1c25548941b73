"""Key transparency entries: what the key set was at one moment, signed twice and chained (keys.md §6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from clawscope.kernel.clock import iso_ms
from clawscope.protocol import b64u, digest, keys
from clawscope.protocol.claim_forms import MAX_INTEGER
from clawscope.protocol.jwk import is_kid

FIRST_PREVIOUS = "A" * 43
Reason = Literal["boot", "prepared", "activated", "retired", "revoked", "refresh", "manual", "statement_kid_changed", "delay_waived"]
_PREFIX = b"clawscope/key-snapshot/v1\n"
_WIRE_MEMBERS = (
    "snapshot_version",
    "generated_at",
    "generated_at_iso",
    "active_kid",
    "accepted_kids",
    "signing_kids",
    "verify_only_kids",
    "expiring_kids",
    "overlap_seconds",
)
_YEAR_10000 = 253_402_300_800
_encoder = msgspec.json.Encoder()
# An entry has no floats and only ASCII member names: there, sorted members are JCS, at a quarter of the time.
_canonical_encoder = msgspec.json.Encoder(order="sorted")


class NotAnEntry(ValueError):
    """A JSON value that has not the shape of an entry."""


class ExpiringKid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A verify-only key and its cut-off in epoch seconds."""

    kid: str
    not_after_unix: int


class PreparedKid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A published key and the epoch second from which it may sign."""

    kid: str
    activates_at_unix: int


@dataclass(frozen=True, slots=True)
class KeyState:
    """The key set an entry records; `active_kid` is `None` while no key may sign."""

    active_kid: str | None
    accepted_kids: Sequence[str]
    signing_kids: Sequence[str]
    verify_only_kids: Sequence[str] = ()
    expiring_kids: Sequence[ExpiringKid] = ()
    overlap_seconds: int = 0
    prepared_kids: Sequence[PreparedKid] = ()
    revoked_kids: Sequence[str] = ()


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry, members in the wire's order.

    The first nine, as compact JSON, are the ecosystem's signed text. Without an active key `signer_kid` and `signature_b64u`
    are `null`: nobody could sign it.
    """

    snapshot_version: Literal["1"]
    generated_at: int
    generated_at_iso: str
    active_kid: str | None
    accepted_kids: tuple[str, ...]
    signing_kids: tuple[str, ...]
    verify_only_kids: tuple[str, ...]
    expiring_kids: tuple[ExpiringKid, ...]
    overlap_seconds: int
    snapshot_id: str
    snapshot_hash_b64u: str
    signer_kid: str | None
    signature_b64u: str | None
    sequence: int
    reason: Reason
    prev_entry_hash_b64u: str
    prepared_kids: tuple[PreparedKid, ...]
    revoked_kids: tuple[str, ...]
    statement_kid: str
    entry_hash_b64u: str
    entry_signature_b64u: str


def build(
    state: KeyState,
    *,
    sequence: int,
    reason: Reason,
    generated_at: int,
    prev_entry_hash_b64u: str,
    token_key: keys.SigningKey | None,
    statement_key: keys.SigningKey,
    statement_kid: str,
) -> Entry:
    """The entry for a key set, signed by the active token key (`None` only without one) and by the statement key."""
    if (token_key is None) != (state.active_kid is None):
        raise ValueError("the active token key signs, where there is one")
    entry = Entry(
        snapshot_version="1",
        generated_at=generated_at,
        generated_at_iso=iso_ms(generated_at),
        active_kid=state.active_kid,
        accepted_kids=tuple(state.accepted_kids),
        signing_kids=tuple(state.signing_kids),
        verify_only_kids=tuple(state.verify_only_kids),
        expiring_kids=tuple(state.expiring_kids),
        overlap_seconds=state.overlap_seconds,
        snapshot_id=snapshot_id(generated_at, state.active_kid, sequence),
        snapshot_hash_b64u="",
        signer_kid=state.active_kid,
        signature_b64u=None,
        sequence=sequence,
        reason=reason,
        prev_entry_hash_b64u=prev_entry_hash_b64u,
        prepared_kids=tuple(state.prepared_kids),
        revoked_kids=tuple(state.revoked_kids),
        statement_kid=statement_kid,
        entry_hash_b64u="",
        entry_signature_b64u="",
    )
    return _signed(entry, token_key, statement_key)


def read(obj: Any) -> Entry:
    """The entry in a strictly parsed JSON value. Raises `NotAnEntry` for any other shape."""
    try:
        return msgspec.convert(obj, Entry)
    except msgspec.ValidationError:
        raise NotAnEntry("not an entry of the key log") from None


def snapshot_id(generated_at: int, active_kid: str | None, sequence: int) -> str:
    """`kts_<time>_<active kid or none>_<sequence>`."""
    return f"kts_{generated_at}_{active_kid or 'none'}_{sequence}"


def encode(entry: Entry) -> bytes:
    """The entry as compact JSON in the wire's order."""
    return _encoder.encode(entry)


def wire_text(entry: Entry) -> bytes:
    """The ecosystem's signed text: the first nine members as compact JSON."""
    return _encoder.encode({name: getattr(entry, name) for name in _WIRE_MEMBERS})


def entry_text(entry: Entry) -> bytes:
    """What the chain hashes and the statement key signs: the domain prefix and JCS of all but the two `entry_…` members."""
    members: dict[str, Any] = msgspec.to_builtins(entry)
    del members["entry_hash_b64u"], members["entry_signature_b64u"]
    return _PREFIX + _canonical_encoder.encode(members)


def entry_problem(entry: Entry, token_keys: Mapping[str, bytes], statement_keys: Mapping[str, bytes]) -> str | None:
    """What is wrong with one entry by itself, in a word, or `None`. Keys are public keys by kid.

    1. its kids and times are well-formed and agree. 2. both hashes. 3. both signatures, by keys that are known.
    """
    if _shape_problem(entry):
        return "shape"  # 1
    wire, text = wire_text(entry), entry_text(entry)
    if entry.snapshot_hash_b64u != digest.sha256_b64u(wire):
        return "snapshot_hash"  # 2
    if entry.entry_hash_b64u != digest.sha256_b64u(text):
        return "entry_hash"
    if entry.signer_kid is not None and not _is_signed(token_keys.get(entry.signer_kid), wire, entry.signature_b64u):
        return "signature"  # 3
    if not _is_signed(statement_keys.get(entry.statement_kid), text, entry.entry_signature_b64u):
        return "entry_signature"
    return None


def _signed(entry: Entry, token_key: keys.SigningKey | None, statement_key: keys.SigningKey) -> Entry:
    wire = wire_text(entry)
    signature = None if token_key is None else b64u.encode(token_key.sign(wire))
    entry = msgspec.structs.replace(entry, snapshot_hash_b64u=digest.sha256_b64u(wire), signature_b64u=signature)
    text = entry_text(entry)
    return msgspec.structs.replace(
        entry, entry_hash_b64u=digest.sha256_b64u(text), entry_signature_b64u=b64u.encode(statement_key.sign(text))
    )


def _shape_problem(entry: Entry) -> bool:
    if not 0 <= entry.generated_at < _YEAR_10000 or entry.generated_at_iso != iso_ms(entry.generated_at):
        return True
    if entry.snapshot_id != snapshot_id(entry.generated_at, entry.active_kid, entry.sequence):
        return True
    if entry.signer_kid != entry.active_kid or (entry.signature_b64u is None) != (entry.active_kid is None):
        return True
    numbers = [entry.overlap_seconds, *(one.not_after_unix for one in entry.expiring_kids)]
    numbers += [one.activates_at_unix for one in entry.prepared_kids]
    if not all(0 <= number <= MAX_INTEGER for number in numbers):
        return True
    named = [*entry.accepted_kids, *entry.revoked_kids, entry.statement_kid]
    return entry.sequence < 1 or not all(is_kid(kid) for kid in named)


def _is_signed(public: bytes | None, text: bytes, signature: str | None) -> bool:
    if public is None or signature is None:
        return False
    try:
        return keys.verify(public, text, b64u.decode(signature))
    except ValueError:
        return False
