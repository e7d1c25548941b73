"""When the store fails, nothing passes and nothing is half-done (tokens.md §2.2 step 12, §4.1, §4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pysqlite3
import pytest

from clawscope.kernel.clock import ManualClock
from clawscope.kernel.secret import Secret
from clawscope.main.app import NotReadyToStart, Options
from clawscope.protocol import b64u
from tests.http.client import Answer
from tests.http.serving import MakeServer, Served
from tests.http.tokens import LEGACY, introspect, legacy, request, revoke, token, unique


def hasty(answer: Answer) -> tuple[int, str]:
    """A refusal that says to retry within two seconds."""
    assert int(answer.headers["retry-after"]) <= 2
    return answer.refusal


@contextmanager
def unwritable(served: Served) -> Iterator[None]:
    """The store refuses every write while this lasts, as a disk gone read-only would."""
    pragma(served, "query_only=ON")
    yield
    pragma(served, "query_only=OFF")


def pragma(served: Served, text: str) -> None:
    """Set a pragma of the writer's one connection."""
    database: Any = served.application.database
    connection = database._writer_engine.raw_connection()
    connection.driver_connection.execute(f"PRAGMA {text}")
    connection.close()


def tamper(served: Served, *statements: str) -> None:
    """Change the store behind the server's back (through the library it uses: two libraries in one process break its locks)."""
    connection = pysqlite3.connect(str(served.data / "clawscope.db"))
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_unwritable_store_issues_and_revokes_nothing(make_server: MakeServer) -> None:
    served = make_server()
    text = token(served)
    run = unique("run")
    with unwritable(served):
        assert hasty(legacy(served, run_id=run)) == (503, "STORE_UNAVAILABLE")
        assert hasty(revoke(served, token=text)) == (503, "STORE_UNAVAILABLE")
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": text,
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}  # fmt: skip
        assert served.anyone.call("POST", "/oauth2/token", form=form).oauth == (503, "temporarily_unavailable", "STORE_UNAVAILABLE")
    assert introspect(served, text).ok()["active"] is True
    assert served.operator.get("/v1/audit/issuance", run_id=run).ok()["events"] == []
    assert revoke(served, token=text).ok()["status"] == "revoked"


def test_full_store_says_so_and_recovers(make_server: MakeServer) -> None:
    served = make_server()
    text = token(served)
    pragma(served, "max_page_count=1")
    refused = None
    for _ in range(400):
        refused = legacy(served, mission_id="m" * 256, owner_ref="o" * 256)
        if refused.status != 200:
            break
    assert refused is not None
    assert refused.refusal == (507, "STORE_FULL")
    assert introspect(served, text).ok()["active"] is True
    pragma(served, "max_page_count=1073741823")
    assert legacy(served).status == 200


def test_unreadable_revocation_state_is_never_a_pass(make_server: MakeServer) -> None:
    served = make_server()
    text = token(served)
    assert introspect(served, text).ok()["active"] is True
    tamper(served, "ALTER TABLE sequences RENAME TO hidden")
    try:
        answer = introspect(served, text)
        assert hasty(answer) == (503, "REVOCATION_UNAVAILABLE")
        assert answer.json["active"] is False
        assert hasty(served.anyone.post("/v1/tokens/introspect/matrix", {"token": text})) == (503, "REVOCATION_UNAVAILABLE")
        assert served.operator.call("POST", "/oauth2/introspect", form={"token": text}).oauth == (
            503,
            "temporarily_unavailable",
            "REVOCATION_UNAVAILABLE",
        )
    finally:
        tamper(served, "ALTER TABLE hidden RENAME TO sequences")
    assert introspect(served, text).ok()["active"] is True


def test_store_behind_the_process_is_never_a_pass(make_server: MakeServer) -> None:
    served = make_server()
    text = token(served)
    revoke(served, token=token(served)).ok()
    tamper(served, "UPDATE sequences SET value = 0 WHERE name = 'revocations'")
    assert hasty(introspect(served, text)) == (503, "REVOCATION_UNAVAILABLE")


def test_refused_request_under_a_key_leaves_the_key_free(make_server: MakeServer) -> None:
    served = make_server()
    headers = {"Idempotency-Key": unique("key")}
    with unwritable(served):
        assert served.operator.call("POST", LEGACY, request(), headers=headers).refusal == (503, "STORE_UNAVAILABLE")
    assert served.operator.call("POST", LEGACY, request(), headers=headers).status == 200


def configured(seed: bytes, **more: Any) -> dict[str, Any]:
    """Key settings with keys from configuration."""
    held = {
        "keys.signing_key": Secret(b64u.encode(seed * 32)),
        "keys.statement_key": Secret(b64u.encode(b"s" * 32)),
        "keys.master_key": None,
    }
    return {**held, **more}


def test_issuer_whose_only_key_was_revoked_is_not_configured(make_server: MakeServer) -> None:
    served = make_server(configured(b"k"))
    text = token(served)
    served.operator.post(f"/v1/keys/{served.signer[0]}/revoke", {"reason": "leak"}).ok()
    assert hasty(legacy(served)) == (503, "SIGNING_NOT_CONFIGURED")
    assert introspect(served, text).refusal == (401, "TOKEN_KID_EXPIRED")
    assert served.anyone.get("/health").ok()["signingEnabled"] is False
    assert served.anyone.get("/ready").status == 503


def test_configured_key_that_waits_for_its_publication_is_not_ready(make_server: MakeServer) -> None:
    first = make_server(configured(b"k"), clock=ManualClock())
    text = token(first)
    first.stop()
    second = make_server(configured(b"n", **{"keys.allow_unpublished": False}), clock=ManualClock(), data=first.data)
    assert hasty(legacy(second)) == (503, "SIGNING_NOT_READY")
    assert introspect(second, text).status in (200, 401)


def test_clock_behind_the_store_stops_the_start_unless_confirmed(make_server: MakeServer) -> None:
    served = make_server(clock=ManualClock(1_900_000_000))
    token(served)
    served.stop()
    with pytest.raises(AssertionError, match="did not start"):
        make_server(data=served.data, clock=ManualClock(1_900_000_000 - 100))
    assert legacy(make_server(data=served.data, clock=ManualClock(1_900_000_000 - 50))).status == 200
    confirmed = make_server(data=served.data, clock=ManualClock(1_900_000_000 - 1000), options=Options(dev=True, clock_confirmed=True))
    assert confirmed.anyone.get("/ready").ok()["ready"] is True


def test_unmigrated_store_stops_the_start(make_server: MakeServer, tmp_path: Path) -> None:
    assert issubclass(NotReadyToStart, RuntimeError)
    with pytest.raises(AssertionError, match="did not start"):
        make_server(data=tmp_path)


def test_fault_15_failing_side_table_undoes_the_revoke_whole(make_server: MakeServer) -> None:
    served = make_server()
    text = token(served)
    tamper(served, "ALTER TABLE outbox RENAME TO hidden")
    assert hasty(revoke(served, token=text)) == (503, "STORE_UNAVAILABLE")
    assert hasty(legacy(served)) == (503, "STORE_UNAVAILABLE")
    assert introspect(served, text).ok()["active"] is True
    # A refusal stands although its event cannot be written.
    assert legacy(served, ttl_sec=99_999).refusal == (400, "TTL_TOO_LONG")
    tamper(served, "ALTER TABLE hidden RENAME TO outbox")
    done = revoke(served, token=text).ok()
    assert (done["status"], done["sequence"]) == ("revoked", 1)
