"""What verifiers are told: JWKS, contract, DID documents, one view in every answer, cacheable (keys.md §4)."""

from __future__ import annotations

from typing import Any

import pytest

from clawscope.protocol import b64u
from clawscope.protocol.jwk import thumbprint
from tests.http.client import Answer
from tests.http.keys.conftest import OpenDesk
from tests.http.keys.desk import CONTRACT, DELAY_S, JWKS, LATEST, OVERLAP_S, SKEW_S, Desk

WELL_KNOWN, STATEMENTS, DID, DID_DOCUMENT = "/.well-known/jwks.json", "/v1/jwks/statements", "/v1/did", "/.well-known/did.json"
PUBLIC = [JWKS, WELL_KNOWN, STATEMENTS, CONTRACT, DID, DID_DOCUMENT, LATEST]
CONTRACT_MEMBERS = [
    "contract_version", "key_algorithm", "active_kid", "accepted_kids", "signing_kids", "verify_only_kids", "overlap_seconds",
    "overlap_window_open", "expiring_kids", "jwks_endpoint", "revocation_stream_endpoint", "prepared_kids", "revoked_kids",
]  # fmt: skip


@pytest.fixture(scope="module")
def changed(open_desk: OpenDesk) -> Desk:
    """A desk with keys in every accepted state, and a retired and a revoked one."""
    desk = open_desk()
    desk.changed()
    desk.prepare()
    desk.act(desk.prepare(kid="abandoned"), "retire").ok()
    desk.act(desk.prepare(kid="stolen"), "revoke").ok()
    return desk


def seen(desk: Desk, path: str, **headers: str) -> Answer:
    """A public answer."""
    return desk.served.anyone.call("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_both_jwks_addresses_answer_the_same_bytes(changed: Desk) -> None:
    one, other = seen(changed, JWKS), seen(changed, WELL_KNOWN)
    assert one.raw == other.raw
    assert one.headers["etag"] == other.headers["etag"]
    assert (one.headers["content-type"], other.headers["content-type"]) == ("application/json", "application/jwk-set+json")
    assert one.headers["cache-control"] == other.headers["cache-control"] == "public, max-age=300"


def test_a_jwk_is_written_as_the_wire_writes_it(changed: Desk) -> None:
    keys = changed.keys()
    for shown in changed.see(JWKS)["keys"]:
        assert list(shown) == ["kty", "crv", "x", "kid", "alg", "use", "ext"]
        expected = {"kty": "OKP", "crv": "Ed25519", "x": keys[shown["kid"]]["x"], "kid": shown["kid"], "alg": "EdDSA", "use": "sig"}
        assert shown == expected | {"ext": True}
        assert thumbprint(b64u.decode(shown["x"])) == shown["kid"]
    assert b" " not in seen(changed, JWKS).raw


def test_order_is_active_then_prepared_then_verify_only(changed: Desk) -> None:
    states = changed.states()
    assert [states[kid] for kid in changed.listed()] == ["active", "prepared", "verify_only"]
    assert sorted(states.values()) == ["active", "prepared", "retired", "revoked", "verify_only"]


def test_contract_is_exactly_the_contracts(changed: Desk) -> None:
    contract, keys = changed.see(CONTRACT), changed.keys()
    assert list(contract) == CONTRACT_MEMBERS
    by_state = {one["state"]: kid for kid, one in keys.items()}
    active, prepared, former = by_state["active"], by_state["prepared"], by_state["verify_only"]
    assert contract == {
        "contract_version": "2", "key_algorithm": "Ed25519", "active_kid": active, "accepted_kids": [active, prepared, former],
        "signing_kids": [active], "verify_only_kids": [former], "overlap_seconds": OVERLAP_S, "overlap_window_open": True,
        "expiring_kids": [{"kid": former, "not_after_unix": keys[former]["not_after_unix"]}], "jwks_endpoint": "/v1/jwks",
        "revocation_stream_endpoint": "/v1/revocations/stream",
        "prepared_kids": [{"kid": prepared, "activates_at_unix": keys[prepared]["activatable_at"]}], "revoked_kids": ["stolen"],
    }  # fmt: skip
    assert seen(changed, CONTRACT).headers["cache-control"] == "no-cache"


def test_window_is_closed_while_one_key_stands_or_without_overlap(open_desk: OpenDesk) -> None:
    desk = open_desk()
    assert desk.see(CONTRACT)["overlap_window_open"] is False
    desk.prepare()
    assert desk.see(CONTRACT)["overlap_window_open"] is True
    none = open_desk({"keys.overlap_s": 0})
    none.prepare()
    assert none.see(CONTRACT)["overlap_window_open"] is False


@pytest.mark.parametrize("path", PUBLIC)
def test_every_answer_is_tagged_over_its_bytes_and_honours_conditions(changed: Desk, path: str) -> None:
    full = seen(changed, path)
    assert full.status == 200
    tag = full.headers["etag"]
    assert tag.startswith('"')
    assert tag.endswith('"')
    for condition in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = seen(changed, path, If_None_Match=condition)
        assert (answer.status, answer.raw) == (304, b"")
        assert answer.headers["etag"] == tag
        for name in ("cache-control", "x-keyset-sequence"):
            assert answer.headers[name] == full.headers[name]
    assert seen(changed, path, If_None_Match='"other"').raw == full.raw
    assert seen(changed, path).headers["etag"] == tag


@pytest.mark.parametrize("path", PUBLIC)
def test_every_answer_names_the_snapshot_it_shows(changed: Desk, path: str) -> None:
    assert int(seen(changed, path).headers["x-keyset-sequence"]) == changed.see(LATEST)["sequence"]


def test_tag_changes_with_every_change_even_of_time_alone(desk: Desk) -> None:
    _, former = desk.changed()
    tags = [seen(desk, JWKS).headers["etag"]]
    desk.move(OVERLAP_S + 2 * SKEW_S + 1)
    tags.append(seen(desk, JWKS).headers["etag"])
    desk.prepare()
    tags.append(seen(desk, JWKS).headers["etag"])
    assert len(set(tags)) == 3
    assert former not in desk.listed()


@pytest.mark.parametrize("path", PUBLIC)
def test_no_answer_shows_a_private_member(changed: Desk, path: str) -> None:
    def members(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*map(members, value.values()))
        return set().union(*map(members, value)) if isinstance(value, list) else set()

    assert not members(changed.see(path)) & {"d", "seed", "sealed", "k"}


def test_did_is_of_the_active_token_key(changed: Desk) -> None:
    kid = changed.active()
    expected = {"did": "did:web:clawscope.example", "kid": kid, "public_key_b64u": changed.keys()[kid]["x"]}
    assert changed.see(DID) == expected


def test_did_document_lets_token_keys_delegate_and_the_others_assert(changed: Desk) -> None:
    answer = seen(changed, DID_DOCUMENT)
    assert answer.headers["content-type"] == "application/did+json"
    document = answer.ok()
    did = document["id"]
    assert did == "did:web:clawscope.example"
    tokens = [f"{did}#{kid}" for kid in changed.listed()]
    others = [f"{did}#{kid}" for kid in changed.states("statement")]
    assert document["capabilityDelegation"] == tokens
    assert document["assertionMethod"] == others
    methods = {one["id"]: one for one in document["verificationMethod"]}
    assert list(methods) == tokens + others
    for kid, shown in changed.keys().items():
        if f"{did}#{kid}" in methods:
            method = methods[f"{did}#{kid}"]
            assert (method["type"], method["controller"], method["publicKeyJwk"]["x"]) == ("JsonWebKey", did, shown["x"])


def test_statement_keys_stay_listed_with_their_period(desk: Desk) -> None:
    former = desk.active("statement")
    kid = desk.rotate(purpose="statement").ok(202)["prepared_kid"]
    desk.pass_time(DELAY_S)
    activated = desk.clock.now()
    desk.pass_time(OVERLAP_S + 2 * SKEW_S + 1)
    assert desk.states("statement") == {kid: "active", former: "retired"}
    shown = {one["kid"]: one for one in desk.see(STATEMENTS)["keys"]}
    assert shown.keys() == {kid, former}
    assert {one["purpose"] for one in shown.values()} == {"statement"}
    assert shown[former]["not_after_unix"] == activated + OVERLAP_S + 2 * SKEW_S
    assert shown[kid]["activated_at"] == activated
    assert not {kid, former} & set(desk.listed())


@pytest.mark.parametrize("path", PUBLIC)
def test_other_methods_and_parameters_are_refused(changed: Desk, path: str) -> None:
    assert changed.served.anyone.call("POST", path, {}).refusal == (405, "METHOD_NOT_ALLOWED")
    assert changed.served.anyone.get(path, x=1).refusal == (400, "INVALID_QUERY")


def test_without_a_key_set_the_answers_say_so_and_are_kept_by_nobody(desk: Desk) -> None:
    desk.break_table("sequences")
    for path in (JWKS, WELL_KNOWN, CONTRACT, STATEMENTS, DID, DID_DOCUMENT):
        answer = seen(desk, path)
        assert answer.refusal == (503, "SIGNING_CONFIG_INVALID")
        assert answer.headers["cache-control"] == "no-store"
        assert int(answer.headers["retry-after"]) <= 2
    desk.mend_table("sequences")
    assert seen(desk, JWKS).status == 200
