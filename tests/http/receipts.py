"""Approval receipts made by hand: good ones, and ones with chosen faults (tokens.md §8)."""

from __future__ import annotations

import uuid
from typing import Any

from clawscope.kernel.clock import iso_ms
from clawscope.protocol import b64u, jcs
from clawscope.protocol.did import did_key
from clawscope.protocol.digest import sha256_b64u
from clawscope.protocol.keys import SigningKey
from clawscope.protocol.scope import scope_hash
from tests.fakes.control_plane import Chain
from tests.http.client import Answer, Client
from tests.http.serving import Served
from tests.http.tokens import AUDIENCE

PATH = "/v1/approvals/exchange"


def payload(served: Served, chain: Chain, key: SigningKey, **changes: Any) -> dict[str, Any]:
    """A payload that grants `proxy:call` for ten minutes."""
    now = served.clock.now()
    body = {
        "agent_did": chain.agent_did, "approval_type": "explicit_approve", "approver_did": did_key(key.public),
        "approver_subject": "email:ana@example.org", "aud": [AUDIENCE], "controller_did": chain.controller_did, "expires_at": now + 3600,
        "issued_at": now, "minted_capability_ttl_seconds": 600, "nonce": uuid.uuid4().hex, "owner_did": chain.owner_did,
        "receipt_id": f"apr_{uuid.uuid4().hex}", "receipt_type": "human_approval_receipt", "receipt_version": "1", "scope": ["proxy:call"],
    } | changes  # fmt: skip
    body.setdefault("scope_hash_b64u", scope_hash(body["scope"]))
    return {name: value for name, value in body.items() if value is not None}


def envelope(body: dict[str, Any], key: SigningKey, **changes: Any) -> dict[str, Any]:
    """The signed envelope of a payload, some members changed after signing."""
    hashed = sha256_b64u(jcs.canonical(body))
    return {
        "envelope_version": "1", "envelope_type": "human_approval_receipt", "payload": body, "payload_hash_b64u": hashed,
        "hash_algorithm": "SHA-256", "signature_b64u": b64u.encode(key.sign(hashed.encode())), "algorithm": "Ed25519",
        "signer_did": did_key(key.public), "issued_at": iso_ms(body["issued_at"]) if isinstance(body["issued_at"], int) else "x",
    } | changes  # fmt: skip


def receipt(served: Served, chain: Chain, key: SigningKey | None = None, **changes: Any) -> dict[str, Any]:
    """A receipt by the owner (or `key`)."""
    signer = key or chain.owner_key
    return envelope(payload(served, chain, signer, **changes), signer)


def redeem(client: Client, made: dict[str, Any], **more: Any) -> Answer:
    """Exchange a receipt."""
    return client.post(PATH, {"receipt": made, **more})
