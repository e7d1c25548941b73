"""What covers what, what is sensitive, and the hash that commits to scopes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawscope.protocol import scope

segments = st.sampled_from(["a", "ab", "b", "*", "control", "token", "proxy"])
scopes = st.lists(segments, min_size=1, max_size=3).map(":".join)
plain = st.lists(st.sampled_from(["a", "ab", "b", "control"]), min_size=1, max_size=3).map(":".join)


def test_the_hash_vectors_of_the_contract() -> None:
    assert scope.scope_hash(["proxy:call"]) == "cUp29jLmfEilCbCsFIzAnc_Ic-SpvWRNzoX-XpDC6ZY"
    wanted = "HgdRlMylsnBB6QejpCMRLTskg475Bm2LurT904niSmE"
    assert scope.scope_hash(["clawproxy:call:openai", "clawproxy:call:anthropic"]) == wanted
    assert scope.scope_hash(["\t clawproxy:call:anthropic\r\n", " clawproxy:call:openai "]) == wanted


@given(st.lists(scopes, min_size=1, max_size=6).flatmap(lambda items: st.tuples(st.just(items), st.permutations(items))))
def test_the_hash_does_not_depend_on_order(pair: tuple[list[str], list[str]]) -> None:
    assert scope.scope_hash(pair[0]) == scope.scope_hash(pair[1])


@given(scopes)
def test_a_scope_covers_itself_and_the_star_covers_all(wanted: str) -> None:
    assert scope.covers(wanted, wanted)
    assert scope.covers("*", wanted)


@given(scopes, scopes, scopes)
def test_covering_is_transitive(first: str, second: str, third: str) -> None:
    if scope.covers(first, second) and scope.covers(second, third):
        assert scope.covers(first, third)


@given(scopes, plain)
def test_nothing_but_equality_or_a_wildcard_covers(held: str, wanted: str) -> None:
    if scope.covers(held, wanted) and held != wanted:
        assert scope.is_wildcard(held)
        assert held == "*" or wanted.startswith(held[:-1])


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        ("proxy:*", "control:audit:read"),
        ("a", "a:b"),
        ("a:*", "ab"),
        ("a:*", "a"),
        ("a*", "ab"),
        ("*:b", "a:b"),
        ("a:*:c", "a:b:c"),
        (":*", ":x"),
    ],
)
def test_near_misses_cover_nothing(held: str, wanted: str) -> None:
    assert not scope.covers(held, wanted)


def test_one_of_many_may_cover() -> None:
    assert scope.any_covers(["a", "control:*"], "control:audit:read")
    assert not scope.any_covers([], "a")


@pytest.mark.parametrize("text", ["*", "control:*", "control:token:*", "control:audit:read"])
def test_what_is_or_covers_a_sensitive_scope_is_sensitive(text: str) -> None:
    assert scope.is_sensitive(text, ["control:"])


@pytest.mark.parametrize("text", ["proxy:*", "controller:x", "proxy:control:*", "a"])
def test_what_neither_is_nor_covers_one_is_not(text: str) -> None:
    assert not scope.is_sensitive(text, ["control:"])


@given(scopes, plain)
def test_a_scope_that_covers_a_sensitive_one_is_sensitive(held: str, tail: str) -> None:
    if scope.wildcard_is_well_placed(held) and scope.covers(held, f"control:{tail}"):
        assert scope.is_sensitive(held, ["control:"])


def test_tidying_trims_and_keeps_the_first_of_equals() -> None:
    assert scope.tidy([" b", "a", "b\t", "a"]) == ("b", "a")
    for bad in ([""], [" "], ["a b"], ['a"'], ["a\\b"], ["\u00a0"], ["ä"], ["a\x00"], ["a\x7f"]):
        with pytest.raises(scope.InvalidScope):
            scope.tidy(bad)


@pytest.mark.parametrize(
    ("text", "well"), [("*", True), ("a:*", True), ("a:b:*", True), ("a*", False), ("*:a", False), ("a:*:b", False), (":*", False)]
)
def test_a_wildcard_stands_alone_or_last(text: str, well: bool) -> None:
    assert scope.wildcard_is_well_placed(text) is well
