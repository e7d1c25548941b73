"""Introspection: live, revoked, bad; verification in its order over HTTP (tokens.md §1.3, §3.1)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clawscope.kernel.clock import ManualClock
from clawscope.protocol import b64u, jws
from clawscope.protocol.digest import sha256_hex
from clawscope.protocol.keys import SigningKey
from tests.http.client import Answer
from tests.http.serving import MakeServer, Served
from tests.http.tokens import ABSENT, claims, introspect, legacy, request, revoke, signed, token

STRANGER = SigningKey.from_seed(b"s" * 32)


def refused(answer: Answer) -> tuple[int, str]:
    """The refusal of a bad token; it always says `active:false` and never echoes the token."""
    assert answer.json["active"] is False
    assert answer.headers["cache-control"] == "no-store"
    return answer.refusal


def test_live_token_shows_every_claim_and_no_revoked_member(dev: Served) -> None:
    issued = legacy(dev, run_id="r", spend_cap=2, mission_id="m", may_act={"sub": ["sa:x"]}).ok()
    body = introspect(dev, issued["token"]).ok()
    assert body == {"active": True, "token_hash": issued["token_hash"], **issued["claims"], "kid": issued["kid"], "kid_source": "header"}


def test_revoked_token_shows_the_same_and_when(dev: Served) -> None:
    issued = legacy(dev).ok()
    done = revoke(dev, token=issued["token"]).ok()
    body = introspect(dev, issued["token"]).ok()
    assert body == {
        "active": False, "revoked": True, "token_hash": issued["token_hash"], **issued["claims"], "kid": issued["kid"],
        "kid_source": "header",
        "revoked_at": done["revoked_at"], "revoked_at_iso": done["revoked_at_iso"], "revoked_by_kind": "token",
    }  # fmt: skip


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": " \t"}, {"token": 7}, {"token": None}, {"token": "a.b.c", "x": 1},
                                  {"token": "a.b.c", "expect": {"aud": "x"}}, {"token": "a.b.c", "expect": {"unknown": 1}},
                                  {"token": "a.b.c", "expect": {"require": ["mission_id"]}}])  # fmt: skip
def test_ill_formed_request_is_refused(dev: Served, body: Any) -> None:
    assert refused(dev.anyone.post("/v1/tokens/introspect", body)) == (400, "INVALID_REQUEST")


def parts(text: str) -> tuple[str, str, str]:
    """Header, payload and signature."""
    header, payload, signature = text.split(".")
    return header, payload, signature


def b(value: Any) -> str:
    """A JSON value in base64url."""
    return b64u.encode(json.dumps(value).encode())


def malformed(dev: Served) -> list[str]:
    """Texts that fail steps 1, 2 and 4."""
    good = token(dev)
    header, payload, signature = parts(good)
    kid = dev.signer[0]
    headers = [{"alg": "EdDSA", "typ": "jwt", "kid": kid}, {"alg": "EdDSA", "kid": kid}, {"alg": "EdDSA", "typ": "JWT", "kid": kid,
    "crit": []},
               {"alg": "EdDSA", "typ": "JWT", "kid": "a b"}, {"alg": "EdDSA", "typ": "JWT", "kid": "x" * 65}, ["alg"]]  # fmt: skip
    doubled = b64u.encode(b'{"alg":"EdDSA","alg":"EdDSA","typ":"JWT"}')
    payloads = [b"[]", b"{", b'{"a":1,"a":1}', b'{"a":' + b"[" * 13 + b"]" * 13 + b"}", b'{"iat":' + b"1" * 21 + b"}", b"\xff{}"]
    return [
        "x", "a.b", "a.b.c.d", good + " ", " " + good, good + "\n", good + "=", good.replace("-", "+").replace("_", "/") + "+",
        f"{header}=.{payload}.{signature}",
        f"{header}..{signature}", f"{header}.{payload}.", f"{header}.{payload}.{signature[:-1]}", f"{header}.{payload}.{signature}AA",
        "\u00e9." + good,
        *(f"{b(one)}.{payload}.{signature}" for one in headers), f"{doubled}.{payload}.{signature}", "a" * 8193 + ".b.c",
        *(dev.sign(one) for one in payloads),
    ]  # fmt: skip


def test_malformed_texts_are_told_apart_from_nothing_else(dev: Served) -> None:
    for text in malformed(dev):
        answer = introspect(dev, text)
        assert refused(answer) == (401, "TOKEN_MALFORMED"), text[:40]
        assert len(text) < 20 or text.encode() not in answer.raw


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "ES256", "eddsa", "Ed448", None, 7])
def test_other_algorithms_do_not_exist(dev: Served, alg: Any) -> None:
    header = {"typ": "JWT", "kid": dev.signer[0]} | ({} if alg is None else {"alg": alg})
    text = dev.sign(json.dumps(claims(dev)).encode(), json.dumps(header).encode())
    assert refused(introspect(dev, text)) == (401, "TOKEN_UNSUPPORTED_ALG")


def test_ed25519_is_another_name_for_the_same(dev: Served) -> None:
    header = {"alg": "Ed25519", "typ": "JWT", "kid": dev.signer[0]}
    text = dev.sign(json.dumps(claims(dev)).encode(), json.dumps(header).encode())
    assert introspect(dev, text).ok()["active"] is True


def test_unknown_kid_and_foreign_signature(dev: Served) -> None:
    payload = json.dumps(claims(dev)).encode()
    assert refused(introspect(dev, jws.compact(payload, "nobody", STRANGER))) == (401, "TOKEN_UNKNOWN_KID")
    assert refused(introspect(dev, jws.compact(payload, dev.signer[0], STRANGER))) == (401, "TOKEN_SIGNATURE_INVALID")
    header, _, signature = parts(token(dev))
    assert refused(introspect(dev, f"{header}.{b64u.encode(payload)}.{signature}")) == (401, "TOKEN_SIGNATURE_INVALID")


def test_token_without_kid_is_refused_unless_the_setting_says_so(dev: Served, make_server: MakeServer) -> None:
    nameless = b'{"alg":"EdDSA","typ":"JWT"}'
    assert refused(introspect(dev, dev.sign(json.dumps(claims(dev)).encode(), nameless))) == (401, "TOKEN_UNKNOWN_KID")
    lenient = make_server({"accept_missing_kid": True})
    body = introspect(lenient, lenient.sign(json.dumps(claims(lenient)).encode(), nameless)).ok()
    assert (body["active"], body["kid_source"], body["kid"]) == (True, "recovered", lenient.signer[0])


CLAIM_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"token_version": "2"}, "TOKEN_UNKNOWN_VERSION"), ({"token_version": 1}, "TOKEN_UNKNOWN_VERSION"), ({"token_version": ABSENT},
    "TOKEN_INVALID_CLAIMS"),
    ({"sub": ABSENT}, "TOKEN_INVALID_CLAIMS"), ({"sub": "x"}, "TOKEN_INVALID_CLAIMS"), ({"aud": []}, "TOKEN_INVALID_CLAIMS"),
    ({"aud": ["a", "a"]}, "TOKEN_INVALID_CLAIMS"), ({"scope": []}, "TOKEN_INVALID_CLAIMS"), ({"scope": "proxy:call"},
    "TOKEN_INVALID_CLAIMS"),
    ({"iss": "https://other.example"}, "TOKEN_INVALID_CLAIMS"), ({"surprise": 1}, "TOKEN_INVALID_CLAIMS"), ({"iat": "1"},
    "TOKEN_INVALID_CLAIMS"),
    ({"exp": ABSENT}, "TOKEN_INVALID_CLAIMS"), ({"iat": 5, "exp": 5}, "TOKEN_INVALID_CLAIMS"), ({"iat": 5, "exp": 86406},
    "TOKEN_INVALID_CLAIMS"),
    ({"token_lane": "gold"}, "TOKEN_INVALID_CLAIMS"), ({"token_lane": "canonical"}, "TOKEN_INVALID_CLAIMS"), ({"jti": "7"},
    "TOKEN_INVALID_CLAIMS"),
    ({"owner_did": "x"}, "TOKEN_INVALID_CLAIMS"), ({"spend_cap": -1}, "TOKEN_INVALID_CLAIMS"), ({"delegation_id": "d"},
    "TOKEN_INVALID_CLAIMS"),
    ({"token_scope_hash_b64u": ABSENT}, "TOKEN_SCOPE_HASH_REQUIRED"), ({"token_scope_hash_b64u": "A" * 43}, "TOKEN_SCOPE_HASH_MISMATCH"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code"), CLAIM_FAULTS, ids=[f"{next(iter(changes))}-{n}" for n, (changes, _) in enumerate(CLAIM_FAULTS)]
)
def test_signed_claims_must_still_fit(dev: Served, changes: dict[str, Any], code: str) -> None:
    if changes.get("token_scope_hash_b64u") is ABSENT:
        body = claims(dev)
        del body["token_scope_hash_b64u"]
        text = dev.sign(json.dumps(body).encode())
    else:
        text = signed(dev, **changes)
    assert refused(introspect(dev, text)) == (401, code)


def test_fault_11_junk_is_not_told_that_it_expired_and_no_claim_passes_unjudged(dev: Served) -> None:
    old = json.dumps(claims(dev, iat=5, exp=9)).encode()
    assert refused(introspect(dev, jws.compact(old, dev.signer[0], STRANGER))) == (401, "TOKEN_SIGNATURE_INVALID")
    assert refused(introspect(dev, jws.compact(old, "nobody", STRANGER))) == (401, "TOKEN_UNKNOWN_KID")
    assert refused(introspect(dev, signed(dev, iat=5, exp=9))) == (401, "TOKEN_EXPIRED")
    assert refused(introspect(dev, signed(dev, iat=5, exp=9, surprise=1))) == (401, "TOKEN_INVALID_CLAIMS")
    assert refused(introspect(dev, signed(dev, iat=5, exp=9, token_scope_hash_b64u="A" * 43))) == (401, "TOKEN_SCOPE_HASH_MISMATCH")
    future = dev.clock.now() + 120
    assert refused(introspect(dev, signed(dev, iat=future, exp=future + 60))) == (401, "TOKEN_NOT_YET_VALID")


@pytest.mark.parametrize(
    ("change", "moved", "code"),
    [
        ({"exp": 100}, 159, None), ({"exp": 100}, 160, "TOKEN_EXPIRED"), ({"iat": 60, "exp": 200}, 0, None),
        ({"iat": 61, "exp": 200}, 0, "TOKEN_NOT_YET_VALID"), ({"exp": 3000, "delegation_expires_at": 100}, 159, None),
        ({"exp": 3000, "delegation_expires_at": 100}, 160, "TOKEN_DELEGATION_EXPIRED"), ({"exp": 100, "delegation_expires_at": 100}, 160,
        "TOKEN_EXPIRED"),
    ],
)  # fmt: skip
def test_times_hold_to_the_second_with_a_minute_of_skew(
    make_server: MakeServer, change: dict[str, int], moved: int, code: str | None
) -> None:
    start = 1_850_000_000
    served = make_server(clock=ManualClock(start))
    times = {name: start + value for name, value in change.items()}
    trio = {"delegation_id": "d", "delegator_did": "did:key:zO", "owner_did": "did:key:zO", "delegate_did": "did:key:zAgent"}
    text = signed(served, **times, **(trio if "delegation_expires_at" in change else {}))
    served.clock.move(moved)
    answer = introspect(served, text)
    assert (answer.ok()["active"] if code is None else refused(answer)) == (True if code is None else (401, code))


def test_expiry_beats_revocation(make_server: MakeServer) -> None:
    served = make_server(clock=ManualClock())
    text = token(served, ttl_sec=10)
    assert revoke(served, token=text).ok()["status"] == "revoked"
    served.clock.move(69)
    assert introspect(served, text).ok()["revoked"] is True
    served.clock.move(1)
    assert refused(introspect(served, text)) == (401, "TOKEN_EXPIRED")


def test_kid_past_its_cut_off_is_refused_without_skew(make_server: MakeServer) -> None:
    served = make_server(clock=ManualClock())
    kid, _ = served.signer
    text = token(served)
    assert served.operator.post(f"/v1/keys/{kid}/revoke", {"reason": "leak"}).status == 200
    assert refused(introspect(served, text)) == (401, "TOKEN_KID_EXPIRED")


def test_unknown_tokens_hash_is_never_recorded_by_reading(dev: Served) -> None:
    text = token(dev)
    before = dev.operator.get("/v1/revocations/stream").ok()["latest_sequence"]
    for _ in range(3):
        assert introspect(dev, text).ok()["token_hash"] == sha256_hex(text.encode())
    assert dev.operator.get("/v1/revocations/stream").ok()["latest_sequence"] == before
    assert dev.anyone.post("/v1/tokens/introspect", request()).refusal == (400, "INVALID_REQUEST")
