"""base64url, strict JSON and canonical JSON against public vectors and their own inverse."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawscope.protocol import b64u, digest, jcs, strict_json

Vectors = Callable[[str], Any]


@given(st.binary(max_size=200))
def test_base64url_comes_back_as_it_was_and_has_no_padding(raw: bytes) -> None:
    text = b64u.encode(raw)
    assert b64u.decode(text) == raw
    assert text == base64.urlsafe_b64encode(raw).decode().rstrip("=")


@given(st.text(alphabet="AQgwEIMUYcko048abz_-+/= \n.", max_size=12))
def test_base64url_is_read_only_in_the_spelling_it_is_written(text: str) -> None:
    try:
        raw = b64u.decode(text)
    except ValueError:
        return
    assert b64u.encode(raw) == text


@pytest.mark.parametrize("text", ["QQ==", "QR", "QQ=", "Q", "QUI=", "Q U", "Q+8", "Q/8", "QUI\n", " QUI", "QUJé", "QUJ١", "=", "===="])
def test_base64url_refuses_padding_spare_bits_blanks_and_the_other_alphabet(text: str) -> None:
    with pytest.raises(ValueError, match="canonical"):
        b64u.decode(text)


def test_no_character_outside_the_alphabet_is_read_anywhere() -> None:
    alphabet = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    for number in range(0x3000):
        for text in (f"Q{chr(number)}JD", f"QUJD{chr(number)}UJD", f"QUJDQ{chr(number)}"):
            try:
                raw = b64u.decode(text)
            except ValueError:
                continue
            assert chr(number) in alphabet
            assert b64u.encode(raw) == text
    assert b64u.decode("") == b""


def test_a_hash43_is_43_characters_of_the_alphabet() -> None:
    assert b64u.is_hash43(digest.sha256_b64u(b""))
    assert not b64u.is_hash43("a" * 42)
    assert not b64u.is_hash43("a" * 43 + "\n")
    assert digest.sha256_hex(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_strict_json_gives_the_stated_verdict_on_every_parsing_vector(vectors: Vectors) -> None:
    for name, encoded in vectors("json_parsing")["cases"]:
        raw = base64.b64decode(encoded)
        try:
            strict_json.parse(raw, max_depth=600, max_int_digits=400)
            parsed = True
        except strict_json.NotJson:
            parsed = False
        if name == "y_object_duplicated_key.json" or name == "y_object_duplicated_key_and_value.json":
            assert not parsed, name
        elif name[0] in "yn":
            assert parsed == (name[0] == "y"), name


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'[{"":' * 50_000 + b"\n", b'{"a":' * 5000, b"[" * 31 + b"{" * 2])
def test_depth_is_bounded_without_recursion(raw: bytes) -> None:
    with pytest.raises(strict_json.NotJson):
        strict_json.parse(raw)


def test_brackets_inside_strings_are_not_depth() -> None:
    assert strict_json.parse(b'["' + b"[" * 100 + b'\\"[[["]') == ["[" * 100 + '"[[[']


def test_depth_is_found_in_linear_time_in_an_unterminated_string() -> None:
    with pytest.raises(strict_json.NotJson):
        strict_json.parse(b"[" * 20 + b'"' + b'\\"' * 130_000 + b"{" * 40)


@pytest.mark.parametrize("depth", [31, 32, 33])
def test_the_deepest_value_allowed_is_read(depth: int) -> None:
    raw = b"[" * depth + b"]" * depth
    if depth <= 32:
        strict_json.parse(raw)
    else:
        with pytest.raises(strict_json.NotJson):
            strict_json.parse(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf{}",
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"\\u0062":2}}',
        b"[NaN]",
        b"[-Infinity]",
        b"[1e400]",
        b'["\\ud800"]',
        b'{"\\udc00":1}',
        b"[123456789012345678901]",
        b"{} {}",
        b"",
        b"\xff",
        b'"\xed\xa0\x80"',
        "[\u00a01]".encode(),
    ],
)
def test_strict_json_refuses_what_two_readers_could_read_differently(raw: bytes) -> None:
    for exact in (False, True):
        with pytest.raises(strict_json.NotJson):
            strict_json.parse(raw, exact=exact)


def test_exact_numbers_keep_their_decimal_text() -> None:
    assert str(strict_json.parse(b"[0.10000000000000000001]", exact=True)[0]) == "0.10000000000000000001"
    with pytest.raises(strict_json.NotJson):
        strict_json.parse(b"[1e-999999999999999999999]", exact=True)


def test_what_is_refused_is_never_quoted() -> None:
    for raw in (b'{"secret":secret}', b'{"secret":1,"secret":2}', b'["secret', b"secret"):
        with pytest.raises(strict_json.NotJson) as caught:
            strict_json.parse(raw)
        assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="canonical") as other:
        jcs.canonical({"a": 2**53})
    assert "9007199254740992" not in str(other.value)


def test_canonical_json_writes_every_rfc8785_document(vectors: Vectors) -> None:
    for document in vectors("jcs_rfc8785")["documents"]:
        value = strict_json.parse(base64.b64decode(document["input_b64"]))
        assert jcs.canonical(value) == base64.b64decode(document["output_b64"]), document["name"]


def test_canonical_json_writes_every_double_as_ecmascript_does(vectors: Vectors) -> None:
    for bits, text in vectors("jcs_rfc8785")["numbers"]:
        number = struct.unpack(">d", bytes.fromhex(bits))[0]
        if text is None:
            with pytest.raises(ValueError, match="canonical"):
                jcs.canonical(number)
        else:
            assert jcs.canonical(number) == text.encode(), bits


def test_canonical_json_refuses_what_a_signer_must_not_sign(vectors: Vectors) -> None:
    for case in vectors("jcs_rfc8785")["must_reject"]:
        try:
            written = jcs.canonical(strict_json.parse(base64.b64decode(case["input_b64"])))
        except ValueError:
            continue
        pytest.fail(f"{case['name']} was written as {written!r}")


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc_09", max_size=5), inner, max_size=4),
)


@given(plain_values)
def test_sorted_plain_json_is_canonical_where_there_are_no_floats(value: Any) -> None:
    assert msgspec.json.encode(value, order="sorted") == jcs.canonical(value)
