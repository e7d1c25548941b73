"""Tell whether an issue would succeed now, and if not, everything that stands in its way (tokens.md §7). Mints and stores nothing."""

from __future__ import annotations

from typing import Any

import msgspec

from clawscope.issuer.domain import preflight
from clawscope.issuer.domain.caller import Caller
from clawscope.issuer.domain.decision import judge_locks
from clawscope.issuer.domain.grants import Grants, grants_of
from clawscope.issuer.domain.preflight import PreflightFields
from clawscope.issuer.domain.request import CANONICAL, LEGACY, Asked, FieldLimits, IssueFields, read_request
from clawscope.issuer.ports import Store, View
from clawscope.issuer.usecases.judge_request import JudgeRequest
from clawscope.kernel.codes import INVALID_REQUEST
from clawscope.kernel.principal import Principal
from clawscope.kernel.text import trimmed

_MOST_REASON = 2048
_DIMENSIONS = ("owner_did", "controller_did", "agent_did", "mission_id", "run_id", "job_id")


class Preflight:
    """The decision of an issue, told whole."""

    def __init__(self, judge: JudgeRequest, store: Store, view: View, limits: FieldLimits) -> None:
        self._judge = judge
        self._view = view
        self._store = store
        self._limits = limits

    async def __call__(self, caller: Caller, fields: PreflightFields) -> dict[str, Any]:
        """The body of §7. Raises 400 as an issue would for malformed fields, 502 and 503 for a failed dependency."""
        asked, grants = self.read(caller.principal, fields)
        judged = await self._judge(asked, grants, every=True)
        # Locks are rare: the watermark says whether there is one to read.
        known = await self._view.fresh()
        locks = await self._store.look(lambda work: list(work.locks.all())) if known.any_locks else []
        values = lock_values(asked, grants)
        held = [f"{lock.dimension}={lock.value}" for lock in locks if lock.holds(values)]
        denials = [*judged.denials, *judge_locks(values, locks)]
        return preflight.answer(asked, fields.reason, judged.ground, denials, judged.record, held)

    def read(self, principal: Principal, fields: PreflightFields) -> tuple[Asked, Grants]:
        """The request well-formed, a CST's own members filled in. Raises 400 refusals."""
        if fields.exp is not None:
            raise INVALID_REQUEST("exp: a preflight takes ttl_sec only")
        if not trimmed(fields.reason) or len(fields.reason) > _MOST_REASON:
            raise INVALID_REQUEST("reason: 1 to 2048 characters that say why")
        if fields.lane not in (LEGACY, CANONICAL):
            raise INVALID_REQUEST("lane: legacy or canonical")
        filled = _filled(principal, fields)
        asked = read_request(filled, fields.lane, self._limits).with_chain_default()
        return asked, _grants(principal)


def lock_values(asked: Asked, grants: Grants) -> list[tuple[str, str]]:
    """The cut-off dimensions a token of this request would have, with its values."""
    found = [(name, value) for name in _DIMENSIONS if (value := getattr(asked, name)) is not None]
    found += [(name, value) for name, value in (("client_id", grants.client_id), ("org_id", grants.org_id)) if value is not None]
    if asked.controller_did is not None and asked.agent_did is not None:
        found.append(("chain", f"{asked.controller_did} {asked.agent_did}"))
    return found


def _filled(principal: Principal, fields: PreflightFields) -> IssueFields:
    if principal.kind != "cst":
        return fields
    claims = principal.claims
    own = {name: claims[name] for name in ("sub", "aud", "owner_did", "controller_did", "agent_did") if name in claims}
    missing = {name: value for name, value in own.items() if not getattr(fields, name)}
    if isinstance(missing.get("aud"), tuple):
        missing["aud"] = list(missing["aud"])
    return msgspec.structs.replace(fields, **missing)


def _grants(principal: Principal) -> Grants:
    if principal.kind == "cst":
        return Grants(client_id=principal.claims.get("client_id"), org_id=principal.claims.get("org_id"))
    return grants_of(principal)
