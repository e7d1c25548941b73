"""`clawscope token …` against a server that answers what is laid out."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest

from tests.unit.main.conftest import OPERATOR_KEY, Issuer, Laid, Ran

ISSUED = {
    "token": "h.p.s",
    "token_hash": "0" * 64,
    "token_lane": "legacy",
    "claims": {"scope": ["proxy:call"]},
    "migration_notice": "Move on.",
}
ISSUE = ("token", "issue", "--sub", "did:key:zA", "--aud", "https://a.example", "--scope", "proxy:call")


def sent(server: Laid) -> dict[str, object]:
    """The JSON body of the last request."""
    body: dict[str, object] = json.loads(server.asked[-1].body)
    return body


def test_issue_sends_what_was_asked_and_nothing_else(cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/tokens/issue", ISSUED)
    ran = cli(*ISSUE, "--ttl", "60", "--run", "run_1", "--url", server.base_url, "--key", OPERATOR_KEY)
    assert ran.code == 0
    assert sent(server) == {"sub": "did:key:zA", "aud": "https://a.example", "scope": ["proxy:call"], "ttl_sec": 60, "run_id": "run_1"}


def test_issue_with_owner_and_controller_takes_the_canonical_lane(cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/tokens/issue/canonical", ISSUED)
    ran = cli(*ISSUE, "--aud", "https://b.example", "--owner", "did:key:zO", "--controller", "did:key:zC", "--url", server.base_url)
    assert ran.code == 0
    assert sent(server)["aud"] == ["https://a.example", "https://b.example"]


def test_issue_quiet_prints_the_token_alone(cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/tokens/issue", ISSUED)
    assert cli(*ISSUE, "-q", "--url", server.base_url).out == "h.p.s\n"


def test_issue_json_is_the_answer(cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/tokens/issue", ISSUED)
    assert cli(*ISSUE, "--json", "--url", server.base_url).json == ISSUED


def test_issue_carries_the_idempotency_key(cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/tokens/issue", ISSUED)
    cli(*ISSUE, "--idempotency-key", "once", "--url", server.base_url)
    assert server.asked[-1].headers["idempotency-key"] == "once"


def test_refused_issue_tells_code_and_remedy_and_no_key(cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/tokens/issue", {"error": "TTL_TOO_LONG", "message": "Too long.", "fix": "at most 3600"}, 400)
    ran = cli(*ISSUE, "--url", server.base_url, "--key", OPERATOR_KEY)
    assert ran.code == 2
    assert "TTL_TOO_LONG" in ran.err
    assert "at most 3600" in ran.err
    assert OPERATOR_KEY not in ran.out + ran.err


def test_unreachable_server_ends_with_3(cli: Callable[..., Ran]) -> None:
    ran = cli(*ISSUE, "--url", "http://127.0.0.1:1")
    assert ran.code == 3
    assert "clawscope serve" in ran.err


def test_live_token_introspects_with_0(cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/tokens/introspect", {"active": True, "sub": "did:key:zA"})
    ran = cli("token", "introspect", "h.p.s", "--run", "run_1", "--url", server.base_url)
    assert ran.code == 0
    assert sent(server) == {"token": "h.p.s", "expect": {"run_id": "run_1"}}


def test_revoked_token_introspects_with_1(cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/tokens/introspect", {"active": False, "revoked": True})
    assert cli("token", "introspect", "h.p.s", "--url", server.base_url).code == 1


def test_bad_token_is_an_answer_with_1_and_its_code(cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/tokens/introspect", {"active": False, "error": "TOKEN_EXPIRED", "message": "Over."}, 401)
    ran = cli("token", "introspect", "h.p.s", "--url", server.base_url)
    assert ran.code == 1
    assert "TOKEN_EXPIRED" in ran.out


def test_refusal_to_introspect_is_2(cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/tokens/introspect", {"error": "RATE_LIMITED", "message": "Slow down."}, 429)
    assert cli("token", "introspect", "h.p.s", "--url", server.base_url).code == 2


def test_token_may_come_from_standard_input(cli: Callable[..., Ran], server: Laid, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer("POST /v1/tokens/introspect", {"active": True})
    monkeypatch.setattr("sys.stdin", io.StringIO("h.p.s\n"))
    cli("token", "introspect", "-", "--url", server.base_url)
    assert sent(server)["token"] == "h.p.s"


def test_revoke_by_hash_needs_no_token(cli: Callable[..., Ran], server: Laid) -> None:
    server.answer("POST /v1/tokens/revoke", {"status": "revoked", "known": True})
    ran = cli("token", "revoke", "--hash", "0" * 64, "--reason", "lost", "--family", "--url", server.base_url, "--key", OPERATOR_KEY)
    assert ran.code == 0
    assert sent(server) == {"token_hash": "0" * 64, "reason": "lost", "family": True}


@pytest.mark.parametrize("arguments", [(), ("h.p.s", "--jti", "x")])
def test_revoke_wants_exactly_one_name(cli: Callable[..., Ran], arguments: tuple[str, ...]) -> None:
    assert cli("token", "revoke", *arguments, "--url", "http://127.0.0.1:1").code == 2


def test_inspect_decodes_offline_and_says_it_verified_nothing(cli: Callable[..., Ran], issuer: Issuer) -> None:
    minted = issuer.mint()
    ran = cli("token", "inspect", minted.token)
    assert ran.code == 0
    assert "NOT VERIFIED" in ran.err
    assert minted.token_hash in ran.out
    found = cli("token", "inspect", minted.token, "--json").json
    assert (found["verified"], found["claims"]["sub"]) == (False, "did:key:zAgent")


def test_inspect_refuses_what_is_no_token_without_repeating_it(cli: Callable[..., Ran], issuer: Issuer) -> None:
    padded = issuer.mint().token + "="
    ran = cli("token", "inspect", padded)
    assert ran.code == 2
    assert "TOKEN_MALFORMED" in ran.err
    assert padded not in ran.out + ran.err
