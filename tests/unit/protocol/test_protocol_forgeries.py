"""Forgeries: second spellings, foreign JOSE objects, hostile JSON and a great many mutations never verify and never raise."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable
from typing import Any

import pytest

from clawscope.protocol import b64u
from clawscope.protocol.claims import Claims
from clawscope.protocol.keys import SigningKey
from clawscope.protocol.verdict import Denied
from clawscope.protocol.verify_token import KeySet, Rules, verify

NOW = 1_800_000_100
MUTATIONS = 4_000
SOAK_MUTATIONS = 1_000_000
Make = Callable[..., Claims]
MakeToken = Callable[..., str]


def payload_of(token: str) -> str:
    return b64u.decode(token.split(".")[1]).decode()


@pytest.mark.parametrize("spelling", ["spare", "padding", "blank", "plus", "newline", "fourth part", "lead", "trail", "no signature"])
def test_a_token_has_no_second_spelling(spelling: str, make_token: MakeToken, code_of: Callable[[str], str]) -> None:
    token = next(found for n in range(200) if set("-_") & set((found := make_token(run_id=f"r{n}")).rpartition(".")[2]))
    last = token[-1]
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    changed = {
        "spare": token[:-1] + alphabet[alphabet.index(last) + 1],
        "padding": token + "==",
        "blank": token[:-3] + " " + token[-3:],
        "plus": token[: token.rindex(".")] + token[token.rindex(".") :].replace("-", "+").replace("_", "/"),
        "newline": token + "\n",
        "fourth part": token + ".",
        "lead": " " + token,
        "trail": token + " ",
        "no signature": token[: token.rindex(".") + 1],
    }[spelling]
    assert code_of(token) == "ok"
    assert code_of(changed) == "TOKEN_MALFORMED"


@pytest.mark.parametrize("text", ["", ".", "..", "...", "a.b.c", "é.a.a", "\x00..", "a" * 8193, "." * 8192, "ﬀ.ﬀ.ﬀ", "\ud800.a.b"])
def test_what_is_no_compact_token_is_malformed(text: str, code_of: Callable[[str], str]) -> None:
    assert code_of(text) == "TOKEN_MALFORMED"


def test_no_foreign_jose_vector_passes(vectors: Callable[[str], Any], key_set: KeySet, rules: Rules) -> None:
    document = vectors("wycheproof_jose")
    seen = 0
    for part in ("json_web_signature_test", "json_web_key_test", "json_web_crypto_test"):
        for group in document[part]["testGroups"]:
            for case in group["tests"]:
                text = case.get("jws") or case.get("jwe") or ""
                found = verify(text if isinstance(text, str) else json.dumps(text), key_set, rules, NOW)
                assert isinstance(found, Denied), case["tcId"]
                seen += 1
    for name, item in vectors("jose_rfc_vectors")["rfc7520_and_7797"].items():
        assert isinstance(verify(str(item["output"].get("compact", "")), key_set, rules, NOW), Denied), name
    assert seen > 500


def test_no_parsing_vector_as_header_or_payload_raises_or_passes(
    vectors: Callable[[str], Any], token_key: SigningKey, key_set: KeySet, rules: Rules, good_header: str, make_token: MakeToken
) -> None:
    header, payload = b64u.encode(good_header.encode()), make_token().split(".")[1]
    for name, encoded in vectors("json_parsing")["cases"]:
        part = b64u.encode(base64.b64decode(encoded))
        for text in (f"{part}.{payload}", f"{header}.{part}"):
            token = f"{text}.{b64u.encode(token_key.sign(text.encode()))}"
            assert isinstance(verify(token, key_set, rules, NOW), Denied), name


def mutated(random_source: random.Random, token: str) -> str:
    place = random_source.randrange(len(token))
    kind = random_source.randrange(5)
    char = random_source.choice(string.ascii_letters + string.digits + "-_.=+/ \n\x00é")
    if kind == 0:
        return token[:place] + token[place + 1 :]
    if kind == 1:
        return token[:place] + char + token[place:]
    if kind == 2:
        other = random_source.randrange(len(token))
        return token[:place] + token[other] + token[place + 1 :]
    if kind == 3:
        return token[:place] + chr(ord(token[place]) ^ (1 << random_source.randrange(8))) + token[place + 1 :]
    return token[:place] + char + token[place + 1 :]


def try_mutations(count: int, token: str, keys: KeySet, rules: Rules) -> None:
    source = random.Random(20270115)
    for _ in range(count):
        changed = mutated(source, token)
        if source.random() < 0.3:
            changed = mutated(source, changed)
        if changed != token:
            assert isinstance(verify(changed, keys, rules, NOW), Denied), changed


def test_no_mutated_token_verifies_or_raises(make_token: MakeToken, key_set: KeySet) -> None:
    try_mutations(MUTATIONS, make_token(), key_set, Rules("https://clawscope.example", accept_missing_kid=True))


@pytest.mark.soak
def test_no_token_of_a_million_mutations_verifies_or_raises(make_token: MakeToken, key_set: KeySet, rules: Rules) -> None:
    try_mutations(SOAK_MUTATIONS, make_token(), key_set, rules)


def test_mutated_payloads_honestly_signed_are_judged_alike_by_both_readings(
    make_token: MakeToken, good_header: str, signed: Callable[..., str], code_of: Callable[[str], str]
) -> None:
    source, text = random.Random(7), payload_of(make_token())
    for _ in range(1500):
        changed = mutated(source, text)
        # A blank before the first member sends the same object down the strict road.
        plain, strict = code_of(signed(changed, good_header)), code_of(signed(changed.replace("{", "{ ", 1), good_header))
        assert plain == strict, changed
