"""DIDs against the public vectors of did:key and did:web."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawscope.protocol import b64u, did
from clawscope.protocol.keys import SigningKey

Vectors = Callable[[str], Any]


def test_every_good_did_key_gives_its_key_and_comes_back(vectors: Vectors) -> None:
    for case in vectors("did_key")["accept"]:
        stated = case["public_key_hex"]
        jwk = case["did_document"]["verificationMethod"][0].get("publicKeyJwk", {})
        public = bytes.fromhex(stated) if stated else b64u.decode(jwk["x"])
        assert did.public_of(case["did"]) == public
        assert did.did_key(public) == case["did"]
        assert did.is_did(case["did"])


def test_every_bad_did_key_is_refused_with_a_typed_error(vectors: Vectors) -> None:
    for case in vectors("did_key")["reject"]:
        with pytest.raises((did.UnsupportedDid, did.InvalidDid)):
            did.public_of(case["did"])


def test_another_method_is_unsupported_and_a_bad_key_invalid() -> None:
    for other in ("did:web:example.com", "did:key:f00", "did:key:", ""):
        with pytest.raises(did.UnsupportedDid):
            did.public_of(other)
    with pytest.raises(did.InvalidDid):
        did.public_of("did:key:z6MkiTBz1y")


@given(st.binary(min_size=32, max_size=32))
def test_the_did_key_of_any_seed_leads_back_to_its_key(seed: bytes) -> None:
    public = SigningKey.from_seed(seed).public
    assert did.public_of(did.did_key(public)) == public


@pytest.mark.parametrize(
    "text", ["did:key:zAgent", "did:web:example.com%3A3000:user:alice", "did:x:a:b::c", "did:system:scope-admin", "did:a:" + "a" * 506]
)
def test_the_grammar_admits_colons_and_percent_encoding(text: str) -> None:
    assert did.is_did(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "did:",
        "did:key:",
        "DID:key:z",
        "did:Key:z",
        "did:key:a:",
        "did:key:a b",
        "did:key:%z1",
        "did:key:a#b",
        "did:key:a/b",
        "did:key:a\n",
        "did:a:" + "a" * 507,
        "did:key:ä",
        " did:key:z",
        "did:key:z?x",
    ],
)
def test_the_grammar_refuses_urls_blanks_and_excess(text: str) -> None:
    assert not did.is_did(text)


def test_did_web_identifiers_get_their_stated_verdict(vectors: Vectors) -> None:
    document = vectors("did_web")
    for case in document["accept"]:
        assert did.is_did_web(case["did"]), case
        base = case["url"].removesuffix("/did.json").removesuffix("/.well-known")
        assert did.did_web_of(base) == case["did"]
    for case in document["reject_identifier"]:
        assert not did.is_did_web(case["did"]), case


def test_a_service_url_becomes_a_did_web_or_is_refused() -> None:
    assert did.did_web_of("https://Example.com/") == "did:web:example.com"
    assert did.did_web_of("https://example.com:443") == "did:web:example.com"
    assert did.did_web_of("http://localhost:8080") == "did:web:localhost%3A8080"
    for url in (
        "ftp://a",
        "https://",
        "https://u@a",
        "https://a/../b",
        "https://a?q",
        "https://a#f",
        "https://[::1]/",
        "https://a:99999",
        "https://a//b",
    ):
        with pytest.raises(did.InvalidDid):
            did.did_web_of(url)
