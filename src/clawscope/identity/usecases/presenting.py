"""SIG: how every signed call presents its challenge (identity.md §3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clawscope.identity.domain import errors
from clawscope.identity.domain.challenge import Challenge
from clawscope.identity.domain.records import OWNER_ONLY, SIGNED
from clawscope.identity.domain.signing import check_signature
from clawscope.identity.ports import Work
from clawscope.kernel.errors import Code


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signs which challenge; the subject's own signature over the same message is optional."""

    owner_did: str
    challenge_id: str
    signature_b64u: str
    subject_signature_b64u: str | None = None


def remembered(work: Work, challenge_id: str, now: int) -> Challenge:
    """The challenge, unless spent, unknown or long past. Raises `CHALLENGE_NOT_FOUND`."""
    found = work.challenges.get(challenge_id)
    if found is None or not found.is_remembered(now):
        raise errors.CHALLENGE_NOT_FOUND("ask for a challenge; each is good once")
    return found


def presented(
    work: Work, signed: Signed, purpose: str, fields: Mapping[str, Any], now: int, also: Callable[[Challenge], None] | None = None
) -> Challenge:
    """The challenge a signed call presents, judged up to OWNER; the caller's own checks follow, then `check_signed`.

    `also` is a further look at what the challenge was made for.

    (1) `CHALLENGE_NOT_FOUND`, (2) `CHALLENGE_PURPOSE_MISMATCH`, (3) `CHALLENGE_CONTEXT_MISMATCH`, (4) `CHALLENGE_EXPIRED`,
    (5) `OWNER_BINDING_REQUIRED`.
    """
    challenge = remembered(work, signed.challenge_id, now)  # 1
    if challenge.purpose != purpose:  # 2
        raise errors.CHALLENGE_PURPOSE_MISMATCH(f"this needs a challenge of purpose {purpose}")
    if not challenge.is_for(signed.owner_did, fields):  # 3
        raise errors.CHALLENGE_CONTEXT_MISMATCH("the request differs from what the challenge was made for")
    if also is not None:
        also(challenge)
    refuse_expired(challenge, now)  # 4
    require_bound(work, signed.owner_did, errors.OWNER_BINDING_REQUIRED)  # 5
    return challenge


def refuse_expired(challenge: Challenge, now: int) -> None:
    """Raises `CHALLENGE_EXPIRED`."""
    if challenge.is_expired(now):
        raise errors.CHALLENGE_EXPIRED("ask for a new challenge")


def require_bound(work: Work, did: str, code: Code) -> None:
    """Raises the code unless the DID is bound now."""
    binding = work.bindings.get(did)
    if binding is None or not binding.active:
        raise code("bind this DID first")


def check_signed(challenge: Challenge, signed: Signed) -> None:
    """Raises `UNSUPPORTED_DID`, `INVALID_DID`, `SIGNATURE_INVALID`."""
    check_signature(signed.owner_did, challenge.message, signed.signature_b64u)


def consent_of(challenge: Challenge, signed: Signed, subject_did: str, *, required: bool) -> str:
    """`signed` if the subject signed the same message, else `owner_only`. Raises `SIGNATURE_INVALID`, `SUBJECT_CONSENT_REQUIRED`."""
    if signed.subject_signature_b64u is not None:
        check_signature(subject_did, challenge.message, signed.subject_signature_b64u)
        return SIGNED
    if required:
        raise errors.SUBJECT_CONSENT_REQUIRED("send subject_signature_b64u: the subject's signature over the same message")
    return OWNER_ONLY


def spend(work: Work, challenge: Challenge) -> None:
    """Spend the challenge in this transaction: of parallel uses one succeeds. Raises `CHALLENGE_NOT_FOUND`."""
    if not work.challenges.spend(challenge.challenge_id):
        raise errors.CHALLENGE_NOT_FOUND("this challenge was spent a moment ago")
