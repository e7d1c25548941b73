"""A thin client that shows answers as they come: status, headers, bytes."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True)
class Answer:
    """What a server answered; header names are lower-case."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @cached_property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.raw)

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and code of a problem document, checked for what every one of them has (tokens.md §0)."""
        body = self.json
        assert self.headers["content-type"] == "application/problem+json", self.raw
        assert body["status"] == self.status
        assert body["type"].endswith("/problems/" + body["error"])
        assert body["instance"] == self.headers["x-clawscope-request-id"]
        assert all(isinstance(body[name], str) and body[name] for name in ("title", "detail", "message"))
        return self.status, body["error"]

    @property
    def oauth(self) -> tuple[int, str, str]:
        """Status, `error` and our `code` of an OAuth error (RFC 6749 §5.2)."""
        body = self.json
        assert self.headers["content-type"] == "application/json", self.raw
        assert set(body) == {"error", "error_description", "code"}
        return self.status, body["error"], body["code"]

    def ok(self, status: int = 200) -> Any:
        """The JSON of a success."""
        assert self.status == status, (self.status, self.raw[:600])
        return self.json


@dataclass(frozen=True)
class Client:
    """Calls one server with fixed headers."""

    port: int
    fixed: tuple[tuple[str, str], ...] = ()

    def with_headers(self, **headers: str) -> Client:
        """The same server with further headers on every call; `_` in names stands for `-`."""
        return Client(self.port, (*self.fixed, *((name.replace("_", "-"), value) for name, value in headers.items())))

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        form: Any = None,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        timeout_s: float = 40,
    ) -> Answer:
        """One request on a connection of its own: a JSON `body`, a `form`, or `raw` bytes."""
        sent = [*self.fixed, *(headers or {}).items()]
        data = raw
        if body is not None:
            data = json.dumps(body).encode()
            sent.append(("Content-Type", "application/json"))
        elif form is not None:
            data = urlencode(form, doseq=True).encode()
            sent.append(("Content-Type", "application/x-www-form-urlencoded"))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.putrequest(method, path)
            for name, value in (*sent, *((("Content-Length", str(len(data))),) if data is not None else ())):
                connection.putheader(name, value)
            connection.endheaders(data)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **params: Any) -> Answer:
        """A GET with query parameters; a leading `_` in a name is dropped (`_from`)."""
        query = urlencode({name.lstrip("_"): value for name, value in params.items()})
        return self.call("GET", f"{path}?{query}" if query else path)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        """A POST of JSON."""
        return self.call("POST", path, body, headers={name.replace("_", "-"): value for name, value in headers.items()})
