"""Routes that revoke, cut off, and tell of it (tokens.md §4)."""

from __future__ import annotations

from typing import Any

import msgspec

from clawscope.infra.http.call import NO_STORE, Call, Reply, StreamReply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.infra.http.needs import protected
from clawscope.issuer.adapters import wire
from clawscope.issuer.adapters.denials import Denials
from clawscope.issuer.adapters.follow import Followers
from clawscope.issuer.adapters.replies import about_token, caller_of
from clawscope.issuer.domain import errors, events
from clawscope.issuer.domain.code_lists import PROTECTED_CODES, STORE_CODES
from clawscope.issuer.usecases.cut_off import CutOffSubjects
from clawscope.issuer.usecases.read_feed import ReadFeed
from clawscope.issuer.usecases.revoke_token import RevokeToken
from clawscope.kernel.codes import INVALID_CURSOR, INVALID_QUERY, NOT_FOUND
from clawscope.kernel.page import clamp

REVOKE = protected("control:token:revoke", "control:token:issue_sensitive", transition="token.revoke")
FEED = protected("control:audit:read", "control:revocations:read")
_MOST_WAIT_S = 25


class RevocationRoutes:
    """The handlers."""

    def __init__(self, revoke: RevokeToken, cut: CutOffSubjects, feed: ReadFeed, followers: Followers, denials: Denials) -> None:
        self._revoke = revoke
        self._cut = cut
        self._feed = feed
        self._followers = followers
        self._denials = denials

    async def revoke(self, call: Call) -> Reply:
        """`POST /v1/tokens/revoke`."""
        body: wire.RevokeBody = call.body
        answer = await self._revoke(
            caller_of(call), token=body.token, token_hash=body.token_hash, jti=body.jti, reason=body.reason, family=body.family
        )
        if answer.status == "revoked":
            self._denials.metrics.token_revoked()
        return about_token({name: value for name, value in msgspec.structs.asdict(_as_body(answer)).items() if value is not None})

    async def cut_off(self, call: Call) -> Reply:
        """`POST /v1/revocations/cutoffs`."""
        body: wire.CutOffBody = call.body
        if call.query.dry_run:
            return about_token({"live_tokens": await self._cut.dry_run(caller_of(call), body.dimension, body.value)})
        return about_token(await self._cut(caller_of(call), body.dimension, body.value, body.reason, lock=body.lock))

    async def lift(self, call: Call) -> Reply:
        """`DELETE /v1/revocations/cutoffs/{cutoff_id}`."""
        await self._cut.lift(caller_of(call), call.params["cutoff_id"])
        return about_token({"status": "lifted", "cutoff_id": call.params["cutoff_id"]})

    async def events(self, call: Call) -> Reply:
        """`GET /v1/revocations/events`."""
        return about_token(await self._feed.events(call.principal, clamp(call.query.limit), call.query.cursor))

    async def stream(self, call: Call) -> Reply | StreamReply:
        """`GET /v1/revocations/stream`: a page, a long poll, or Server-Sent Events."""
        query: wire.StreamQuery = call.query
        _judge_position(query)
        if "text/event-stream" in (call.header("Accept") or ""):
            pieces = await self._followers.follow(call, _start(call, query))
            return StreamReply(pieces, "text/event-stream", headers={**NO_STORE, "X-Accel-Buffering": "no"})
        if query.since is None:
            return about_token(await self._feed.newest(call.principal, clamp(query.limit), query.cursor))
        page = await self._feed.since(call.principal, query.since, clamp(query.limit))
        if not page["events"] and query.wait_s:
            await self._followers.wait_beyond(query.since, query.wait_s)
            page = await self._feed.since(call.principal, query.since, clamp(query.limit))
        return about_token(page)

    async def snapshot(self, call: Call) -> Reply:
        """`GET /v1/revocations/snapshot`."""
        return about_token(await self._feed.snapshot(call.principal))

    def endpoints(self) -> list[Endpoint]:
        """What is served."""
        refused = self._denials.recorded(events.ACCESS_DENIED)
        shared: dict[str, Any] = {"tag": "revocations", "refused": refused}
        writes = (*PROTECTED_CODES, *STORE_CODES, errors.REVOKE_NOT_ALLOWED)
        return [
            Endpoint("POST", "/v1/tokens/revoke", self.revoke, REVOKE, "Revoke a token", body=wire.RevokeBody,
                     answers={200: wire.RevokedBody},
                     refusals=(*writes, errors.INVALID_TOKEN, errors.INVALID_TOKEN_HASH), idempotent=True, **shared),
            Endpoint("POST", "/v1/revocations/cutoffs", self.cut_off, REVOKE, "Cut off every token of a claim value",
                     body=wire.CutOffBody,
                     query=wire.DryRunQuery, answers={200: wire.CutOffAnswerBody}, refusals=(*writes,
                     errors.CUTOFF_DIMENSION_UNKNOWN), idempotent=True, **shared),
            Endpoint("DELETE", "/v1/revocations/cutoffs/{cutoff_id}", self.lift, REVOKE, "Lift the lock of a cut-off",
                     answers={200: wire.LiftedBody},
                     refusals=(*writes, NOT_FOUND), idempotent=True, **shared),
            Endpoint("GET", "/v1/revocations/events", self.events, FEED, "List revocations, newest first", query=wire.PageQuery,
                     answers={200: wire.ListBody},
                     refusals=(*PROTECTED_CODES, INVALID_CURSOR), **shared),
            Endpoint("GET", "/v1/revocations/stream", self.stream, FEED, "Follow revocations", query=wire.StreamQuery,
                     answers={200: wire.StreamBody},
                     refusals=(*PROTECTED_CODES, INVALID_CURSOR, errors.REVOCATION_SEQUENCE_AHEAD, errors.TOO_MANY_SUBSCRIBERS),
                     **shared),
            Endpoint("GET", "/v1/revocations/snapshot", self.snapshot, FEED, "All that may still hit a live token, signed",
                     answers={200: wire.SnapshotBody},
                     refusals=PROTECTED_CODES, **shared),
        ]  # fmt: skip


def _as_body(answer: Any) -> wire.RevokedBody:
    return msgspec.convert(answer, wire.RevokedBody, from_attributes=True)


def _judge_position(query: wire.StreamQuery) -> None:
    if query.since is None and query.wait_s is not None:
        raise INVALID_QUERY("wait_s goes with since")
    if query.since is not None and query.cursor is not None:
        raise INVALID_QUERY("since and cursor exclude each other", fix="go on with the last sequence as since")
    if (query.since or 0) < 0 or not 0 <= (query.wait_s or 0) <= _MOST_WAIT_S:
        raise INVALID_QUERY(f"since is 0 or more, wait_s 0 to {_MOST_WAIT_S}")


def _start(call: Call, query: wire.StreamQuery) -> int | None:
    last = call.header("Last-Event-ID")
    if last is None:
        return query.since
    if not (last.isascii() and last.isdigit() and len(last) <= 18):
        raise INVALID_QUERY("Last-Event-ID is a sequence")
    return int(last)
