"""Trace context: W3C first, the wire's names as aliases, nothing malformed is ever refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawscope.infra.telemetry.trace import Trace, alias_id

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{ID}-{SPAN}-01"


def test_a_traceparent_gives_trace_and_parent() -> None:
    trace = Trace.from_headers(GOOD)
    assert (trace.trace_id, trace.parent_span_id, trace.flags, trace.alias) == (ID, SPAN, 1, None)
    assert trace.span_id not in (SPAN, "0" * 16)


@pytest.mark.parametrize("text", [f"01-{ID}-{SPAN}-01", f"cc-{ID}-{SPAN}-01-what-the-future-brings", f" {GOOD}\t", f"00-{ID}-{SPAN}-00"])
def test_the_first_four_fields_of_any_version_count(text: str) -> None:
    assert Trace.from_headers(text).trace_id == ID


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        GOOD + "-extra",
        GOOD + "-",
        f"ff-{ID}-{SPAN}-01",
        GOOD.upper(),
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"00-{ID}-{SPAN}-1",
        f"01-{ID}-{SPAN}-01.x",
        f"00-{ID[:-1]}٣-{SPAN}-01",
        GOOD + "\n",
    ],
)
def test_a_malformed_traceparent_starts_a_new_trace(text: str) -> None:
    trace = Trace.from_headers(text)
    assert trace.trace_id != ID
    assert trace.parent_span_id is None
    assert re.fullmatch("[0-9a-f]{32}", trace.trace_id)


def test_an_alias_names_the_same_trace_within_one_organisation() -> None:
    trace = Trace.from_headers(None, " T1\t", "org_1")
    assert (trace.trace_id, trace.alias) == ("b93e08f55afda5b95cb379eb0f22e06e", "T1")
    assert alias_id("org_2", "T1") != trace.trace_id


def test_32_hex_digits_are_the_trace_id_itself() -> None:
    trace = Trace.from_headers(None, ID.upper(), "org_1")
    assert (trace.trace_id, trace.alias) == (ID, None)


def test_beside_a_traceparent_the_wires_name_is_only_a_search_key() -> None:
    trace = Trace.from_headers(GOOD, "T1", "org_1")
    assert (trace.trace_id, trace.alias) == (ID, "T1")
    assert Trace.from_headers(GOOD, ID.upper(), "org_1").alias is None
    assert Trace.from_headers(GOOD, "a" * 32, "org_1").alias == "a" * 32


@pytest.mark.parametrize("text", ["", "  ", "x" * 129, "tab\tinside", "naïve", "a\x00b"])
def test_an_unfit_alias_is_ignored(text: str) -> None:
    trace = Trace.from_headers(None, text, "org_1")
    assert trace.alias is None


def test_32_zeros_are_an_alias_and_no_trace_id() -> None:
    trace = Trace.from_headers(None, "0" * 32, "org_1")
    assert trace.trace_id == alias_id("org_1", "0" * 32)


def test_the_clients_child_goes_upstream() -> None:
    server = Trace.from_headers(GOOD)
    child = server.child()
    assert (child.trace_id, child.parent_span_id) == (ID, server.span_id)
    assert child.traceparent == f"00-{ID}-{child.span_id}-01"


@given(st.text(max_size=80), st.text(max_size=140))
def test_whatever_the_headers_hold_there_is_a_trace(traceparent: str, alias: str) -> None:
    trace = Trace.from_headers(traceparent, alias, None)
    assert re.fullmatch("[0-9a-f]{32}", trace.trace_id)
    assert re.fullmatch("[0-9a-f]{16}", trace.span_id)
