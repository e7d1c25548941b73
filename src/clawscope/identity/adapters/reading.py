"""Members as identity takes them: identifiers trimmed and not blank, signatures and nonces untouched (identity.md §1)."""

from __future__ import annotations

from typing import Any

from clawscope.identity.domain.signing import fits_grammar
from clawscope.identity.usecases.presenting import Signed
from clawscope.infra.http.call import Call
from clawscope.kernel.codes import INVALID_REQUEST
from clawscope.kernel.text import trimmed


def named(body: Any, name: str) -> str:
    """A required identifier. Raises `INVALID_REQUEST` naming it when blank."""
    value = trimmed(getattr(body, name))
    if not value:
        raise INVALID_REQUEST(f"{name}: is blank")
    return value


def named_if_sent(body: Any, name: str) -> str | None:
    """An optional identifier; sent blank it is refused like a required one."""
    return None if getattr(body, name) is None else named(body, name)


def did_of(body: Any, name: str) -> str:
    """A DID that need only fit the grammar. Raises `INVALID_REQUEST`."""
    value = named(body, name)
    if not fits_grammar(value):
        raise INVALID_REQUEST(f"{name}: is not a DID of at most 256 characters")
    return value


def exact(body: Any, name: str) -> str:
    """A signature, never trimmed. Raises `INVALID_REQUEST` when blank."""
    value: str = getattr(body, name)
    if not trimmed(value):
        raise INVALID_REQUEST(f"{name}: is blank")
    return value


def signed_of(body: Any) -> Signed:
    """Who signs which challenge."""
    subject: str | None = getattr(body, "subject_signature_b64u", None)
    return Signed(named(body, "owner_did"), named(body, "challenge_id"), exact(body, "signature_b64u"), subject)


def path_did(call: Call, name: str) -> str:
    """A DID of the path, decoded once by the router and trimmed."""
    return trimmed(call.params[name])
