"""Rosters of organisations (identity.md §10)."""

from __future__ import annotations

from typing import Any

import pytest

from clawscope.identity.domain.roster import Member, Roster, ordered
from clawscope.protocol import b64u
from clawscope.protocol.keys import SigningKey
from tests.http.client import Answer
from tests.http.identity.people import Desk, Person, person

K1 = "did:key:z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd"
K2 = "did:key:z6MkhFwXNFWosLeugvSf4wcL9t3uuRXueGSFTRgSvHhWj5G2"


def publish(desk: Desk, org: str, owner: Person, *members: Person, previous: Person | None = None, **more: Any) -> Answer:
    roster = Roster(org, owner.did, more.get("issued_at", 100), ordered([Member(one.did, "builder") for one in members]))
    body = {
        "owner_did": owner.did,
        "issued_at": roster.issued_at,
        "members": [{"member_did": one.did, "team_role": "builder"} for one in members],
        "signature_b64u": owner.sign(roster.signed_text),
        **more,
    }
    if previous is not None:
        body["previous_owner_signature_b64u"] = previous.sign(roster.signed_text)
    return desk.client.post(f"/v1/orgs/{org}/roster-manifests", body)


def test_the_golden_roster() -> None:
    roster = Roster("acme", K1, 1767225600, (Member(K2, "builder"),))
    assert roster.manifest_hash == "sH3mBkQZ_B-KCfxB4K5XuL07wRXpR34czSlo6tdRrVM"
    signature = SigningKey.from_seed(bytes(range(32))).sign(roster.signed_text.encode())
    assert b64u.encode(signature) == "vX9HVTg8GkD0tlUtfgMzg0QrhPAC53MdTJpvZ808YgTWwcYJuXe06LEC2IWM64A7OCikn9LRwnHwRFuAMuI7Dw"


def test_the_first_publisher_holds_the_roster_until_he_signs_it_over(desk: Desk) -> None:
    owner, other, member = person(), person(), person()
    desk.bind(owner, other, member)
    assert publish(desk, "acme", owner, member, owner).ok()["status"] == "registered"
    assert publish(desk, "acme", owner, owner, member).ok()["status"] == "already_registered"
    assert publish(desk, "acme", other, member, issued_at=101).refusal == (403, "ROSTER_OWNER_MISMATCH")
    assert publish(desk, "acme", other, member, issued_at=101, previous=other).refusal == (403, "ROSTER_OWNER_MISMATCH")
    assert publish(desk, "acme", other, member, issued_at=101, previous=owner).ok()["member_count"] == 1
    desk.revoke(member)
    latest = desk.client.get("/v1/orgs/acme/roster/latest").ok()
    assert (latest["owner_did"], latest["issued_at"]) == (other.did, 101)
    assert latest["members"] == [{"member_did": member.did, "team_role": "builder", "binding_active": False}]
    assert desk.audit(subject_did=other.did)[0]["event_type"] == "org_roster.manifest_registered"


def test_a_roster_refuses_in_order(desk: Desk) -> None:
    owner, member = person(), person()
    assert publish(desk, "b", owner, member).refusal == (403, "OWNER_BINDING_REQUIRED")
    desk.bind(owner)
    assert publish(desk, "b", owner, member).refusal == (403, "ROSTER_MEMBER_BINDING_REQUIRED")
    desk.bind(member)
    assert publish(desk, "b", owner, member, signature_b64u="A" * 86).refusal == (401, "ROSTER_MANIFEST_SIGNATURE_INVALID")
    assert publish(desk, "org_b", owner, member).refusal == (403, "FORBIDDEN")
    assert publish(desk, "b", owner, member, issued_at=desk.served.clock.now() + 61).refusal == (409, "ROSTER_MANIFEST_STALE")
    publish(desk, "b", owner, member).ok()
    assert publish(desk, "b", owner, member, owner, issued_at=100).refusal == (409, "ROSTER_MANIFEST_STALE")
    assert desk.client.get("/v1/orgs/nobody/roster/latest").refusal == (404, "ROSTER_NOT_FOUND")


@pytest.mark.parametrize(
    "members",
    [[], [{"member_did": K1, "team_role": "a"}] * 2, [{"member_did": "x", "team_role": "a"}], [{"member_did": K1, "team_role": "a" * 65}]],
)
def test_members_are_distinct_dids_with_a_role(desk: Desk, members: list[dict[str, str]]) -> None:
    body = {"owner_did": K1, "members": members, "signature_b64u": "x"}
    assert desk.client.post("/v1/orgs/c/roster-manifests", body).refusal == (400, "INVALID_ROSTER_MEMBERS")
