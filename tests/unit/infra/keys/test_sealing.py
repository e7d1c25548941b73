"""A sealed seed opens only with its master key and for its own row."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawscope.infra.keys import CannotOpen, MasterKey, open_sealed, parse_master_key, seal
from clawscope.kernel.secret import Secret
from clawscope.protocol import b64u

SEED = bytes(range(32))
MASTER = MasterKey(b"m" * 32)


def test_a_seed_comes_back_as_it_was() -> None:
    assert open_sealed(seal(SEED, MASTER, "k1", "token", 7), MASTER, "k1", "token", 7) == SEED


def test_sealing_twice_gives_different_bytes_and_never_the_seed() -> None:
    first, second = (seal(SEED, MASTER, "k1", "token", 7) for _ in range(2))
    assert first != second
    assert SEED not in first


@pytest.mark.parametrize(
    ("kid", "purpose", "created_at"), [("k2", "token", 7), ("k1", "receipt", 7), ("k1", "token", 8), ("k1token", "", 7)]
)
def test_a_sealed_seed_does_not_open_in_another_row(kid: str, purpose: str, created_at: int) -> None:
    with pytest.raises(CannotOpen):
        open_sealed(seal(SEED, MASTER, "k1", "token", 7), MASTER, kid, purpose, created_at)


def test_another_master_key_does_not_open_it() -> None:
    with pytest.raises(CannotOpen):
        open_sealed(seal(SEED, MASTER, "k1", "token", 7), MasterKey(b"n" * 32), "k1", "token", 7)


@given(st.integers(min_value=0, max_value=60), st.integers(min_value=1, max_value=255))
def test_no_changed_byte_opens(place: int, change: int) -> None:
    sealed = bytearray(seal(SEED, MASTER, "k1", "token", 7))
    sealed[place] ^= change
    with pytest.raises(CannotOpen):
        open_sealed(bytes(sealed), MASTER, "k1", "token", 7)


@given(st.binary(max_size=80))
def test_junk_does_not_open(junk: bytes) -> None:
    with pytest.raises(CannotOpen):
        open_sealed(junk, MASTER, "k1", "token", 7)


def test_the_master_key_is_base64url_of_32_bytes() -> None:
    parsed = parse_master_key(Secret(b64u.encode(b"m" * 32)))
    assert open_sealed(seal(SEED, MASTER, "k1", "token", 7), parsed, "k1", "token", 7) == SEED


@pytest.mark.parametrize("text", ["hunter2", b64u.encode(b"m" * 31), b64u.encode(b"m" * 32) + "=", "+" * 43, "ü" * 43])
def test_a_bad_master_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="43 characters") as caught:
        parse_master_key(Secret(text))
    assert text not in str(caught.value)


def test_a_master_key_is_neither_printed_nor_pickled() -> None:
    assert repr(MASTER) == str(MASTER) == "***"
    with pytest.raises(TypeError):
        pickle.dumps(MASTER)
