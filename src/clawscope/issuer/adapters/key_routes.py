"""Routes that move keys and answer for the feed's reach (keys.md §3, §5, §6, §7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from clawscope.infra.http.call import NO_STORE, Call, Reply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.infra.http.needs import protected
from clawscope.issuer.adapters import key_wire as wire
from clawscope.issuer.adapters.denials import Refused
from clawscope.issuer.domain import key_errors as errors
from clawscope.issuer.domain.code_lists import PROTECTED_CODES, STORE_CODES
from clawscope.issuer.domain.errors import REVOCATION_SEQUENCE_AHEAD
from clawscope.issuer.usecases.keys.acknowledge import Acknowledge
from clawscope.issuer.usecases.keys.activate_key import ActivateKey
from clawscope.issuer.usecases.keys.import_verify_key import ImportVerifyKey
from clawscope.issuer.usecases.keys.prepare_key import PrepareKey
from clawscope.issuer.usecases.keys.read_history import ReadHistory
from clawscope.issuer.usecases.keys.read_keys import ReadKeys
from clawscope.issuer.usecases.keys.report_slo import ReportSlo
from clawscope.issuer.usecases.keys.retire_key import RetireKey
from clawscope.issuer.usecases.keys.revoke_key import RevokeKey
from clawscope.issuer.usecases.keys.rotate_key import RotateKey
from clawscope.kernel.codes import INVALID_CURSOR
from clawscope.kernel.principal import Principal
from clawscope.protocol.codes import SIGNING_NOT_CONFIGURED

READ = protected("control:audit:read")
MOVE = protected("control:key:rotate", "control:token:issue_sensitive", transition="key.rotate")
FEED = protected("control:audit:read", "control:revocations:read")
_CHANGING = (*PROTECTED_CODES, *STORE_CODES, errors.SIGNING_CONFIG_INVALID, SIGNING_NOT_CONFIGURED)
_MANAGED = (*_CHANGING, errors.KEYS_READ_ONLY)
_MATERIAL = (errors.KEY_INVALID, errors.KID_TAKEN)


@dataclass(frozen=True, slots=True)
class KeyUseCases:
    """What can be done with keys."""

    prepare: PrepareKey
    rotate: RotateKey
    activate: ActivateKey
    retire: RetireKey
    revoke: RevokeKey
    import_verify: ImportVerifyKey
    keys: ReadKeys
    history: ReadHistory
    slo: ReportSlo
    acknowledge: Acknowledge


class KeyRoutes:
    """The handlers."""

    def __init__(self, use: KeyUseCases) -> None:
        self._use = use

    async def keys(self, call: Call) -> Reply:
        """`GET /v1/keys`."""
        return Reply({"keys": await self._use.keys.keys(call.query.purpose)}, headers=NO_STORE)

    async def prepare(self, call: Call) -> Reply:
        """`POST /v1/keys/prepare`."""
        body: wire.PrepareBody = call.body
        if call.query.dry_run:
            return _plan(await self._use.prepare.dry_run(body.purpose, body.kid))
        return _done(await self._use.prepare(call.principal.credential, body.purpose, body.kid, body.reason), 201)

    async def rotate(self, call: Call) -> Reply:
        """`POST /v1/keys/rotate`."""
        if call.query.dry_run:
            return _plan(await self._use.rotate.dry_run(call.body.purpose))
        return _done(await self._use.rotate(call.principal.credential, call.body.purpose, call.body.reason), 202)

    async def activate(self, call: Call) -> Reply:
        """`POST /v1/keys/{kid}/activate`."""
        if call.query.dry_run:
            return _plan(await self._use.activate.dry_run(call.params["kid"]))
        return _done(await self._use.activate(call.principal.credential, call.params["kid"], call.body.reason))

    async def retire(self, call: Call) -> Reply:
        """`POST /v1/keys/{kid}/retire`."""
        if call.query.dry_run:
            return _plan(await self._use.retire.dry_run(call.params["kid"]))
        return _done(await self._use.retire(call.principal.credential, call.params["kid"], call.body.reason))

    async def revoke(self, call: Call) -> Reply:
        """`POST /v1/keys/{kid}/revoke`."""
        if call.query.dry_run:
            moves, live_tokens = await self._use.revoke.dry_run(call.params["kid"])
            return _plan(moves, live_tokens=live_tokens)
        return _done(await self._use.revoke(call.principal.credential, call.params["kid"], call.body.reason))

    async def import_verify(self, call: Call) -> Reply:
        """`POST /v1/keys/import`."""
        body: wire.ImportBody = call.body
        return _done(await self._use.import_verify(call.principal.credential, body.x, body.not_after_unix, body.kid, body.reason), 201)

    async def history(self, call: Call) -> Reply:
        """`GET /v1/keys/transparency/history`."""
        query: wire.HistoryQuery = call.query
        return Reply(await self._use.history.page(query.limit, query.cursor, query.since), headers=NO_STORE)

    async def snapshot(self, _call: Call) -> Reply:
        """`POST /v1/keys/transparency/snapshot`."""
        return Reply({"status": "snapshot_created", "snapshot": await self._use.history.snapshot()}, headers=NO_STORE)

    async def acknowledge(self, call: Call) -> Reply:
        """`POST /v1/revocations/ack`."""
        body: wire.AckBody = call.body
        holder = holder_of(call.principal)
        return _done(await self._use.acknowledge(holder, body.node_id, body.kind, body.applied_sequence, leaving=body.leaving))

    async def slo(self, call: Call) -> Reply:
        """`GET /v1/reports/revocation-slo`."""
        return Reply(await self._use.slo(call.query.window_hours, persist=call.query.persist), headers=NO_STORE)


def holder_of(principal: Principal) -> str:
    """Whose node it is: a short-lived token is renewed, so its subject stands for it."""
    return f"cst:{principal.subject}" if principal.kind == "cst" else principal.credential


def key_routes(use: KeyUseCases, refused: Refused | None = None) -> list[Endpoint]:
    """The protected key routes; `refused` is told of every refusal."""
    routes = KeyRoutes(use)
    plain: dict[str, Any] = {"tag": "keys", "refused": refused}
    moves: dict[str, Any] = {**plain, "query": wire.MoveQuery, "idempotent": True}
    return [*_set_routes(routes, plain, moves), *_key_routes(routes, {**moves, "body": wire.ReasonBody}), *_report_routes(routes, plain)]


def _set_routes(routes: KeyRoutes, plain: dict[str, Any], moves: dict[str, Any]) -> list[Endpoint]:
    rotating = (*_MANAGED, errors.KEY_INVALID, errors.KEY_ROTATION_IN_PROGRESS)
    return [
        Endpoint("GET", "/v1/keys", routes.keys, READ, "List keys and their states", query=wire.KeysQuery, answers={200: wire.KeysBody},
                 refusals=(*PROTECTED_CODES, errors.SIGNING_CONFIG_INVALID), **plain),
        Endpoint("POST", "/v1/keys/prepare", routes.prepare, MOVE, "Make and publish a key", body=wire.PrepareBody,
                 answers={201: wire.PreparedBody, 200: wire.PlanBody}, refusals=(*_MANAGED, *_MATERIAL), **moves),
        Endpoint("POST", "/v1/keys/rotate", routes.rotate, MOVE, "Replace a key once its successor is published", body=wire.RotateBody,
                 answers={202: wire.RotatingBody, 200: wire.PlanBody}, refusals=rotating, **moves),
        Endpoint("POST", "/v1/keys/import", routes.import_verify, MOVE, "Accept a former key until its cut-off", body=wire.ImportBody,
                 answers={201: wire.ImportedBody}, refusals=(*_MANAGED, *_MATERIAL), idempotent=True, **plain),
    ]  # fmt: skip


def _key_routes(routes: KeyRoutes, moves: dict[str, Any]) -> list[Endpoint]:
    found = (errors.KEY_NOT_FOUND, errors.KEY_STATE_CONFLICT)
    activating = (*_MANAGED, *found, errors.KEY_NOT_READY, errors.KEY_LOG_UNAVAILABLE)
    return [
        Endpoint("POST", "/v1/keys/{kid}/activate", routes.activate, MOVE, "Let a published key sign",
                 answers={200: wire.ActivatedBody}, refusals=activating, **moves),
        Endpoint("POST", "/v1/keys/{kid}/retire", routes.retire, MOVE, "Take a key out of use",
                 answers={200: wire.RetiredBody}, refusals=(*_MANAGED, *found, errors.KEY_STILL_NEEDED), **moves),
        Endpoint("POST", "/v1/keys/{kid}/revoke", routes.revoke, MOVE, "Withdraw a key in an emergency",
                 answers={200: wire.RevokedKeyBody}, refusals=(*_CHANGING, *found), **moves),
    ]  # fmt: skip


def _report_routes(routes: KeyRoutes, plain: dict[str, Any]) -> list[Endpoint]:
    paging = (*PROTECTED_CODES, INVALID_CURSOR, errors.KEY_TRANSPARENCY_UNAVAILABLE)
    return [
        Endpoint("GET", "/v1/keys/transparency/history", routes.history, READ, "Page through the key log", query=wire.HistoryQuery,
                 answers={200: wire.HistoryBody}, refusals=paging, **plain),
        Endpoint("POST", "/v1/keys/transparency/snapshot", routes.snapshot, MOVE, "Append a key snapshot",
                 answers={200: wire.SnapshotMadeBody}, refusals=(*_CHANGING, errors.KEY_TRANSPARENCY_UNAVAILABLE),
                 idempotent=True, **plain),
        Endpoint("POST", "/v1/revocations/ack", routes.acknowledge, FEED, "Tell what a verifier node has applied", body=wire.AckBody,
                 answers={200: wire.AckedBody}, refusals=(*PROTECTED_CODES, *STORE_CODES, REVOCATION_SEQUENCE_AHEAD), **plain),
        Endpoint("GET", "/v1/reports/revocation-slo", routes.slo, READ, "Report how fast revocations reach verifiers", query=wire.SloQuery,
                 answers={200: wire.SloReportBody}, refusals=(*PROTECTED_CODES, errors.REVOCATION_SLO_REPORT_FAILED), **plain),
    ]  # fmt: skip


def _done(result: Any, status: int = 200) -> Reply:
    shown = {name: value for name, value in msgspec.to_builtins(result).items() if value is not None}
    return Reply(shown, status, NO_STORE)


def _plan(moves: list[dict[str, Any]], **more: Any) -> Reply:
    return Reply({"dry_run": True, "moves": moves, **more}, headers=NO_STORE)
