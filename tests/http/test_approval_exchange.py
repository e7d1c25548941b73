"""Exchanging a receipt: each step in its order, and once only (tokens.md §8)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from clawscope.kernel.clock import ManualClock
from clawscope.protocol.did import did_key
from clawscope.protocol.keys import SigningKey
from tests.fakes.control_plane import Chain, ControlPlane
from tests.http.receipts import envelope, payload, receipt, redeem
from tests.http.serving import MakeServer, Served
from tests.http.tokens import AUDIENCE, PIN, canonical, control_token, unique

STRANGER = SigningKey.from_seed(b"t" * 32)
HOLD = "B" * 42 + "A"


@pytest.fixture
def chain(control_plane: ControlPlane) -> Chain:
    """A fresh chain."""
    return control_plane.chain()


@pytest.mark.parametrize("who", ["owner", "controller"])
def test_owner_or_controller_may_sign_unasked(tiered: Served, chain: Chain, who: str) -> None:
    key = chain.owner_key if who == "owner" else chain.controller_key
    made = receipt(tiered, chain, key, binding={"run_id": "r", "job_id": "j"}, policy_hash_b64u=PIN, spend_cap=0.25, plan_hash_b64u=HOLD)
    claims = redeem(tiered.operator, made, mission_id="m").ok()["claims"]
    expected = {"sub": chain.agent_did, "scope": ["proxy:call"], "run_id": "r", "job_id": "j", "policy_hash_b64u": PIN, "spend_cap": 0.25,
    "mission_id": "m",
                "token_scope_hash_b64u": made["payload"]["scope_hash_b64u"], "token_lane": "canonical"}  # fmt: skip
    assert expected.items() <= claims.items()
    assert claims["exp"] - claims["iat"] == 600
    assert claims["aud"] in (AUDIENCE, [AUDIENCE])


def test_lifetime_is_bounded_thrice(make_server: MakeServer, control_plane: ControlPlane) -> None:
    served = make_server({"approval_max_ttl_s": 700})

    def lifetime(ttl: int, **more: Any) -> int:
        issued = redeem(served.operator, receipt(served, control_plane.chain(), minted_capability_ttl_seconds=ttl), **more).ok()
        return int(issued["exp"] - issued["iat"])

    assert lifetime(100) == 100
    assert lifetime(5000) == 700
    assert lifetime(100, ttl_sec=99) == 99


Fault = Callable[[dict[str, Any]], Any]
SHAPES: list[tuple[str, Fault]] = [
    ("no payload", lambda made: made.pop("payload")), ("payload is a text", lambda made: made.update(payload="x")),
    ("no signature", lambda made: made.pop("signature_b64u")), ("extra member", lambda made: made.update(more=1)),
    ("extra payload member", lambda made: made["payload"].update(more=1)), ("null member",
    lambda made: made["payload"].update(reason=None)),
    ("missing scope", lambda made: made["payload"].pop("scope")), ("scope is a text",
    lambda made: made["payload"].update(scope="proxy:call")),
    ("algorithm", lambda made: made.update(algorithm="RSA")), ("hash algorithm", lambda made: made.update(hash_algorithm="SHA-1")),
    ("time disagrees", lambda made: made.update(issued_at="2020-01-01T00:00:00.000Z")), ("signer disagrees",
    lambda made: made.update(signer_did=did_key(STRANGER.public))),
    ("hash disagrees", lambda made: made.update(payload_hash_b64u="A" * 43)), ("payload changed",
    lambda made: made["payload"].update(nonce="changed-nonce")),
    ("approval type", lambda made: made["payload"].update(approval_type="maybe")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "fault"), SHAPES, ids=[case[0] for case in SHAPES])
def test_step_1_malformed_receipt(tiered: Served, chain: Chain, name: str, fault: Fault) -> None:
    made = copy.deepcopy(receipt(tiered, chain))
    fault(made)
    answer = redeem(tiered.operator, made)
    assert answer.refusal[0] == 400
    assert answer.refusal[1] in ("HUMAN_APPROVAL_INVALID", "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("where", "member"),
    [("envelope", "envelope_type"), ("envelope", "envelope_version"), ("payload", "receipt_type"), ("payload", "receipt_version")],
)
def test_step_1_unknown_type_or_version(tiered: Served, chain: Chain, where: str, member: str) -> None:
    if where == "payload":
        made = receipt(tiered, chain, **{member: "9"})
    else:
        made = envelope(payload(tiered, chain, chain.owner_key), chain.owner_key, **{member: "9"})
    assert redeem(tiered.operator, made).refusal == (400, "HUMAN_APPROVAL_UNKNOWN_TYPE")


def test_step_2_signature(tiered: Served, chain: Chain) -> None:
    body = payload(tiered, chain, chain.owner_key)
    forged = envelope(body, STRANGER, signer_did=did_key(chain.owner_key.public))
    assert redeem(tiered.operator, forged).refusal == (401, "HUMAN_APPROVAL_SIGNATURE_INVALID")
    # The identity point (small order) and a y that is not reduced (non-canonical): keys that would sign anything.
    for bad in (b"\x01" + b"\x00" * 31, b"\xee" + b"\xff" * 30 + b"\x7f"):
        weak = did_key(bad)
        made = envelope(body | {"approver_did": weak}, STRANGER, signer_did=weak)
        assert redeem(tiered.operator, made).refusal == (401, "HUMAN_APPROVAL_SIGNATURE_INVALID")


def test_step_3_signer(tiered: Served, chain: Chain, control_plane: ControlPlane) -> None:
    assert redeem(tiered.operator, receipt(tiered, chain, STRANGER)).refusal == (403, "HUMAN_APPROVAL_APPROVER_NOT_TRUSTED")
    # Naming oneself owner in the payload proves nothing: the chain record decides.
    claimed = receipt(tiered, chain, STRANGER, owner_did=did_key(STRANGER.public))
    assert redeem(tiered.operator, claimed).refusal == (403, "HUMAN_APPROVAL_APPROVER_NOT_TRUSTED")


def test_step_3_trusted_approvers_are_configured(make_server: MakeServer, chain: Chain) -> None:
    served = make_server({"trusted_approver_dids": [did_key(STRANGER.public)]})
    assert redeem(served.operator, receipt(served, chain, STRANGER)).status == 200


def test_step_4_spent(tiered: Served, chain: Chain) -> None:
    made = receipt(tiered, chain)
    issued = redeem(tiered.operator, made).ok()
    again = redeem(tiered.operator, made)
    assert again.refusal == (409, "HUMAN_APPROVAL_ALREADY_EXCHANGED")
    assert again.json["details"] == {"token_hash": issued["token_hash"], "jti": issued["jti"], "exchanged_at": issued["iat"]}
    same_id = receipt(tiered, chain, receipt_id=made["payload"]["receipt_id"])
    assert redeem(tiered.operator, same_id).refusal == (409, "HUMAN_APPROVAL_ALREADY_EXCHANGED")


@pytest.mark.parametrize(
    ("changes", "moved", "code"),
    [
        ({"expires_at": 100}, 99, None), ({"expires_at": 100}, 100, "HUMAN_APPROVAL_EXPIRED"), ({"issued_at": 60}, 0, None),
        ({"issued_at": 61}, 0, "HUMAN_APPROVAL_EXPIRED"), ({"expires_at": 9000}, 3600, None), ({"expires_at": 9000}, 3601,
        "HUMAN_APPROVAL_EXPIRED"),
    ],
)  # fmt: skip
def test_step_5_time(make_server: MakeServer, chain: Chain, changes: dict[str, int], moved: int, code: str | None) -> None:
    served = make_server(clock=ManualClock(1_800_000_000))
    made = receipt(served, chain, **{name: 1_800_000_000 + value for name, value in changes.items()})
    served.clock.move(moved)
    answer = redeem(served.operator, made)
    assert answer.status == 200 if code is None else answer.refusal == (403, code)


def test_step_6_grant(tiered: Served, chain: Chain) -> None:
    for kind in ("explicit_deny", "timeout_deny", "auto_approve"):
        assert redeem(tiered.operator, receipt(tiered, chain, approval_type=kind)).refusal == (403, "HUMAN_APPROVAL_NOT_GRANTED")


def test_step_6_automatic_approval_where_the_tier_says_so(make_server: MakeServer, chain: Chain, policy_text: str, tmp_path: Any) -> None:
    path = tmp_path / "tiers.json"
    path.write_text(policy_text)
    served = make_server({"policy_file": str(path), "policy_tier": "auto"})
    assert redeem(served.operator, receipt(served, chain, approval_type="auto_approve")).status == 200


def test_step_7_agent_and_scope_hash(tiered: Served, chain: Chain, control_plane: ControlPlane) -> None:
    other = tiered.cst(control_token(tiered, control_plane, "control:audit:read"))
    assert redeem(other, receipt(tiered, chain)).refusal == (403, "HUMAN_APPROVAL_AGENT_MISMATCH")
    own = tiered.cst(str(canonical(tiered, chain).ok()["token"]))
    assert redeem(own, receipt(tiered, chain)).status == 200
    assert redeem(tiered.operator, receipt(tiered, chain, scope_hash_b64u="A" * 43)).refusal == (403, "HUMAN_APPROVAL_SCOPE_MISMATCH")


def test_step_8_more_than_granted(tiered: Served, chain: Chain) -> None:
    made = receipt(tiered, chain, aud=["https://a.example", "https://b.example"])
    assert redeem(tiered.operator, made, aud="https://c.example").refusal == (403, "HUMAN_APPROVAL_EXCEEDED")
    assert redeem(tiered.operator, made, aud=["https://a.example", "https://c.example"]).refusal == (403, "HUMAN_APPROVAL_EXCEEDED")
    assert redeem(tiered.operator, made, ttl_sec=601).refusal == (403, "HUMAN_APPROVAL_EXCEEDED")
    assert redeem(tiered.operator, made, aud="https://b.example", ttl_sec=600).ok()["claims"]["aud"] == "https://b.example"


def test_step_9_approval_satisfies_approval_scopes_and_widens_nothing_else(
    make_server: MakeServer, control_plane: ControlPlane, policy_text: str, tmp_path: Any
) -> None:
    path = tmp_path / "tiers.json"
    path.write_text(policy_text)
    served = make_server({"policy_file": str(path), "policy_tier": "watched"})
    assert redeem(served.operator, receipt(served, control_plane.chain(), scope=["proxy:pay:now"])).status == 200
    assert redeem(served.operator, receipt(served, control_plane.chain(), scope=["foo:bar"])).refusal == (400, "SCOPE_NOT_ALLOWED")
    poor = control_plane.chain(allowed=())
    assert redeem(served.operator, receipt(served, poor, scope=["control:token:revoke"])).refusal == (403, "SENSITIVE_SCOPE_NOT_ALLOWED")
    gone = control_plane.chain()
    made = receipt(served, gone)
    control_plane.script(gone, 500, b"{}")
    assert redeem(served.operator, made).refusal == (502, "CONTROL_CHAIN_LOOKUP_FAILED")


def test_steps_come_in_order(tiered: Served, chain: Chain, control_plane: ControlPlane) -> None:
    """Every fault from step 3 on at once, then one fewer each time."""
    now = tiered.clock.now()
    other = tiered.cst(control_token(tiered, control_plane, "control:audit:read"))
    spent = receipt(tiered, chain)
    redeem(tiered.operator, spent).ok()
    faults: dict[str, Any] = {"receipt_id": spent["payload"]["receipt_id"], "expires_at": now - 1, "issued_at": now - 10,
    "approval_type": "explicit_deny",
                              "scope_hash_b64u": "A" * 43, "scope": ["foo:bar"]}  # fmt: skip
    steps: list[tuple[str | None, str]] = [(None, "HUMAN_APPROVAL_ALREADY_EXCHANGED"), ("receipt_id", "HUMAN_APPROVAL_EXPIRED"),
    ("expires_at", "HUMAN_APPROVAL_NOT_GRANTED"),
                                           ("approval_type", "HUMAN_APPROVAL_AGENT_MISMATCH")]  # fmt: skip
    assert redeem(other, receipt(tiered, chain, STRANGER, **faults), ttl_sec=700).refusal[1] == "HUMAN_APPROVAL_APPROVER_NOT_TRUSTED"
    for mended, code in steps:
        faults.pop(mended or "", None)
        assert redeem(other, receipt(tiered, chain, **faults), ttl_sec=700).refusal[1] == code
    assert redeem(tiered.operator, receipt(tiered, chain, **faults), ttl_sec=700).refusal[1] == "HUMAN_APPROVAL_SCOPE_MISMATCH"
    del faults["scope_hash_b64u"]
    assert redeem(tiered.operator, receipt(tiered, chain, **faults), ttl_sec=700).refusal[1] == "HUMAN_APPROVAL_EXCEEDED"
    assert redeem(tiered.operator, receipt(tiered, chain, **faults)).refusal[1] == "SCOPE_NOT_ALLOWED"


def test_of_a_hundred_parallel_exchanges_one_mints(tiered: Served, chain: Chain) -> None:
    made = receipt(tiered, chain)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: redeem(tiered.operator, made), range(100)))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 99
    issued = next(answer for answer in answers if answer.status == 200).json
    for answer in answers:
        if answer.status == 409:
            assert answer.refusal[1] == "HUMAN_APPROVAL_ALREADY_EXCHANGED"
            assert answer.json["details"]["jti"] == issued["jti"]
    assert len(tiered.operator.get("/v1/audit/issuance", sub=chain.agent_did).ok()["events"]) == 1


def test_same_idempotency_key_answers_the_same_bytes(tiered: Served, chain: Chain) -> None:
    made, headers = receipt(tiered, chain), {"Idempotency-Key": unique("key")}
    first, second = (tiered.operator.call("POST", "/v1/approvals/exchange", {"receipt": made}, headers=headers) for _ in range(2))
    assert first.status == 200
    assert first.raw == second.raw


def test_every_authentic_receipt_leaves_a_row(make_server: MakeServer, chain: Chain) -> None:
    served = make_server()
    denied, good = receipt(served, chain, approval_type="explicit_deny"), receipt(served, chain)
    for made in (denied, denied, good, good):
        redeem(served.operator, made)
    redeem(served.operator, envelope(payload(served, chain, chain.owner_key), STRANGER, signer_did=did_key(chain.owner_key.public)))
    rows = [event["record"] for event in served.operator.get("/v1/audit/approvals").ok()["events"]]
    assert [row["outcome"] for row in rows] == ["refused", "exchanged", "refused", "refused"]
    assert [row["code"] for row in rows] == [
        "HUMAN_APPROVAL_ALREADY_EXCHANGED",
        "",
        "HUMAN_APPROVAL_NOT_GRANTED",
        "HUMAN_APPROVAL_NOT_GRANTED",
    ]
    assert rows[2]["record_hash_b64u"] == rows[3]["record_hash_b64u"]
    assert len({row["record_hash_b64u"] for row in rows}) == 3
