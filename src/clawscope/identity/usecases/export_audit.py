"""Export the audit chain as bytes that are the same for everybody who asks for them (identity.md §11)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clawscope.identity.domain import errors
from clawscope.identity.domain.audit import AuditRow
from clawscope.identity.ports import Store, Work
from clawscope.kernel.codes import NOT_FOUND
from clawscope.protocol.digest import sha256_hex

FORMATS = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
MOST_ROWS = 10_000
_COLUMNS = ("sequence", "event_id", "event_type", "actor_did", "subject_did", "occurred_at", "details", "prev_hash_b64u",
            "entry_hash_b64u")  # fmt: skip
_FOLDER = "binding-audit"
_NAME = re.compile(r"([0-9]{1,18})-([1-9][0-9]{0,4})\.(csv|jsonl)")


@dataclass(frozen=True, slots=True)
class ExportedAudit:
    """Bytes of an export, their kind, and how many rows they hold."""

    raw: bytes
    media_type: str
    rows: int


class ExportAudit:
    """The last rows up to a number, oldest first. Rows never change, so a key names its bytes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def describe(self, kind: str, limit: int, upto: int | None) -> dict[str, Any]:
        """What an export holds and where it is read. Raises `INVALID_EXPORT_FORMAT`."""
        if kind not in FORMATS:
            raise errors.INVALID_EXPORT_FORMAT("format", fix="one of " + ", ".join(FORMATS))
        last = await self._store.read(_head)
        until = last if upto is None else max(0, min(upto, last))
        made = await self._made(until, limit, kind)
        key = f"{_FOLDER}/{until}-{limit}.{kind}"
        return {"status": "exported", "key": key, "format": kind, "rows": made.rows, "sha256": sha256_hex(made.raw)}

    async def read(self, folder: str, name: str) -> ExportedAudit:
        """The bytes behind a key. Raises `NOT_FOUND` for a key that was never told."""
        found = _NAME.fullmatch(name)
        last = await self._store.read(_head)
        if folder != _FOLDER or found is None or int(found[1]) > last or int(found[2]) > MOST_ROWS:
            raise NOT_FOUND("there is no such export")
        return await self._made(int(found[1]), int(found[2]), found[3])

    async def _made(self, until: int, limit: int, kind: str) -> ExportedAudit:
        newest: list[AuditRow] = await self._store.read(lambda work: work.audit.page(until + 1, limit, None, None))
        rows = newest[::-1]
        return ExportedAudit(_csv(rows) if kind == "csv" else _lines(rows), FORMATS[kind], len(rows))


def _head(work: Work) -> int:
    return work.audit.last()[0]


def _lines(rows: Sequence[AuditRow]) -> bytes:
    return b"".join(_json(row.body()).encode() + b"\n" for row in rows)


def _csv(rows: Sequence[AuditRow]) -> bytes:
    text = io.StringIO()
    names = (
        "sequence",
        "event_id",
        "event_type",
        "actor_did",
        "subject_did",
        "occurred_at",
        "details",
        "prev_hash_b64u",
        "entry_hash_b64u",
    )
    writer = csv.writer(text)
    writer.writerow(names)
    for row in rows:
        body = row.body() | {"details": _json(dict(row.details))}
        writer.writerow([body[name] for name in _COLUMNS])
    return text.getvalue().encode()


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
