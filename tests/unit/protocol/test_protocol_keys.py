"""Ed25519 keys and JWK sets against RFC, Wycheproof, CCTV and speccheck vectors."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from clawscope.protocol import b64u, jwk, keys
from clawscope.protocol.keys import KeyRefused, SigningKey

Vectors = Callable[[str], Any]
SMALL_ORDER = bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")


def test_signatures_and_names_are_those_of_rfc8037(vectors: Vectors) -> None:
    rfc = vectors("jose_rfc_vectors")["rfc8037"]
    key = SigningKey.from_seed(b64u.decode(rfc["A1_private_jwk"]["d"]))
    assert b64u.encode(key.public) == rfc["A2_public_jwk"]["x"]
    assert jwk.thumbprint(key.public) == rfc["A3_thumbprint_sha256"]
    for compact in (rfc["A4_compact"], rfc["same_key_RFC9864_alg_Ed25519"]):
        signed, _, signature = compact.rpartition(".")
        assert b64u.encode(key.sign(signed.encode())) == signature
        assert keys.verify(key.public, signed.encode(), b64u.decode(signature))


def test_both_kid_rules_name_the_key_as_the_contract_does(token_key: SigningKey) -> None:
    assert jwk.kid_for(token_key.public, "rfc7638") == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert jwk.kid_for(token_key.public, "sha256_hex16") == "21fe31dfa154a261"
    with pytest.raises(ValueError, match="rule"):
        jwk.kid_for(token_key.public, "md5")


def test_verification_agrees_with_wycheproof(vectors: Vectors) -> None:
    for group in vectors("wycheproof_ed25519")["data"]["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            verdict = keys.verify(public, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]))
            assert verdict == (case["result"] == "valid"), case["tcId"]


def test_verification_is_strict_on_every_edge_case(vectors: Vectors) -> None:
    document = vectors("ed25519_edge_cases")
    forbidden = {"low_order_A", "non_canonical_A", "low_order_R", "non_canonical_R", "low_order_residue"}
    accepted = 0
    for public, signature, message, flags in document["cctv"]:
        if keys.verify(bytes.fromhex(public), message.encode(), bytes.fromhex(signature)):
            accepted += 1
            assert not forbidden & set(flags or ())
    assert accepted == 43
    verdicts = [
        int(keys.verify(bytes.fromhex(case["pub_key"]), bytes.fromhex(case["message"]), bytes.fromhex(case["signature"])))
        for case in document["speccheck"]
    ]
    assert verdicts == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]


def test_admission_refuses_every_key_outside_the_prime_order_group(vectors: Vectors) -> None:
    for public, _, _, flags in vectors("ed25519_edge_cases")["cctv"]:
        if {"low_order_A", "non_canonical_A", "low_order_component_A"} & set(flags or ()):
            with pytest.raises(KeyRefused):
                keys.admit(bytes.fromhex(public))


@pytest.mark.parametrize("public", [b"", b"\x00" * 31, b"\x00" * 33, SMALL_ORDER, b"\xff" * 32])
def test_admission_refuses_wrong_lengths_and_points(public: bytes) -> None:
    with pytest.raises(KeyRefused):
        keys.admit(public)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_verification_with_a_key_of_the_wrong_length_is_false(token_key: SigningKey, length: int) -> None:
    assert not keys.verify(b"\x01" * length, b"m", token_key.sign(b"m"))
    assert not keys.verify(token_key.public, b"m", token_key.sign(b"m")[:-1])


def test_a_seed_of_64_bytes_must_hold_its_own_public_key(token_key: SigningKey, statement_key: SigningKey) -> None:
    seed = bytes(32)
    public = SigningKey.from_seed(seed).public
    assert SigningKey.from_seed(seed + public).public == public
    for wrong in (seed + token_key.public, seed[:31], seed + public[:31], b""):
        with pytest.raises(KeyRefused):
            SigningKey.from_seed(wrong)


def test_a_signing_key_shows_and_pickles_nothing(token_key: SigningKey) -> None:
    assert repr(token_key) == str(token_key) == "SigningKey(***)"
    with pytest.raises(TypeError):
        pickle.dumps(token_key)


def test_a_public_jwk_is_written_as_the_wire_writes_it(token_key: SigningKey, kid: str) -> None:
    assert json.dumps({"keys": [jwk.public_jwk(token_key.public, kid)]}, separators=(",", ":")) == (
        '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",'
        '"kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","alg":"EdDSA","use":"sig","ext":true}]}'
    )


def a_set(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(entries)}).encode()


def test_a_key_set_gives_its_good_ed25519_keys_and_leaves_the_others_out(token_key: SigningKey, statement_key: SigningKey) -> None:
    good = jwk.public_jwk(token_key.public, "a")
    others = [
        jwk.public_jwk(SMALL_ORDER, "small"),
        jwk.public_jwk(statement_key.public, "enc") | {"use": "enc"},
        jwk.public_jwk(statement_key.public, "rs") | {"alg": "RS256"},
        jwk.public_jwk(statement_key.public, "pad") | {"x": b64u.encode(statement_key.public) + "="},
        jwk.public_jwk(statement_key.public, "bad kid"),
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "rsa"},
        {"kty": "OKP", "crv": "X25519", "x": b64u.encode(statement_key.public), "kid": "x"},
    ]
    assert jwk.parse_jwks(a_set(*others, good)) == {"a": token_key.public}


def test_a_key_set_is_refused_whole_when_it_shows_a_private_key_or_names_a_kid_twice(token_key: SigningKey) -> None:
    good = jwk.public_jwk(token_key.public, "a")
    many = [jwk.public_jwk(token_key.public, f"k{number}") for number in range(65)]
    for raw in (
        a_set(good | {"d": "x"}),
        a_set(good, {"kty": "oct", "k": "AAAA", "kid": "s"}),
        a_set(good, good),
        a_set(*many),
        a_set(good) + b" " * jwk.MOST_BYTES,
        b'{"keys":{}}',
        b"[]",
        b'{"keys":[1]}',
        b'{"keys":[],"keys":[]}',
    ):
        with pytest.raises(jwk.JwksRefused):
            jwk.parse_jwks(raw)
    assert len(jwk.parse_jwks(a_set(*many[:64]))) == 64


def test_no_wycheproof_key_set_yields_a_key(vectors: Vectors) -> None:
    for group in vectors("wycheproof_jose")["json_web_key_test"]["testGroups"]:
        raw = json.dumps(group["private"]).encode()
        with pytest.raises(jwk.JwksRefused):
            jwk.parse_jwks(raw)
