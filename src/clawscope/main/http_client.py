"""A small HTTP client for commands: a base URL, one Bearer credential, and problem documents as readable failures."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from clawscope.kernel.secret import Secret
from clawscope.main.output import REFUSED, UNREACHABLE, Failure

_TIMEOUT_S = 30.0
_OTHER_SERVER = "Does the URL name a clawscope server?"
_MOST_ANSWER_BYTES = 64 * 1024 * 1024
Query = Mapping[str, str | int | None] | Sequence[tuple[str, str]]


class Unreachable(Failure):
    """No answer came."""

    def __init__(self, base_url: str, why: str) -> None:
        super().__init__(
            f"{base_url} does not answer ({why}).",
            code="UNREACHABLE",
            fix="Is the server running? Start one with: clawscope serve --dev",
            exit_code=UNREACHABLE,
        )


class Refused(Failure):
    """An error answer; `status` and `body` as they came (no answer of the server repeats a secret)."""

    def __init__(self, status: int, body: Any) -> None:
        self.status = status
        self.body: dict[str, Any] = body if isinstance(body, dict) else {}
        own = self.body.get("code") or self.body.get("error")
        code = own if isinstance(own, str) else f"HTTP_{status}"
        message = self.body.get("message") or self.body.get("error_description") or f"The server answered {status}."
        request = {"request_id": self.body["instance"]} if "instance" in self.body else {}
        super().__init__(
            str(message), code=code, fix=_remedy(status, code, self.body), exit_code=REFUSED, details={"status": status, **request}
        )


class Members(dict[str, Any]):
    """A JSON object as answered; asking for a member it lacks raises `Failure`, not `KeyError`."""

    def __missing__(self, name: str) -> Any:
        raise Failure(f"The answer has no member {name}.", code="NOT_CLAWSCOPE", fix=_OTHER_SERVER)


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer: its bytes and its headers by lower-case name."""

    raw: bytes
    headers: Mapping[str, str]

    def members(self) -> Members:
        """The body as a JSON object. Raises `Failure` if it is none."""
        try:
            return Members(msgspec.json.decode(self.raw, type=dict[str, Any]))
        except msgspec.DecodeError:
            raise Failure("The answer is not a JSON object.", code="NOT_CLAWSCOPE", fix=_OTHER_SERVER) from None


class Server:
    """A clawscope server as a command sees it. Redirects are not followed: a credential goes to the named host alone."""

    def __init__(self, base_url: str, credential: Secret | None = None, *, timeout_s: float = _TIMEOUT_S) -> None:
        try:
            parts = urlsplit(base_url)
            _ = parts.port
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise Failure(
                "The server's URL is not an http(s) URL.", code="USAGE", fix="Write it like http://127.0.0.1:8787", exit_code=REFUSED
            )
        self.base_url = base_url.rstrip("/")
        self._parts = parts
        self._credential = credential
        self._timeout_s = timeout_s

    @property
    def has_credential(self) -> bool:
        """Whether calls carry a credential."""
        return self._credential is not None

    def get(self, path: str, query: Query | None = None) -> Members:
        """The JSON answer of a GET. Raises `Unreachable`, `Refused`."""
        return self.fetch(path, query).members()

    def fetch(self, path: str, query: Query | None = None) -> Answer:
        """The bytes a GET answers. Raises `Unreachable`, `Refused`."""
        with self._answer("GET", path + _asked(query), {}, None) as answer:
            return self._whole(answer)

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Members:
        """The JSON answer of a POST of JSON. Raises `Unreachable`, `Refused`."""
        more = {"Content-Type": "application/json", **(headers or {})}
        with self._answer("POST", path, more, msgspec.json.encode(body)) as answer:
            return self._whole(answer).members()

    def post_form(self, path: str, fields: Mapping[str, str]) -> Members:
        """The JSON answer of a POST of a form; an empty one has no members. Raises `Unreachable`, `Refused`."""
        more = {"Content-Type": "application/x-www-form-urlencoded"}
        with self._answer("POST", path, more, urlencode(fields).encode()) as answer:
            whole = self._whole(answer)
        return whole.members() if whole.raw else Members()

    @contextmanager
    def lines(self, path: str, query: Query | None = None) -> Iterator[Iterator[bytes]]:
        """The lines of a streamed GET, each with its LF, as they come. Raises `Unreachable`, `Refused`."""
        with self._answer("GET", path + _asked(query), {}, None) as answer:
            yield self._lines_of(answer)

    def _lines_of(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        try:
            yield from iter(answer.readline, b"")
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(self.base_url, _reason(error)) from None

    def _whole(self, answer: http.client.HTTPResponse) -> Answer:
        try:
            raw = answer.read(_MOST_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(self.base_url, _reason(error)) from None
        if len(raw) > _MOST_ANSWER_BYTES:
            raise Failure("The answer is larger than 64 MiB.", code="ANSWER_TOO_LARGE")
        return Answer(raw, {name.lower(): value for name, value in answer.getheaders()})

    @contextmanager
    def _answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> Iterator[http.client.HTTPResponse]:
        sent = {"Accept": "application/json", "User-Agent": "clawscope-cli", **headers}
        if self._credential is not None:
            sent["Authorization"] = f"Bearer {self._credential.reveal()}"
        connection = self._connection()
        try:
            answer = self._begun(connection, method, self._parts.path.rstrip("/") + target, body, sent)
            if not 200 <= answer.status < 300:
                raise Refused(answer.status, _problem_of(answer))
            yield answer
        finally:
            connection.close()

    def _begun(
        self, connection: http.client.HTTPConnection, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        try:
            connection.request(method, target, body, dict(headers))
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(self.base_url, _reason(error)) from None

    def _connection(self) -> http.client.HTTPConnection:
        host = self._parts.hostname or ""
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, self._parts.port, timeout=self._timeout_s, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, self._parts.port, timeout=self._timeout_s)


def _asked(query: Query | None) -> str:
    pairs = query.items() if isinstance(query, Mapping) else (query or ())
    text = urlencode([(name, value) for name, value in pairs if value is not None])
    return f"?{text}" if text else ""


def _problem_of(answer: http.client.HTTPResponse) -> Any:
    try:
        return msgspec.json.decode(answer.read(256 * 1024))
    except (msgspec.DecodeError, OSError, http.client.HTTPException):
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return getattr(error, "strerror", None) or type(error).__name__


def _remedy(status: int, code: str, body: Mapping[str, Any]) -> str | None:
    if isinstance(body.get("fix"), str):
        return str(body["fix"])
    if status == 401 and code in ("UNAUTHORIZED", "TOKEN_REQUIRED", "LEGACY_AUTH_FORBIDDEN", "UNAUTHORIZED_CLIENT", "invalid_client"):
        return "Give an operator key (--key, or CLAWSCOPE_KEY) or a token (--token), whichever the server's protected_auth_mode asks for."
    if status == 503:
        return "Nothing was changed; try again."
    return None
