"""Nothing secret gets through to a log, by whatever way it came in."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawscope.infra.telemetry.redaction import Redactor, is_sensitive
from clawscope.kernel.secret import Secret

JWS = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJkaWQ6a2V5OnpBIn0.c2lnbmF0dXJlLXRoYXQtbXVzdC1nbw"
PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHVlcnlzZWNyZXQ\n-----END PRIVATE KEY-----"
plain = Redactor()


@pytest.mark.parametrize(
    "text",
    [
        f"got {JWS}",
        f"path=/x/{JWS}?y",
        f"cut short {JWS[:45]}",
        f"standard alphabet {JWS.replace('Q', '+')}==",
        f"glued{JWS}",
        "Bearer c2lnbmF0dXJlLXRoYXQ",
        "bearer  c2lnbmF0dXJlLXRoYXQ",
        "Basic c2lnbmF0dXJlLXRoYXQ=",
        PEM,
        PEM.replace("PRIVATE", "EC PRIVATE")[:-20],
        "claw_live_0123456789ab_c2lnbmF0dXJlLXRoYXQ",
        "sk-ant-c2lnbmF0dXJlLXRoYXQ",
        "postgresql://user:c2lnbmF0dXJlLXRoYXQ@db/x",
        "redis://:c2lnbmF0dXJlLXRoYXQ@host:1/0",
        "password=c2lnbmF0dXJlLXRoYXQ",
        "{'token': 'c2lnbmF0dXJlLXRoYXQ'}",
        '{"client_secret": "c2lnbmF0dXJl\\"LXRoYXQ"}',
        "(b'authorization', b'c2lnbmF0dXJlLXRoYXQ')",
        "note=token=c2lnbmF0dXJlLXRoYXQ",
        "Authorization: c2lnbmF0dXJlLXRoYXQ",
        "/v1/x?access_token=c2lnbmF0dXJlLXRoYXQ&y=1",
        "seed: [c2lnbmF0dXJlLXRoYXQ]",
        "X-CST: c2lnbmF0dXJlLXRoYXQ",
        "cookie='a=c2lnbmF0dXJlLXRoYXQ; b=c2lnbmF0dXJlLXRoYXQ'",
        "cookie='a=c2lnbmF0dXJlLXRoYXQ; never closed",
    ],
)
def test_a_secret_is_known_by_its_shape_or_its_name_in_text(text: str) -> None:
    shown = plain.text(text)
    for secret in ("c2lnbmF0dXJl", "LXRoYXQ", "eyJzdWIi", "MC4CAQAw"):
        assert secret not in shown


@pytest.mark.parametrize(
    "text",
    [
        "token_hash=" + "ab" * 32,
        "GET /v1/tokens/introspect 200",
        "kid: kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        "did:key:z6Mk…",
        "1.2.3.4:80",
    ],
)
def test_harmless_text_stays(text: str) -> None:
    assert plain.text(text) == text


@pytest.mark.parametrize(
    "name",
    ["token", "access_token", "accessToken", "Authorization", "X-CST", "seed_b64u", "clientSecret", "pwd_password", "Set-Cookie", "apiKey"],
)
def test_secret_names_hide_whatever_stands_under_them(name: str) -> None:
    assert plain.fields({name: "plain words"}) == {name: "***"}
    assert plain.fields({name: ["plain"]}) == {name: "***"}
    assert plain.fields({name: 12345}) == {name: "***"}


@pytest.mark.parametrize("name", ["token_hash", "token_lane", "api_token_id", "token_scope_hash_b64u", "kid", "scope", "tokenHash"])
def test_facts_about_tokens_are_shown(name: str) -> None:
    assert not is_sensitive(name)


def test_counts_of_model_tokens_are_shown() -> None:
    assert plain.fields({"tokens_input": 31, "live_tokens": 2, "token_found": True}) == {
        "tokens_input": 31,
        "live_tokens": 2,
        "token_found": True,
    }


@dataclass
class Holder:
    seed: str
    key: Secret


def test_objects_containers_bytes_and_pairs_are_scrubbed() -> None:
    shown = plain.fields(
        {
            "object": Holder("c2lnbmF0dXJl", Secret("c2lnbmF0dXJl")),
            "raw": b"c2lnbmF0dXJl",
            "deep": {"list": [{"password": "c2lnbmF0dXJl"}, (JWS,)]},
            "headers": [(b"authorization", b"c2lnbmF0dXJl"), ("cookie", "c2lnbmF0dXJl"), ("accept", "a/b")],
            JWS: 1,
            "error": ValueError(JWS),
        }
    )
    assert "c2lnbmF0dXJl" not in repr(shown)
    assert shown["raw"] == "[12 bytes]"
    assert shown["headers"][2] == ["accept", "a/b"]


def test_an_endless_container_ends() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert "[deeper]" in repr(plain.value(loop))


def test_configured_secrets_are_known_by_value() -> None:
    redactor = Redactor([Secret("plain-operator-words"), Secret("abc")])
    assert redactor.text("it says plain-operator-words, abc") == "it says ***, abc"


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_token_never_survives_between_any_two_texts(before: str, after: str) -> None:
    assert "c2lnbmF0dXJlLXRoYXQtbXVzdC1nbw" not in plain.text(before + JWS + after)


@pytest.mark.parametrize(
    "text", ["eyJ" * 60_000, "token" * 40_000, "a." * 90_000, "Bearer " * 30_000, "://" * 60_000, "'" * 100_000 + "token='"]
)
def test_hostile_texts_come_to_an_end(text: str) -> None:
    # A pattern that is not linear would not return from these within the life of the test run.
    assert plain.text(text) is not None
