"""Messages, policies, aliases and the audit chain, without a store."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawscope.identity.domain import purposes
from clawscope.identity.domain.audit import FIRST_PREV_HASH, AuditRow, entry_hash, first_fault
from clawscope.identity.domain.bundle import AliasShape, final_dids
from clawscope.identity.domain.event_keys import binding_key, control_key
from clawscope.identity.domain.policy import DEFAULT_SCOPES, PolicyRules, chosen_scopes
from clawscope.identity.domain.records import PENDING, Controller, Transfer
from clawscope.identity.settings import IdentitySettings

SCOPES = st.lists(st.sampled_from([*DEFAULT_SCOPES, "control:audit:read", "control:*", "control:z", "proxy:x", ""]), max_size=8)


def chain(length: int) -> list[AuditRow]:
    rows: list[AuditRow] = []
    for number in range(1, length + 1):
        prev = rows[-1].entry_hash_b64u if rows else FIRST_PREV_HASH
        row = AuditRow(number, f"audit_{number}", "binding.bound", "did:key:a", "did:key:a", 7, {"n": number}, prev)
        rows.append(replace(row, entry_hash_b64u=entry_hash(row)))
    return rows


@given(st.integers(2, 12), st.data())
def test_every_changed_missing_or_reordered_row_is_found(length: int, data: st.DataObject) -> None:
    rows = chain(length)
    assert first_fault(rows) is None
    at = data.draw(st.integers(0, length - 2))
    changed = [*rows[:at], replace(rows[at], details={"n": 0}), *rows[at + 1 :]]
    missing = [*rows[:at], *rows[at + 1 :]]
    swapped = [*rows[:at], rows[at + 1], rows[at], *rows[at + 2 :]]
    assert [first_fault(one) for one in (changed, missing, swapped)] == [at + 1] * 3


@given(SCOPES)
def test_a_chosen_policy_is_sorted_distinct_and_sensitive_or_none(asked: list[str]) -> None:
    chosen = chosen_scopes(asked)
    good = bool(asked) and all(scope.startswith("control:") for scope in asked)
    assert chosen == (tuple(sorted(set(asked))) if good else None)


@given(SCOPES)
def test_an_unbound_challenge_never_admits_a_wildcard(asked: list[str]) -> None:
    rules = PolicyRules(frozenset({*DEFAULT_SCOPES, "control:*", "control:audit:read"}))
    assert not (rules.admits_unbound(asked) and any("*" in scope for scope in asked))


def test_newer_event_keys_sort_first() -> None:
    assert binding_key(1767225600, "did:key:a", "c") == "events:bindings:8232774399:revoke:did:key:a:c"
    assert control_key(10, "deactivate", "o", "c") > control_key(11, "deactivate", "o", "c")


def test_a_transfer_past_its_time_is_gone_for_every_reader() -> None:
    transfer = Transfer("did:key:b", 100, 200, "transferred")
    record = Controller("c", "o", True, 1, "x", DEFAULT_SCOPES, 1, "signed", "did:web:a", transfer_state=PENDING, transfer=transfer)
    assert record.as_of(200).is_pending
    assert (record.as_of(201).is_pending, record.as_of(201).transfer_state) == (False, "transferred")


def test_aliases_that_go_in_circles_lead_nowhere() -> None:
    def alias(start: str, end: str) -> AliasShape:
        shape = {"alias_version": "1", "role": "agent", "from_did": start, "to_did": end, "owner_did": "o", "active": True}
        return msgspec.convert({**shape, "confirmed_at": 1}, AliasShape)

    assert final_dids([alias("a", "b"), alias("b", "c")]) == {("agent", "a"): "c", ("agent", "b"): "c"}
    assert final_dids([alias("a", "b"), alias("b", "a")]) is None


@pytest.mark.parametrize("part", ["", "a|b", "x" * 257, "action=x", "bundle_hash_b64u=", "a\nb"])
def test_client_context_imitates_no_field_of_ours(part: str) -> None:
    assert not purposes.are_context_parts([part])
    assert purposes.are_context_parts(["fine", "note=1"])


@pytest.mark.parametrize(
    "given_settings",
    [
        {"service_did": "did:key:zA"},
        {"message_versions": ("3",)},
        {"unbound_policy_scopes": ("control:*",)},
        {"unbound_policy_scopes": ("proxy:x",)},
        {"trusted_exporters": {"did:web:a.example": "x"}},
    ],
)
def test_faulty_settings_are_told(given_settings: dict[str, object]) -> None:
    good = {"service_did": "did:web:id.example"}
    assert IdentitySettings(**good).problems() == []
    assert len(IdentitySettings(**{**good, **given_settings}).problems()) == 1
