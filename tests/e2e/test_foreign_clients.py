"""Libraries of others against a running server: JWKS, RFC 7662, Server-Sent Events; none of the readers is ours."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.http.serving import ISSUER, OPERATOR_KEY, Served
from tests.http.tokens import AUDIENCE, introspect, legacy, revoke, token

_SCRIPT = Path(__file__).parents[1] / "js" / "verify_jwks.mjs"
_NODE = Path(sys.executable).parent / "node"


def jwks(served: Served) -> Any:
    """The published keys, fetched without our client."""
    with urllib.request.urlopen(f"{served.url}/.well-known/jwks.json", timeout=10) as answer:
        return json.loads(answer.read())


def test_joserfc_verifies_from_the_published_keys(dev: Served) -> None:
    issued = legacy(dev, run_id="r").ok()
    keys = KeySet.import_key_set(jwks(dev))
    decoded = jwt.decode(issued["token"], keys, algorithms=["EdDSA"])
    assert decoded.claims == issued["claims"]
    assert decoded.header == {"alg": "EdDSA", "typ": "JWT", "kid": issued["kid"]}
    rules = jwt.JWTClaimsRegistry(iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": AUDIENCE})
    rules.validate(decoded.claims)
    header, payload, signature = issued["token"].split(".")
    forged = f"{header}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    with pytest.raises(JoseError):
        jwt.decode(forged, keys, algorithms=["EdDSA"])


def test_authlib_verifies_from_the_published_keys(dev: Served) -> None:
    issued = legacy(dev).ok()
    options = {"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": AUDIENCE}}
    claims = JsonWebToken(["EdDSA"]).decode(issued["token"], JsonWebKey.import_key_set(jwks(dev)), claims_options=options)
    claims.validate(now=issued["iat"])
    assert dict(claims) == issued["claims"]


def test_npm_jose_verifies_from_the_published_keys(dev: Served) -> None:
    issued = legacy(dev).ok()

    def run(text: str, audience: str = AUDIENCE) -> tuple[int, Any]:
        command = [str(_NODE), str(_SCRIPT), f"{dev.url}/.well-known/jwks.json", text, audience, ISSUER]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, json.loads(done.stdout)

    code, shown = run(issued["token"])
    assert (code, shown["ok"], shown["payload"]) == (0, True, issued["claims"])
    assert run(issued["token"], "https://other.example")[1] == {"ok": False, "code": "ERR_JWT_CLAIM_VALIDATION_FAILED"}
    header, _, signature = issued["token"].split(".")
    other = token(dev).split(".")[1]
    assert run(f"{header}.{other}.{signature}")[1] == {"ok": False, "code": "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"}


def test_rfc_7662_client_sees_a_token_live_and_die(dev: Served) -> None:
    session = OAuth2Session("dev", OPERATOR_KEY, token_endpoint_auth_method="client_secret_basic")
    text = token(dev, scope=["proxy:call", "proxy:stop"])
    shown = session.introspect_token(f"{dev.url}/oauth2/introspect", token=text, token_type_hint="access_token").json()
    assert (shown["active"], shown["scope"], shown["iss"]) == (True, "proxy:call proxy:stop", ISSUER)
    done = session.revoke_token(f"{dev.url}/oauth2/revoke", token=text, token_type_hint="access_token")
    assert (done.status_code, done.content) == (200, b"")
    assert session.introspect_token(f"{dev.url}/oauth2/introspect", token=text).json() == {"active": False}
    assert introspect(dev, text).ok()["revoked"] is True
    stranger = OAuth2Session("dev", "wrong", token_endpoint_auth_method="client_secret_basic")
    refused = stranger.introspect_token(f"{dev.url}/oauth2/introspect", token=text)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


class Follower:
    """An event-stream reader that goes away after some frames and comes back with `Last-Event-ID`."""

    def __init__(self, served: Served) -> None:
        self._url = f"{served.url}/v1/revocations/stream"
        self._headers = {"Authorization": f"Bearer {OPERATOR_KEY}", "Accept": "text/event-stream"}
        self.seen: list[int] = []
        self.connections = 0

    async def follow(self, start: int, wanted: int, *, leave_after: int) -> None:
        """Read until `wanted` revocations were seen, leaving and resuming on the way."""
        last = start
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            while len(self.seen) < wanted:
                self.connections += 1
                async with session.get(self._url, headers=self._headers | {"Last-Event-ID": str(last)}) as answer:
                    assert answer.status == 200
                    last = await self._read(answer, min(wanted, len(self.seen) + leave_after), last)

    async def _read(self, answer: aiohttp.ClientResponse, until: int, last: int) -> int:
        async for line in answer.content:
            if line.startswith(b"id: "):
                last = int(line[4:])
                self.seen.append(last)
            if len(self.seen) >= until:
                break
        return last


def test_event_stream_reader_that_reconnects_misses_nothing(dev: Served) -> None:
    start = dev.operator.get("/v1/revocations/stream").ok()["latest_sequence"]
    texts = [token(dev) for _ in range(60)]

    async def main() -> Follower:
        follower = Follower(dev)
        reading = asyncio.create_task(follower.follow(start, 60, leave_after=7))
        for text in texts:
            done = await asyncio.to_thread(revoke, dev, token=text)
            assert done.status == 200
        await asyncio.wait_for(reading, 20)
        return follower

    follower = asyncio.run(main())
    assert follower.seen == list(range(start + 1, start + 61))
    assert follower.connections >= 60 // 7
