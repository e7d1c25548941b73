"""The Authlib peer: Flask and Authlib's RFC 7662 endpoint; every request verifies an EdDSA JWT with joserfc.

Usage: `python -m bench.peers.authlib_server PORT TOKENS_FILE gunicorn|waitress|werkzeug`; the tokens to ask about are written
to TOKENS_FILE, one per line, before it listens.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer  # type: ignore[import-untyped]  # authlib has no types
from authlib.oauth2.rfc7662 import IntrospectionEndpoint  # type: ignore[import-untyped]  # authlib has no types
from flask import Flask, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

TOKENS = 200
THREADS = 32
AUDIENCE = "https://clawproxy.example"
CLAIMS = jwt.JWTClaimsRegistry(aud={"essential": True, "value": AUDIENCE}, exp={"essential": True}, iat={"essential": True})


class Client:
    """The one resource server that may ask."""

    client_id = "bench"
    client_secret = "bench-secret-of-the-peer-only"

    def check_client_secret(self, secret: str) -> bool:
        """Whether the secret is this client's."""
        return secret == self.client_secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Whether the client may authenticate this way."""
        return method == "client_secret_post"


class Verified:
    """A token whose signature and claims are good."""

    def __init__(self, claims: dict[str, Any]) -> None:
        self.claims = claims

    def is_expired(self) -> bool:
        """Whether its time is over."""
        return bool(self.claims["exp"] < time.time())

    def is_revoked(self) -> bool:
        """The peer keeps no revocations."""
        return False


def endpoint(key: OKPKey) -> type[IntrospectionEndpoint]:
    """Authlib's introspection endpoint over tokens signed by `key`."""

    class Introspection(IntrospectionEndpoint):  # type: ignore[misc]  # authlib has no types
        CLIENT_AUTH_METHODS = ["client_secret_post"]  # noqa: RUF012 - the name and type authlib asks for

        def query_token(self, token_string: str, token_type_hint: str | None) -> Verified | None:
            try:
                token = jwt.decode(token_string, key, algorithms=["EdDSA"])
                CLAIMS.validate(token.claims)
            except JoseError:
                return None
            return Verified(token.claims)

        def check_permission(self, token: Verified, client: Client, request: object) -> bool:
            return True

        def introspect_token(self, token: Verified) -> dict[str, Any]:
            return {"active": True, "token_type": "Bearer", **token.claims}

    return Introspection


def application(key: OKPKey) -> Flask:
    """The Flask application."""
    app = Flask("authlib-peer")
    client = Client()
    server = AuthorizationServer(app, query_client=lambda name: client if name == client.client_id else None, save_token=None)
    server.register_endpoint(endpoint(key))

    @app.post("/introspect")
    def introspect() -> Response:
        answer: Response = server.create_endpoint_response("introspection")
        return answer

    @app.get("/")
    def ready() -> str:
        return "ready"

    return app


def tokens(key: OKPKey) -> list[str]:
    """Signed tokens with the claims a short Clawscope token has."""
    now = int(time.time())
    return [
        jwt.encode(
            {"alg": "EdDSA", "typ": "JWT", "kid": key.kid},
            {
                "iss": "https://authlib.example",
                "sub": "did:key:zAgent",
                "aud": AUDIENCE,
                "scope": "clawproxy:call:openai",
                "iat": now,
                "exp": now + 86400,
                "jti": f"00000000-0000-4000-8000-{number:012d}",
            },
            key,
            algorithms=["EdDSA"],
        )
        for number in range(TOKENS)
    ]


def serve(app: Flask, port: int, server: str) -> None:
    """Serve with one process and a few threads, keep-alive on."""
    if server == "gunicorn":
        from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]  # noqa: PLC0415 - only one server need be installed; gunicorn has no types

        class Gunicorn(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
            def load_config(self) -> None:
                for name, value in {"bind": f"127.0.0.1:{port}", "worker_class": "gthread", "threads": THREADS, "keepalive": 60}.items():
                    self.cfg.set(name, value)

            def load(self) -> Flask:
                return app

        Gunicorn().run()
    elif server == "waitress":
        import waitress  # type: ignore[import-untyped]  # noqa: PLC0415 - only one server need be installed; waitress has no types

        waitress.serve(app, host="127.0.0.1", port=port, threads=THREADS)
    else:
        from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415 - only one of the three servers need be installed

        WSGIRequestHandler.protocol_version = "HTTP/1.1"
        WSGIRequestHandler.log_request = lambda *_: None  # type: ignore[method-assign]  # no access log in a benchmark
        make_server("127.0.0.1", port, app, threaded=True).serve_forever()


def main() -> None:
    """Make a key, write the tokens, serve."""
    port, tokens_file, server = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    key = OKPKey.generate_key("Ed25519", auto_kid=True)
    tokens_file.write_text("\n".join(tokens(key)) + "\n")
    serve(application(key), port, server)


if __name__ == "__main__":
    main()
