"""`clawscope verify token`: one exit code for each outcome, from evidence fetched and kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from clawscope.kernel.clock import SystemClock
from clawscope.protocol.jwk import public_jwk, thumbprint
from clawscope.protocol.keys import SigningKey
from clawscope.protocol.revocation import CutOff, KeyRevoked, TokenRevoked
from tests.unit.main.conftest import ISSUER, OPERATOR_KEY, Issuer, Laid, Ran

Verify = Callable[..., Ran]


@pytest.fixture
def verify(cli: Callable[..., Ran], server: Laid, issuer: Issuer, tmp_path: Path) -> Verify:
    """Verify with a cache of its own; `fetch=True` refreshes it from the server with an operator key."""
    issuer.publish(server, issuer.snapshot([], 1))

    def ran(token: str, *options: str, fetch: bool = False) -> Ran:
        refresh = ("--fetch", server.base_url, "--key", OPERATOR_KEY) if fetch else ()
        return cli("verify", "token", token, "--cache", str(tmp_path / "cache"), *refresh, *options)

    return ran


def test_good_token_is_0_and_again_without_the_server(verify: Verify, issuer: Issuer, server: Laid) -> None:
    token = issuer.mint().token
    assert verify(token, fetch=True).code == 0
    server.answers.clear()
    asked = len(server.asked)
    assert verify(token).code == 0
    assert len(server.asked) == asked


def test_report_says_as_of_when_nothing_was_revoked(verify: Verify, issuer: Issuer) -> None:
    found = verify(issuer.mint().token, "--json", fetch=True).json
    assert (found["outcome"], found["view_sequence"], found["claims"]["sub"]) == ("valid", 1, "did:key:zAgent")


def test_forged_token_is_3(verify: Verify, issuer: Issuer) -> None:
    stranger = Issuer(token_key=SigningKey.from_seed(bytes(32)))
    ran = verify(stranger.mint().token, fetch=True)
    assert ran.code == 3
    assert "TOKEN_UNKNOWN_KID" in ran.out


def test_expired_token_is_3(verify: Verify, issuer: Issuer) -> None:
    now = SystemClock().now()
    assert verify(issuer.mint(iat=now - 700, exp=now - 100).token, fetch=True).code == 3


def test_token_of_another_issuer_is_3(verify: Verify, issuer: Issuer) -> None:
    assert verify(issuer.mint(iss="https://other.example").token, fetch=True).code == 3


def test_unfit_token_is_3_with_the_field(verify: Verify, issuer: Issuer) -> None:
    found = verify(issuer.mint().token, "--aud", "https://elsewhere.example", "--json", fetch=True)
    assert (found.code, found.json["code"], found.json["field"]) == (3, "TOKEN_AUD_MISMATCH", "aud")


def test_revoked_token_is_4(verify: Verify, issuer: Issuer, server: Laid) -> None:
    minted = issuer.mint()
    issuer.publish(server, issuer.snapshot([TokenRevoked(2, token_hash=minted.token_hash)], 2))
    assert verify(minted.token, fetch=True).code == 4


def test_cut_off_token_is_4(verify: Verify, issuer: Issuer, server: Laid) -> None:
    minted = issuer.mint(mission_id="m1")
    issuer.publish(server, issuer.snapshot([CutOff(2, "mission_id", "m1", minted.claims.iat)], 2))
    ran = verify(minted.token, "--json", fetch=True)
    assert (ran.code, ran.json["revoked_by_kind"]) == (4, "cutoff")


def test_token_of_a_revoked_key_is_3(verify: Verify, issuer: Issuer, server: Laid) -> None:
    issuer.publish(server, issuer.snapshot([KeyRevoked(2, issuer.kid)], 2))
    ran = verify(issuer.mint().token, "--json", fetch=True)
    assert (ran.code, ran.json["code"]) == (3, "TOKEN_KID_EXPIRED")


def test_stale_view_is_5(verify: Verify, issuer: Issuer, server: Laid) -> None:
    issuer.publish(server, issuer.snapshot([], 1, age_s=40))
    token = issuer.mint().token
    assert verify(token, fetch=True).code == 5
    assert verify(token, "--max-staleness", "60").code == 0


def test_view_is_never_used_beyond_what_the_issuer_allows(verify: Verify, issuer: Issuer, server: Laid, tmp_path: Path) -> None:
    token = issuer.mint().token
    assert verify(token, fetch=True).code == 0
    (tmp_path / "cache" / "snapshot.json").write_bytes(issuer.snapshot([], 1, age_s=301))
    held = json.loads((tmp_path / "cache" / "evidence.json").read_bytes())
    held["snapshot_fetched_at"] -= 301
    (tmp_path / "cache" / "evidence.json").write_text(json.dumps(held))
    assert verify(token, "--max-staleness", "100000").code == 5


def test_revocation_in_a_stale_view_still_counts(verify: Verify, issuer: Issuer, server: Laid) -> None:
    minted = issuer.mint()
    issuer.publish(server, issuer.snapshot([TokenRevoked(2, token_hash=minted.token_hash)], 2, age_s=200))
    assert verify(minted.token, fetch=True).code == 4


def test_without_credential_keys_are_fetched_and_the_view_is_missing(
    cli: Callable[..., Ran], issuer: Issuer, server: Laid, tmp_path: Path
) -> None:
    issuer.publish(server, issuer.snapshot([], 1))
    ran = cli("verify", "token", issuer.mint().token, "--cache", str(tmp_path / "c"), "--fetch", server.base_url, "--json")
    assert ran.code == 5
    assert ran.json["not_refreshed"][0]["error"] == "NO_CREDENTIAL"
    assert all(request.path != "/v1/revocations/snapshot" for request in server.asked)


def test_empty_cache_is_6(verify: Verify, issuer: Issuer) -> None:
    assert verify(issuer.mint().token).code == 6


def test_unreachable_issuer_leaves_the_cache_in_use(cli: Callable[..., Ran], verify: Verify, issuer: Issuer, tmp_path: Path) -> None:
    token = issuer.mint().token
    assert verify(token, fetch=True).code == 0
    ran = cli("verify", "token", token, "--cache", str(tmp_path / "cache"), "--fetch", "http://127.0.0.1:1", "--json")
    assert (ran.code, ran.json["not_refreshed"][0]["error"]) == (0, "UNREACHABLE")


def test_older_snapshot_than_seen_is_not_taken(verify: Verify, issuer: Issuer, server: Laid) -> None:
    minted = issuer.mint()
    issuer.publish(server, issuer.snapshot([TokenRevoked(5, token_hash=minted.token_hash)], 5))
    assert verify(minted.token, fetch=True).code == 4
    issuer.publish(server, issuer.snapshot([], 4))
    ran = verify(minted.token, "--json", fetch=True)
    assert (ran.code, ran.json["not_refreshed"][0]["error"]) == (4, "SNAPSHOT_ROLLBACK")


def test_snapshot_signed_by_another_key_is_not_taken(verify: Verify, issuer: Issuer, server: Laid) -> None:
    stranger = Issuer(statement_key=SigningKey.from_seed(bytes(32)))
    issuer.publish(server, stranger.snapshot([], 9))
    ran = verify(issuer.mint().token, "--json", fetch=True)
    assert (ran.code, ran.json["not_refreshed"][0]["error"]) == (5, "SNAPSHOT_SIGNATURE")


def test_key_that_left_the_jwks_is_expired_not_unknown(verify: Verify, issuer: Issuer, server: Laid) -> None:
    token = issuer.mint().token
    assert verify(token, fetch=True).code == 0
    other = SigningKey.from_seed(bytes(32)).public
    server.answer("GET /v1/jwks", {"keys": [public_jwk(other, thumbprint(other))]})
    assert verify(token, "--json", fetch=True).json["code"] == "TOKEN_KID_EXPIRED"


def test_key_past_its_announced_cut_off_is_refused(verify: Verify, issuer: Issuer, server: Laid) -> None:
    past = {"kid": issuer.kid, "not_after_unix": SystemClock().now() - 1}
    server.answer("GET /v1/keys/rotation-contract", {"expiring_kids": [past], "revoked_kids": []})
    assert verify(issuer.mint().token, "--json", fetch=True).json["code"] == "TOKEN_KID_EXPIRED"


def test_one_cache_serves_one_issuer(verify: Verify, issuer: Issuer, server: Laid) -> None:
    assert verify(issuer.mint().token, fetch=True).code == 0
    server.answer("GET /.well-known/oauth-authorization-server", {"issuer": "https://other.example"})
    assert verify(issuer.mint().token, fetch=True).code == 2


def test_pinned_issuer_refuses_evidence_of_another(verify: Verify, issuer: Issuer) -> None:
    assert verify(issuer.mint().token, "--issuer", "https://other.example", fetch=True).code == 2
    assert verify(issuer.mint().token, "--issuer", ISSUER).code == 0


def test_damaged_cache_says_to_fetch_again(verify: Verify, issuer: Issuer, tmp_path: Path) -> None:
    token = issuer.mint().token
    verify(token, fetch=True)
    (tmp_path / "cache" / "jwks.json").write_text("{")
    ran = verify(token)
    assert ran.code == 6
    assert "--fetch" in ran.err


def test_unknown_binding_is_wrong_usage(verify: Verify, issuer: Issuer) -> None:
    assert verify(issuer.mint().token, "--require", "moon").code == 2


def test_tokens_and_keys_are_never_printed(verify: Verify, issuer: Issuer) -> None:
    token = issuer.mint().token
    for ran in (verify(token, fetch=True), verify(token + "x", fetch=True), verify(token, "--json")):
        assert token not in ran.out + ran.err
        assert OPERATOR_KEY not in ran.out + ran.err
