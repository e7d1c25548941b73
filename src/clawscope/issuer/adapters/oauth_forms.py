"""Reading the forms of `/oauth2/token` (RFC 6749, RFC 8693)."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from clawscope.issuer.adapters.oauth_wire import TokenForm
from clawscope.issuer.domain import errors
from clawscope.issuer.domain.exchange import Narrowing
from clawscope.issuer.usecases.grant_client import ClientAsk
from clawscope.kernel.codes import INVALID_REQUEST
from clawscope.kernel.money import dollars_to_micros
from clawscope.kernel.text import has_controls, is_printable_ascii, trimmed
from clawscope.protocol import b64u
from clawscope.protocol import scope as scopes

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
CLIENT_CREDENTIALS = "client_credentials"
TOKEN_TYPES = frozenset({"urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:access_token"})


def narrowing(form: TokenForm) -> Narrowing:
    """What an exchange asks of the child. Raises the 400 codes of single members."""
    return Narrowing(
        scope=_scope(form.scope),
        audience=_audience(form),
        expires_in=_seconds(form.expires_in),
        spend_micros=_micros(form.spend_cap),
        run_id=_bound("run_id", form.run_id, 128, ascii_only=True),
        job_id=_bound("job_id", form.job_id, 128, ascii_only=True),
        mission_id=_bound("mission_id", form.mission_id, 256, ascii_only=False),
        policy_hash_b64u=_hash(form.policy_hash_b64u),
    )


def client_ask(form: TokenForm) -> ClientAsk:
    """What a client-credentials request asks. Raises `INVALID_REQUEST`, `SCOPE_INVALID`, and the codes of single members."""
    scope, audience = _scope(form.scope), _audience(form)
    if scope is None or audience is None:
        raise INVALID_REQUEST("scope and audience are required")
    more: dict[str, Any] = {
        name: getattr(form, name)
        for name in ("agent_did", "owner_did", "controller_did", "mission_id", "run_id", "job_id", "policy_hash_b64u")
    }
    if form.spend_cap is not None:
        more["spend_cap"] = _decimal(form.spend_cap)
    if form.expires_in is not None:
        more["ttl_sec"] = _seconds(form.expires_in)
    return ClientAsk(scope, audience, more)


def judge_exchange(form: TokenForm) -> None:
    """The types RFC 8693 asks for. Raises `INVALID_REQUEST`, `UNSUPPORTED_TOKEN_TYPE`."""
    if form.subject_token is None or form.subject_token_type is None:
        raise INVALID_REQUEST("subject_token and subject_token_type are required")
    if (form.actor_token is None) != (form.actor_token_type is None) and form.actor_token is None:
        raise INVALID_REQUEST("actor_token_type goes with actor_token")
    for given in (form.subject_token_type, form.actor_token_type, form.requested_token_type):
        if given is not None and given not in TOKEN_TYPES:
            raise errors.UNSUPPORTED_TOKEN_TYPE("token types are …:jwt or …:access_token")
    others = (form.agent_did, form.owner_did, form.controller_did)
    if any(value is not None for value in others):
        raise INVALID_REQUEST("an exchange copies the chain; leave agent_did, owner_did and controller_did out")


def _scope(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    parts = tuple(dict.fromkeys(part for part in text.split(" ") if part))
    if not parts or not all(scopes.is_scope_text(part) and scopes.wildcard_is_well_placed(part) and len(part) <= 256 for part in parts):
        raise errors.SCOPE_INVALID("scope", fix="send scopes separated by one blank")
    return parts


def _audience(form: TokenForm) -> tuple[str, ...] | None:
    found = tuple(dict.fromkeys(trimmed(one) for one in (*(form.audience or ()), *(form.resource or ()))))
    if not found:
        return None
    if len(found) > 16 or not all(1 <= len(one) <= 256 and is_printable_ascii(one, blanks=False) for one in found):
        raise INVALID_REQUEST("audience: 1 to 16 audiences of printable ASCII without blanks")
    return found


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12) or int(text) == 0:
        raise errors.INVALID_TTL("expires_in")
    return int(text)


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text) if len(text) <= 40 and text.isascii() else None
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite():
        raise errors.SPEND_CAP_INVALID("spend_cap")
    return value


def _micros(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return dollars_to_micros(_decimal(text))
    except ValueError as error:
        raise errors.SPEND_CAP_INVALID("spend_cap", fix=str(error)) from None


def _bound(name: str, text: str | None, most: int, *, ascii_only: bool) -> str | None:
    if text is not None and (len(text) > most or (not is_printable_ascii(text) if ascii_only else has_controls(text))):
        raise INVALID_REQUEST(f"{name}: at most {most} printable characters")
    return text


def _hash(text: str | None) -> str | None:
    if text is not None and not b64u.is_hash43(text):
        raise errors.POLICY_HASH_INVALID("policy_hash_b64u")
    return text
