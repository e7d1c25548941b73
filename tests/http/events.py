"""A small reader of Server-Sent Events over one connection."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.http.client import Client


@dataclass(frozen=True)
class Frame:
    """One event."""

    event: str
    data: Any
    id: str | None = None


class EventStream:
    """An open stream; iterating yields frames until the server ends it. `refused` holds the answer of a refusal."""

    def __init__(
        self, client: Client, path: str = "/v1/revocations/stream", *, last_event_id: str | None = None, timeout_s: float = 10
    ) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=timeout_s)
        headers = {**dict(client.fixed), "Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        self._connection.request("GET", path, headers=headers)
        self.answer = self._connection.getresponse()
        self.status = self.answer.status
        self.refused = json.loads(self.answer.read()) if self.status != 200 else None

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        fields: dict[str, str] = {}
        while line := self.answer.readline():
            text = line.decode().rstrip("\n")
            if text:
                name, _, value = text.partition(": ")
                fields[name] = value
                continue
            yield Frame(fields["event"], json.loads(fields["data"]), fields.get("id"))
            fields = {}

    def revocations(self, count: int) -> list[Frame]:
        """The next revocation frames, heartbeats left out."""
        found: list[Frame] = []
        for frame in self:
            if frame.event == "revocation":
                found.append(frame)
            if len(found) == count:
                break
        return found

    def close(self) -> None:
        """Go away."""
        self.answer.close()
        self._connection.close()
