"""The closed set of claims: every form, every rule, one byte order."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawscope.protocol import claims_reading, strict_json
from clawscope.protocol.claims import Actor, Claims, MayAct, audiences, encode, lane, problem

Make = Callable[..., Claims]
UUID = "6f0c0000-0000-4000-8000-{:012d}"
DELEGATION = {"delegation_id": "d", "delegator_did": "did:key:zOwner", "delegate_did": "did:key:zAgent"}
GOLDEN = (
    '{"token_version":"1","iss":"https://clawscope.example","sub":"did:key:zAgent","aud":"https://clawproxy.example","scope":["proxy:call"],'
    '"iat":1800000000,"exp":1800000600,"token_scope_hash_b64u":"cUp29jLmfEilCbCsFIzAnc_Ic-SpvWRNzoX-XpDC6ZY","run_id":"run_1",'
    '"token_lane":"legacy","jti":"00000000-0000-4000-8000-000000000001","nonce":"00000000-0000-4000-8000-000000000002"}'
)


def named(claims: Claims) -> str | None:
    return problem(claims, hard_max_ttl_s=86400)


def actors(depth: int) -> Actor:
    return Actor("sa:x", actors(depth - 1) if depth > 1 else None)


def test_the_golden_claims_are_written_byte_for_byte(make_claims: Make) -> None:
    assert encode(make_claims()).decode() == GOLDEN
    assert claims_reading.read(GOLDEN.encode()) == make_claims()


def test_full_claims_have_no_problem(canonical_claims: Make) -> None:
    full = canonical_claims(
        **DELEGATION,
        delegation_policy_hash_b64u="d" * 43,
        delegation_spend_cap_minor="12500",
        delegation_expires_at=1_800_000_700,
        policy_hash_b64u="p" * 43,
        owner_ref="Ünïcode 17",
        payment_account_did="did:web:bank.example",
        job_id="job 1",
        lineage=tuple(UUID.format(number) for number in range(8)),
        act=actors(8),
        may_act=MayAct(("sa:a",)),
        aud=tuple(f"https://{number}.example" for number in range(16)),
    )
    assert named(full) is None
    assert claims_reading.read(encode(full)) == full


@pytest.mark.parametrize(
    ("claim", "values"),
    [
        ("token_version", ["2", ""]),
        ("sub", ["", "agent", "did:", "did:key:", "a:", ":x", "sa:\n", "sa:é", "sa:" + "x" * 510, "1a:x", "sa: x"]),
        ("aud", ["", "a b", "é", "x" * 257, (), ("a", "a"), ("a", ""), tuple(f"a{n}" for n in range(17))]),
        ("scope", [(), ("",), ("a b",), ("a" * 257,), (" a",), tuple(f"s{n}" for n in range(257))]),
        ("iat", [-1]),
        ("exp", [1_800_000_000, 1_799_999_999, 1_800_086_401, 2**53]),
        ("token_scope_hash_b64u", ["x", "a" * 42, "a" * 44, "=" * 43]),
        ("iss", ["", "a b"]),
        ("owner_did", ["", "x", "did:key:"]),
        ("policy_hash_b64u", ["", "0" * 64]),
        ("control_plane_policy_hash_b64u", ["+" * 43]),
        ("owner_ref", ["", "x" * 257, "a\x00"]),
        ("payment_account_did", ["account"]),
        ("spend_cap", [-1, -0.01, 100_000_001, 0.0000001, 1e-7, float("inf"), float("nan"), True, 1.1234567]),
        ("mission_id", ["", "a\n", "x" * 257, "\x85"]),
        ("run_id", ["", " ", "x" * 129, "é", "a\n", " a"]),
        ("job_id", ["", "\t"]),
        ("client_id", ["", "a b"]),
        ("org_id", [""]),
        ("lineage", [(), ("x",), (UUID.format(1), UUID.format(1)), tuple(UUID.format(n) for n in range(9))]),
        ("act", [Actor(""), actors(9)]),
        ("may_act", [MayAct(()), MayAct(("",)), MayAct(tuple(f"sa:{n}" for n in range(9)))]),
        ("token_lane", ["", "Canonical"]),
        ("jti", ["", "x", UUID.format(1).upper(), "6f0c0000-0000-1000-8000-000000000000", "6f0c0000-0000-4000-7000-000000000000"]),
        ("nonce", [UUID.format(1) + "\n"]),
    ],
)
def test_each_claim_of_the_wrong_form_is_named(make_claims: Make, claim: str, values: list[Any]) -> None:
    for value in values:
        assert named(make_claims(**{"token_scope_hash_b64u": "a" * 43, claim: value})) == claim, value


def test_the_canonical_lane_needs_the_whole_chain_and_the_agent_as_subject(canonical_claims: Make) -> None:
    for claim in ("owner_did", "controller_did", "agent_did"):
        assert named(canonical_claims(**{claim: None})) == claim
        assert named(canonical_claims(**{claim: None, "token_lane": "legacy"})) is None
    assert named(canonical_claims(agent_did="did:key:zOther")) == "agent_did"


def test_delegation_claims_come_together_and_agree(canonical_claims: Make) -> None:
    assert named(canonical_claims(**DELEGATION)) is None
    for claim in DELEGATION:
        assert named(canonical_claims(**(DELEGATION | {claim: None}))) == claim
    assert named(canonical_claims(**(DELEGATION | {"delegate_did": "did:key:zOther"}))) == "delegate_did"
    assert named(canonical_claims(**(DELEGATION | {"delegator_did": "did:key:zOther"}))) == "delegator_did"
    for alone in ({"delegation_policy_hash_b64u": "d" * 43}, {"delegation_spend_cap_minor": "1"}, {"delegation_expires_at": 1}):
        assert named(canonical_claims(**alone)) == next(iter(alone))
    for minor in ("", "-1", "1.0", "1" * 19, "１"):
        assert named(canonical_claims(**DELEGATION, delegation_spend_cap_minor=minor)) == "delegation_spend_cap_minor"


def test_an_absent_lane_counts_as_legacy_and_one_audience_stays_one(make_claims: Make) -> None:
    assert lane(make_claims(token_lane=None)) == "legacy"
    assert audiences(make_claims()) == ("https://clawproxy.example",)
    assert audiences(make_claims(aud=("a", "b"))) == ("a", "b")


def test_another_spelling_of_the_same_claims_is_read_the_strict_way(make_claims: Make) -> None:
    reordered = json.dumps(dict(reversed(json.loads(GOLDEN).items())), separators=(",", ":"))
    for text in (GOLDEN.replace(",", ", "), GOLDEN.replace("run_1", "run_\\u0031"), reordered):
        document = claims_reading.read(text.encode())
        assert isinstance(document, dict)
        assert claims_reading.from_document(document) == make_claims()


@pytest.mark.parametrize(
    "text",
    [
        GOLDEN[:-1] + ',"sub":"did:key:zAgent"}',
        GOLDEN[:-1] + ',"act":{"sub":"a:b","sub":"a:b"}}',
        GOLDEN[:-1] + ',"spend_cap":1e400}',
        GOLDEN[:-1] + ',"spend_cap":' + "1" * 21 + "}",
        GOLDEN.replace("1800000600", "1" * 21),
        GOLDEN.replace("run_1", "\\ud800"),
        GOLDEN[:-1] + ',"act":' + '{"sub":"a:b","act":' * 12 + '{"sub":"a:b"}' + "}" * 12 + "}",
        GOLDEN[:-1] + ',"act":' + '{"sub":"","act":' * 400 + "1" + "}" * 401,
        "[" + GOLDEN + "]",
        GOLDEN + " x",
        "1",
        "",
    ],
)
def test_a_payload_with_two_readings_is_not_json(text: str) -> None:
    with pytest.raises(strict_json.NotJson):
        claims_reading.read(text.encode())


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        ({"run_id": None}, "run_id"),
        ({"act": {"sub": "a:b", "act": None}}, "act"),
        ({"colour": "red"}, None),
        ({"constructor": "red"}, None),
        ({"iat": "1800000000"}, "iat"),
        ({"iat": True}, "iat"),
        ({"aud": [1]}, "aud"),
        ({"scope": "proxy:call"}, "scope"),
        ({"token_scope_hash_b64u": ""}, "token_scope_hash_b64u"),
        ({"may_act": {"sub": ["a:b"], "x": 1}}, "may_act"),
        ({"spend_cap": "1"}, "spend_cap"),
    ],
)
def test_members_of_the_wrong_type_are_refused_by_name(change: dict[str, Any], claim: str | None) -> None:
    with pytest.raises(claims_reading.NotClaims) as caught:
        claims_reading.from_document(strict_json.parse(GOLDEN.encode()) | change)
    assert caught.value.claim == claim
    assert "red" not in str(caught.value)
    assert "colour" not in str(caught.value)


def test_a_missing_required_claim_is_named() -> None:
    for claim in ("token_version", "sub", "aud", "scope", "iat", "exp"):
        document = strict_json.parse(GOLDEN.encode())
        del document[claim]
        with pytest.raises(claims_reading.NotClaims) as caught:
            claims_reading.from_document(document)
        assert caught.value.claim == claim


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("1.10", True),
        ("1e2", True),
        ("1.1000000", True),
        ("0.10000000000000000001", False),
        ("0.1000000000000000000000000000000000000001", False),
        ("1e-99999", False),
        ("100000000", True),
        ("100000000.5", False),
        ("0.0000001", False),
        ("0e5", True),
        ("-0.0", True),
        ("1e-6", True),
    ],
)
def test_the_spend_cap_is_judged_as_it_is_written(text: str, good: bool) -> None:
    document = claims_reading.read((GOLDEN[:-1] + f',"spend_cap":{text}, "owner_ref":"x"}}').encode())
    assert isinstance(document, dict)
    try:
        read = named(claims_reading.from_document(document)) is None
    except claims_reading.NotClaims:
        read = False
    assert read is good


@given(
    st.dictionaries(
        st.sampled_from([*Claims.__struct_fields__, "x"]), st.none() | st.integers() | st.text() | st.floats() | st.lists(st.text())
    )
)
def test_any_object_is_claims_or_refused_with_a_type(document: dict[str, Any]) -> None:
    raw = msgspec.json.encode(document)
    try:
        read = claims_reading.read(raw)
        claims = claims_reading.from_document(read) if isinstance(read, dict) else read
        named(claims)
    except (strict_json.NotJson, claims_reading.NotClaims):
        pass
