"""The main job, step by step: an agent's key, a token, its checks, its revocation, its audit. Each step says what it proves."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from clawscope.kernel.clock import SystemClock
from clawscope.kernel.ids import random_bytes
from clawscope.main.commands.audit import check_bundle, take_bundle
from clawscope.main.commands.evidence import Evidence
from clawscope.main.http_client import Refused, Server
from clawscope.main.output import Failure, Output
from clawscope.protocol.did import did_key
from clawscope.protocol.jwk import parse_jwks
from clawscope.protocol.keys import SigningKey
from clawscope.protocol.verify_token import KeyEntry, KeySet, Rules, Verified, verify

AUDIENCE = "https://model.example"
OPENAI, ANTHROPIC = "proxy:call:openai", "proxy:call:anthropic"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_JWT = "urn:ietf:params:oauth:token-type:jwt"
Facts = dict[str, Any]


@dataclass(slots=True)
class Walk:
    """What the steps hand to one another: two ways to the server, a folder, and what was made on the way."""

    operator: Server
    anybody: Server
    folder: Path
    out: Output
    agent: str = ""
    token: str = ""
    child: str = ""
    issued_at: int = 0
    issuer: str = ""
    evidence: Evidence = field(init=False)

    def __post_init__(self) -> None:
        self.evidence = Evidence(self.folder / "evidence")

    def offline(self, token: str) -> str:
        """What the offline verifier says of a token, from its evidence alone."""
        return self.evidence.verifier(issuer=None, max_staleness_s=30).verify(token, SystemClock().now()).outcome


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its title, what it proves once it went well, and the deed, which answers facts to show or raises `Failure`."""

    title: str
    proves: str
    do: Callable[[Walk], Facts]


def ask_health(walk: Walk) -> Facts:
    """The server is up and can sign."""
    health = walk.anybody.get("/health")
    walk.anybody.get("/ready")
    walk.issuer = walk.anybody.get("/.well-known/oauth-authorization-server")["issuer"]
    return {"server": walk.anybody.base_url, "issuer": walk.issuer, "signing": health.get("signingEnabled")}


def make_agent(walk: Walk) -> Facts:
    """A key pair made here; its public half is the agent's name."""
    walk.agent = did_key(SigningKey.from_seed(random_bytes(32)).public)
    return {"agent": walk.agent}


def issue_token(walk: Walk) -> Facts:
    """A ten-minute token over HTTP."""
    asked = {"sub": walk.agent, "aud": AUDIENCE, "scope": [OPENAI, ANTHROPIC], "ttl_sec": 600}
    answer = walk.operator.post("/v1/tokens/issue", asked)
    walk.token, walk.issued_at = answer["token"], answer["iat"]
    return {"token_hash": answer["token_hash"], "scope": answer["claims"]["scope"], "kid": answer["kid"], "exp": answer["exp"]}


def verify_elsewhere(walk: Walk) -> Facts:
    """Signature and claims by somebody else's library if one is installed, from nothing but the published JWKS."""
    raw = walk.anybody.fetch("/v1/jwks").raw
    library, claims = _by_joserfc(walk.token, raw) if find_spec("joserfc") is not None else _by_protocol(walk, raw)
    _must(claims["sub"] == walk.agent, "the token names another subject")
    return {"library": library, "sub": claims["sub"], "aud": claims["aud"]}


def _by_joserfc(token: str, jwks: bytes) -> tuple[str, Facts]:
    jwt, jwk, errors = (importlib.import_module(f"joserfc.{name}") for name in ("jwt", "jwk", "errors"))
    try:
        with warnings.catch_warnings():
            # It warns that RFC 9864 prefers the name Ed25519; the ecosystem's tokens say EdDSA.
            warnings.simplefilter("ignore")
            found = jwt.decode(token, jwk.KeySet.import_key_set(msgspec.json.decode(jwks)), algorithms=["EdDSA"])
    except errors.JoseError as error:
        raise Failure(f"joserfc refuses the token: {type(error).__name__}.", code="DEMO_FAILED") from None
    return "joserfc", found.claims


def _by_protocol(walk: Walk, jwks: bytes) -> tuple[str, Facts]:
    keys = KeySet({kid: KeyEntry(public) for kid, public in parse_jwks(jwks).items()})
    verified = verify(walk.token, keys, Rules(walk.issuer), SystemClock().now())
    if not isinstance(verified, Verified):
        raise Failure(f"The token does not verify: {verified.code.name}.", code="DEMO_FAILED")
    return "clawscope.protocol (joserfc is not installed)", msgspec.to_builtins(verified.claims)


def introspect_by_oauth(walk: Walk) -> Facts:
    """RFC 7662, as a resource server would ask."""
    answer = walk.operator.post_form("/oauth2/introspect", {"token": walk.token})
    _must(answer["active"] is True, "the token is not active")
    return {"active": True, "scope": answer["scope"], "client": "operator key as Bearer"}


def narrow(walk: Walk) -> Facts:
    """RFC 8693: fewer scopes pass, more are refused."""
    asked = {"grant_type": _EXCHANGE, "subject_token": walk.token, "subject_token_type": _JWT}
    child = walk.anybody.post_form("/oauth2/token", asked | {"scope": OPENAI})
    walk.child = child["access_token"]
    try:
        walk.anybody.post_form("/oauth2/token", asked | {"scope": "proxy:*"})
    except Refused as refused:
        return {"child scope": child["scope"], "child token_hash": child["token_hash"], "asking for proxy:*": f"refused: {refused.code}"}
    raise Failure("A child wider than its parent was minted.", code="DEMO_FAILED")


def verify_offline(walk: Walk) -> Facts:
    """Keys and the signed revocation snapshot are taken once; the verdict needs no server."""
    now = SystemClock().now()
    walk.evidence.refresh_keys(walk.operator, now)
    walk.evidence.refresh_snapshot(walk.operator, now)
    verdicts = {"token": walk.offline(walk.token), "child": walk.offline(walk.child)}
    _must(set(verdicts.values()) == {"ok"}, "a live token was refused offline")
    return verdicts | {"revocations known up to row": walk.evidence.sequence}


def revoke(walk: Walk) -> Facts:
    """One call ends the token."""
    answer = walk.operator.post("/v1/tokens/revoke", {"token": walk.token, "reason": "demo"})
    return {name: answer[name] for name in ("status", "sequence", "revoked_at", "descendants", "effective_within_s")}


def refused_everywhere(walk: Walk) -> Facts:
    """Introspection, OAuth and the offline verifier, for the token and for the child made from it."""
    found: Facts = {}
    for name, token in (("token", walk.token), ("child", walk.child)):
        answer = walk.anybody.post("/v1/tokens/introspect", {"token": token})
        _must(answer["active"] is False and answer["revoked"] is True, f"the {name} is still live at introspection")
        found[f"{name}: introspect"] = f"revoked ({answer['revoked_by_kind']})"
        _must(walk.operator.post_form("/oauth2/introspect", {"token": token}) == {"active": False}, f"the {name} is still live for OAuth")
        found[f"{name}: OAuth"] = '{"active":false}'
    walk.evidence.refresh_snapshot(walk.operator, SystemClock().now())
    for name, token in (("token", walk.token), ("child", walk.child)):
        _must(walk.offline(token) == "refused", f"the {name} still passes offline")
        found[f"{name}: offline, next snapshot"] = "refused"
    return found


def audit(walk: Walk) -> Facts:
    """The signed bundle since the token's issue is whole; with one scope changed it is not."""
    bundle, forged = walk.folder / "audit.ndjson", walk.folder / "forged.ndjson"
    trailer = take_bundle(walk.operator, {"format": "ndjson", "from": walk.issued_at}, bundle, walk.out)
    keys = walk.evidence.statement_keys()
    _must(check_bundle(bundle, keys, walk.out).good, "the audit bundle does not verify")
    forged.write_bytes(bundle.read_bytes().replace(ANTHROPIC.encode(), b"proxy:call:somewhere", 1))
    report = check_bundle(forged, keys, walk.out)
    _must(not report.good, "a changed audit bundle verifies")
    return {"rows": trailer["rows"], "whole": True, "with one scope changed": f"not whole: {report.why} at line {report.bad_line}"}


STEPS = (
    Step("A server answers", "The issuer's store stands and it has a key to sign with.", ask_health),
    Step("An agent makes its name", "A did:key is a public key: nobody has to hand out names.", make_agent),
    Step(
        "Issue a token over HTTP", "The audit row was committed before the token left; the server keeps a hash, not the token.", issue_token
    ),
    Step("Verify it from the published JWKS", "Anybody's JWT library can check the signature; no secret is shared.", verify_elsewhere),
    Step("Introspect it as an OAuth client", "RFC 7662 clients need to know nothing of clawscope.", introspect_by_oauth),
    Step("Narrow it", "The agent hands on less than it has, without asking an operator, and never more.", narrow),
    Step("Verify both offline", "A service decides alone, and knows as of when nothing was revoked.", verify_offline),
    Step("Revoke the first", "In force at commit: the answer comes after it.", revoke),
    Step("Refused everywhere", "The revocation also ends what was made from the token, online and offline.", refused_everywhere),
    Step("Export the audit and check it", "What happened can be proved later, offline, to somebody who trusts only the key.", audit),
)


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Failure(f"{otherwise[0].upper()}{otherwise[1:]}.", code="DEMO_FAILED")
