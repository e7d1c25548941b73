"""Signed artefacts: statements, approval receipts, audit bundles."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from clawscope.protocol import approval, audit_bundle, b64u, digest, jcs, statement
from clawscope.protocol.approval import ApprovalBinding, ApprovalPayload
from clawscope.protocol.did import did_key
from clawscope.protocol.keys import SigningKey
from clawscope.protocol.scope import scope_hash
from clawscope.protocol.verdict import Denied

SMALL_ORDER_DID = "did:key:z6MkeTG3bFFSLYVU7VqhgZxqr6YzpaGrQtFMh1uvqGy1vDnP"


def test_a_statement_is_signed_under_its_kind_over_canonical_json(statement_key: SigningKey) -> None:
    obj: dict[str, Any] = {"b": 1, "a": [2]}
    assert statement.text("x", obj | {"signature_b64u": "y"}) == b'clawscope/x/v1\n{"a":[2],"b":1}'
    signed = obj | {"signature_b64u": statement.sign("x", obj, statement_key)}
    assert statement.verify("x", signed, statement_key.public)
    assert not statement.verify("y", signed, statement_key.public)
    assert not statement.verify("x", signed | {"b": 2}, statement_key.public)
    assert not statement.verify("x", signed | {"signature_b64u": signed["signature_b64u"] + "="}, statement_key.public)
    assert not statement.verify("x", obj, statement_key.public)
    assert not statement.verify("x", signed | {"b": 2**60}, statement_key.public)


@pytest.fixture
def payload(statement_key: SigningKey) -> ApprovalPayload:
    """The payload of the contract's example, by our own signer."""
    return ApprovalPayload(
        agent_did="did:key:zAgent",
        approval_type="explicit_approve",
        approver_did=did_key(statement_key.public),
        approver_subject="email:ana@example.org",
        aud=("https://clawproxy.example",),
        controller_did="did:key:zController",
        expires_at=1_800_003_600,
        issued_at=1_800_000_000,
        minted_capability_ttl_seconds=600,
        nonce="bm9uY2UtMDAwMDAwMDAwMQ",
        owner_did="did:key:zOwner",
        receipt_id="apr_01",
        receipt_type="human_approval_receipt",
        receipt_version="1",
        scope=("clawproxy:call:openai",),
        scope_hash_b64u="PD74mX1AiA9VBawiFdHZIoHMX4rGqsJkPHT05brDa8Y",
    )


def refusal(envelope: Any) -> tuple[str, str | None] | None:
    found = approval.open_receipt(envelope)
    return (found.code.name, found.field) if isinstance(found, Denied) else None


def resigned(envelope: dict[str, Any], key: SigningKey, **changes: Any) -> dict[str, Any]:
    changed = copy.deepcopy(envelope)
    changed["payload"] |= changes
    changed["payload"] = {name: value for name, value in changed["payload"].items() if value is not ...}
    changed["payload_hash_b64u"] = digest.sha256_b64u(jcs.canonical(changed["payload"]))
    changed["signature_b64u"] = b64u.encode(key.sign(changed["payload_hash_b64u"].encode()))
    return changed


def test_the_approval_scope_hash_of_the_contract(payload: ApprovalPayload) -> None:
    assert scope_hash(payload.scope) == payload.scope_hash_b64u


def test_a_receipt_is_written_in_canonical_order_and_opens(payload: ApprovalPayload, statement_key: SigningKey) -> None:
    full = msgspec.structs.replace(
        payload, binding=ApprovalBinding(run_id="r"), spend_cap=1.5, evidence_required=("gateway_receipt",), reason="ok"
    )
    for one in (payload, full):
        envelope = approval.build(one, statement_key)
        assert json.dumps(envelope, separators=(",", ":")).encode() == jcs.canonical(envelope)
        receipt = approval.open_receipt(envelope)
        assert isinstance(receipt, approval.Receipt)
        assert receipt.payload == one
        assert receipt.signer_did == one.approver_did


def test_only_the_named_approver_builds_a_receipt(payload: ApprovalPayload, token_key: SigningKey) -> None:
    with pytest.raises(ValueError, match="approver"):
        approval.build(payload, token_key)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"envelope_version": "2"}, "HUMAN_APPROVAL_UNKNOWN_TYPE"),
        ({"envelope_type": "other"}, "HUMAN_APPROVAL_UNKNOWN_TYPE"),
        ({"envelope_version": 1}, "HUMAN_APPROVAL_INVALID"),
        ({"algorithm": "RS256"}, "HUMAN_APPROVAL_INVALID"),
        ({"hash_algorithm": "SHA-1"}, "HUMAN_APPROVAL_INVALID"),
        ({"issued_at": "2027-01-15T08:00:01.000Z"}, "HUMAN_APPROVAL_INVALID"),
        ({"issued_at": 1_800_000_000}, "HUMAN_APPROVAL_INVALID"),
        ({"signer_did": "did:key:zOther"}, "HUMAN_APPROVAL_INVALID"),
        ({"payload_hash_b64u": "A" * 43}, "HUMAN_APPROVAL_INVALID"),
        ({"payload": 1}, "HUMAN_APPROVAL_INVALID"),
        ({"extra": 1}, "HUMAN_APPROVAL_INVALID"),
        ({"signature_b64u": "A" * 86}, "HUMAN_APPROVAL_SIGNATURE_INVALID"),
        ({"signature_b64u": "x"}, "HUMAN_APPROVAL_SIGNATURE_INVALID"),
    ],
)
def test_a_changed_envelope_is_refused(payload: ApprovalPayload, statement_key: SigningKey, change: dict[str, Any], code: str) -> None:
    found = refusal(approval.build(payload, statement_key) | change)
    assert found is not None
    assert found[0] == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"receipt_type": "other"}, "HUMAN_APPROVAL_UNKNOWN_TYPE"),
        ({"receipt_version": "2"}, "HUMAN_APPROVAL_UNKNOWN_TYPE"),
        ({"colour": "red"}, "HUMAN_APPROVAL_INVALID"),
        ({"reason": None}, "HUMAN_APPROVAL_INVALID"),
        ({"scope": []}, "HUMAN_APPROVAL_INVALID"),
        ({"scope": ...}, "HUMAN_APPROVAL_INVALID"),
        ({"approval_type": "maybe"}, "HUMAN_APPROVAL_INVALID"),
        ({"minted_capability_ttl_seconds": 0}, "HUMAN_APPROVAL_INVALID"),
        ({"minted_capability_ttl_seconds": 600.0}, "HUMAN_APPROVAL_INVALID"),
        ({"expires_at": 1_800_000_000}, "HUMAN_APPROVAL_INVALID"),
        ({"evidence_required": ["Bad"]}, "HUMAN_APPROVAL_INVALID"),
        ({"spend_cap": -1}, "HUMAN_APPROVAL_INVALID"),
        ({"approver_did": SMALL_ORDER_DID}, "HUMAN_APPROVAL_INVALID"),
        ({"issued_at": 1_800_000_001}, "HUMAN_APPROVAL_INVALID"),
    ],
)
def test_a_changed_payload_is_refused_however_well_signed(
    payload: ApprovalPayload, statement_key: SigningKey, change: dict[str, Any], code: str
) -> None:
    found = refusal(resigned(approval.build(payload, statement_key), statement_key, **change))
    assert found is not None
    assert found[0] == code


def test_a_small_order_or_foreign_signer_is_a_bad_signature(payload: ApprovalPayload, statement_key: SigningKey) -> None:
    for signer in (SMALL_ORDER_DID, "did:web:example.com"):
        envelope = resigned(approval.build(payload, statement_key), statement_key, approver_did=signer) | {"signer_did": signer}
        assert refusal(envelope) == ("HUMAN_APPROVAL_SIGNATURE_INVALID", "signature_b64u")


def test_what_is_no_object_is_no_receipt() -> None:
    junks: list[Any] = [None, [], "x", {}, {"payload": []}, 7]
    for junk in junks:
        assert refusal(junk) == ("HUMAN_APPROVAL_INVALID", "payload")


@pytest.fixture
def bundle(statement_key: SigningKey) -> list[bytes]:
    """The lines of a bundle of four rows."""
    writer = audit_bundle.BundleWriter()
    lines = [writer.header({"bundle_version": "1", "bundle_id": "aud_1"})]
    lines += [writer.row("issuance", {"sequence": number, "token_hash": "0" * 64}) for number in (1, 2)]
    lines += [writer.row("revocation", {"sequence": 1}), writer.row("approval", {"receipt_id": "apr_1"})]
    return [*lines, writer.trailer(checkpoint="c", signer_kid="s", key=statement_key)]


def test_a_bundle_checks_out_and_counts_its_rows(bundle: list[bytes], statement_key: SigningKey) -> None:
    report = audit_bundle.check_file(bundle, {"s": statement_key.public})
    assert report.good
    assert report.rows == {"issuance": 2, "revocations": 1, "approvals": 1}


@pytest.mark.parametrize(
    ("damage", "line", "why"),
    [
        (lambda lines: lines[:-1], 6, "trailer_missing"),
        (lambda lines: lines[1:], 1, "header"),
        (lambda lines: [lines[0], lines[0], *lines[1:]], 2, "header"),
        (lambda lines: [*lines[:2], *lines[3:]], 5, "counts"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 3, "sequence"),
        (lambda lines: [lines[0], lines[1].replace(b"0000", b"0001", 1), *lines[2:]], 6, "sha256"),
        (lambda lines: [lines[0], b"{\n", *lines[2:]], 2, "not_json"),
        (lambda lines: [lines[0], b'{"kind":"x"}\n', *lines[2:]], 2, "kind"),
        (lambda lines: [*lines, lines[1]], 7, "row_after_trailer"),
        (lambda lines: [*lines[:-1], lines[-1].replace(b'"c"', b'"d"')], 6, "signature"),
        (lambda lines: [*lines[:-1], lines[-1].replace(b'"s"', b'"t"')], 6, "signer"),
        (lambda _: [], 1, "trailer_missing"),
    ],
)
def test_the_first_bad_line_of_a_bundle_is_named(
    bundle: list[bytes], statement_key: SigningKey, damage: Callable[[list[bytes]], list[bytes]], line: int, why: str
) -> None:
    report = audit_bundle.check_file(damage(bundle), {"s": statement_key.public})
    assert (report.bad_line, report.why) == (line, why)
    assert not report.good


def test_a_sealed_page_shows_any_change(statement_key: SigningKey, token_key: SigningKey) -> None:
    page = audit_bundle.seal_page({"generated_at": "x", "issuance": {"events": []}}, signer_kid="s", key=statement_key)
    assert audit_bundle.check_page(page, statement_key.public)
    assert not audit_bundle.check_page(page, token_key.public)
    assert not audit_bundle.check_page(page | {"generated_at": "y"}, statement_key.public)
    assert not audit_bundle.check_page(page | {"signer_kid": "t"}, statement_key.public)
