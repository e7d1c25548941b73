"""Does this token fit this request? Audience, scopes, run, job, mission and policy pin: one pure function for all (tokens.md §3.2)."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from clawscope.kernel.text import trimmed
from clawscope.protocol import b64u, codes
from clawscope.protocol.claims import Claims, audiences
from clawscope.protocol.scope import any_covers
from clawscope.protocol.verdict import ALLOWED, Allowed, Denied

_HEX64 = re.compile(r"[0-9a-fA-F]{64}")


class Expectation(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a request states about the token it brings; absent members are not looked at, a given empty `aud` admits nobody."""

    aud: list[str] | None = None
    scope: list[str] | None = None
    run_id: str | None = None
    job_id: str | None = None
    mission_id: str | None = None
    policy_hash_b64u: str | None = None
    require: list[Literal["run_id", "job_id", "policy_hash_b64u"]] | None = None


def expectation_from_headers(run_id: str | None, job_id: str | None, policy_hash: str | None) -> Expectation:
    """The expectation of `X-Run-Id`, `X-Job-Id` and `X-Policy-Hash`; a blank header states nothing."""
    return Expectation(run_id=_stated(run_id), job_id=_stated(job_id), policy_hash_b64u=_stated(policy_hash))


def check(claims: Claims, expect: Expectation) -> Allowed | Denied:
    """The first failure in the frozen order of §3.2, with `field` set; depends on nothing but its inputs.

    1. audience and scope. 2. run. 3. job. 4. required bindings. 5. mission. 6. policy pin.
    """
    return (
        _judge_reach(claims, expect)  # 1
        or _judge_run(claims, expect)  # 2
        or _judge_job(claims, expect)  # 3
        or _judge_required(claims, expect)  # 4
        or _judge_mission(claims, expect)  # 5
        or _judge_pin(claims, expect)  # 6
        or ALLOWED
    )


def same_policy_hash(stated: str, pinned: str) -> bool:
    """Whether two policy hashes, each hex-64 or base64url, are the same bytes; a text that is neither matches nothing."""
    left, right = _hash_bytes(stated), _hash_bytes(pinned)
    return left is not None and left == right


def _judge_reach(claims: Claims, expect: Expectation) -> Denied | None:
    if expect.aud is not None and not any(one in expect.aud for one in audiences(claims)):
        return Denied(codes.TOKEN_AUD_MISMATCH, field="aud")
    if expect.scope is not None and not all(any_covers(claims.scope, wanted) for wanted in expect.scope):
        return Denied(codes.TOKEN_INSUFFICIENT_SCOPE, field="scope")
    return None


def _judge_run(claims: Claims, expect: Expectation) -> Denied | None:
    if claims.run_id is None or claims.run_id == expect.run_id:
        return None
    code = codes.TOKEN_RUN_REQUIRED if expect.run_id is None else codes.TOKEN_RUN_MISMATCH
    return Denied(code, field="run_id")


def _judge_job(claims: Claims, expect: Expectation) -> Denied | None:
    if claims.job_id is None or claims.job_id == expect.job_id:
        return None
    code = codes.TOKEN_JOB_REQUIRED if expect.job_id is None else codes.TOKEN_JOB_MISMATCH
    return Denied(code, field="job_id")


def _judge_required(claims: Claims, expect: Expectation) -> Denied | None:
    required = expect.require or ()
    if "run_id" in required and claims.run_id is None:
        return Denied(codes.TOKEN_BINDING_MISSING, field="run_id")
    if "job_id" in required and claims.job_id is None:
        return Denied(codes.TOKEN_BINDING_MISSING, field="job_id")
    return None


def _judge_mission(claims: Claims, expect: Expectation) -> Denied | None:
    if expect.mission_id is not None and expect.mission_id != claims.mission_id:
        return Denied(codes.TOKEN_MISSION_MISMATCH, field="mission_id")
    return None


def _judge_pin(claims: Claims, expect: Expectation) -> Denied | None:
    pin, stated = claims.policy_hash_b64u, expect.policy_hash_b64u
    if stated is not None and pin is not None and not same_policy_hash(stated, pin):
        return Denied(codes.TOKEN_POLICY_MISMATCH, field="policy_hash_b64u")
    if pin is None and "policy_hash_b64u" in (expect.require or ()):
        return Denied(codes.TOKEN_POLICY_MISSING, field="policy_hash_b64u")
    return None


def _hash_bytes(text: str) -> bytes | None:
    if _HEX64.fullmatch(text):
        return bytes.fromhex(text)
    if not b64u.is_hash43(text):
        return None
    try:
        return b64u.decode(text)
    except ValueError:
        return None


def _stated(header: str | None) -> str | None:
    return trimmed(header) or None if header is not None else None
