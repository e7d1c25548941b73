"""The audit bundle: rows one can check offline, sealed by a signed trailer or, as a JSON page, by a signed checksum (tokens.md §6)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from clawscope.protocol import digest, jcs, statement, strict_json
from clawscope.protocol.keys import SigningKey

KIND = "audit-bundle"
ROW_KINDS: Mapping[str, str] = {"issuance": "issuance", "revocation": "revocations", "approval": "approvals"}
"""The kind of a row and the name under which the trailer counts it."""

_PAGE_SEALS = ("checksum_b64u", "signer_kid", "signature_b64u")
_encoder = msgspec.json.Encoder()


class BundleWriter:
    """Writes the lines of one NDJSON bundle in order, hashing and counting as they pass."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._rows = dict.fromkeys(ROW_KINDS.values(), 0)

    def header(self, members: Mapping[str, Any]) -> bytes:
        """The first line: `kind` `header`, then the members given."""
        return self._line({"kind": "header", **members})

    def row(self, kind: str, members: Mapping[str, Any]) -> bytes:
        """One row of a kind in `ROW_KINDS`. Raises `KeyError` for another."""
        self._rows[ROW_KINDS[kind]] += 1
        return self._line({"kind": kind, **members})

    def trailer(self, *, checkpoint: str | None, signer_kid: str, key: SigningKey) -> bytes:
        """The last line: the counts, the SHA-256 over every byte before it, and the statement key's signature."""
        members: dict[str, Any] = {"kind": "trailer", "rows": dict(self._rows), "sha256_hex": self._hash.hexdigest()}
        if checkpoint is not None:
            members["checkpoint"] = checkpoint
        members["signer_kid"] = signer_kid
        members["signature_b64u"] = statement.sign(KIND, members, key)
        return _encoder.encode(members) + b"\n"

    def _line(self, members: Mapping[str, Any]) -> bytes:
        line = _encoder.encode(members) + b"\n"
        self._hash.update(line)
        return line


def seal_page(page: Mapping[str, Any], *, signer_kid: str, key: SigningKey) -> dict[str, Any]:
    """A JSON page with its checksum (SHA-256 of the JCS of the rest) and the statement key's signature added."""
    sealed = {name: value for name, value in page.items() if name not in _PAGE_SEALS}
    sealed["checksum_b64u"] = page_checksum(sealed)
    sealed["signer_kid"] = signer_kid
    sealed["signature_b64u"] = statement.sign(KIND, sealed, key)
    return sealed


def page_checksum(page: Mapping[str, Any]) -> str:
    """base64url(SHA-256(JCS of the page without its seals))."""
    return digest.sha256_b64u(jcs.canonical({name: value for name, value in page.items() if name not in _PAGE_SEALS}))


def check_page(page: Mapping[str, Any], public: bytes) -> bool:
    """Whether checksum and signature are those of the page."""
    try:
        return page.get("checksum_b64u") == page_checksum(page) and statement.verify(KIND, page, public)
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class BundleReport:
    """What a check found: rows by kind, and the first bad line (from 1) with the reason, if any.

    `why` is one of `not_json header kind sequence row_after_trailer trailer_missing counts sha256 signer signature`.
    """

    rows: Mapping[str, int]
    bad_line: int | None = None
    why: str | None = None

    @property
    def good(self) -> bool:
        """Whether the bundle is complete, unchanged and signed."""
        return self.why is None


def check_file(lines: Iterable[bytes], statement_keys: Mapping[str, bytes]) -> BundleReport:
    """Check an NDJSON bundle line by line (each with its LF), in constant memory; keys are public keys by kid.

    1. a header first. 2. every row strict JSON of a known kind, sequences rising within a kind. 3. one trailer, last, with the
    right counts, hash, signer and signature.
    """
    check = _FileCheck(statement_keys)
    for number, line in enumerate(lines, start=1):
        why = check.take(line)
        if why is not None:
            return BundleReport(dict(check.rows), number, why)
        check.lines = number
    if not check.sealed:
        return BundleReport(dict(check.rows), check.lines + 1, "trailer_missing")
    return BundleReport(dict(check.rows))


class _FileCheck:
    def __init__(self, statement_keys: Mapping[str, bytes]) -> None:
        self.rows = dict.fromkeys(ROW_KINDS.values(), 0)
        self.lines = 0
        self.sealed = False
        self._keys = statement_keys
        self._hash = hashlib.sha256()
        self._highest: dict[str, int] = {}

    def take(self, line: bytes) -> str | None:
        if self.sealed:
            return "row_after_trailer"
        try:
            members = strict_json.parse(line)
        except strict_json.NotJson:
            return "not_json"
        kind = members.get("kind") if isinstance(members, dict) else None
        if (kind == "header") != (self.lines == 0):
            return "header"  # 1
        if kind == "trailer":
            return self._judge_trailer(members)  # 3
        if kind != "header" and kind not in ROW_KINDS:
            return "kind"  # 2
        self._hash.update(line)
        return None if kind == "header" else self._judge_row(str(kind), members.get("sequence"))

    def _judge_row(self, kind: str, sequence: Any) -> str | None:
        if sequence is not None:
            if type(sequence) is not int or sequence <= self._highest.get(kind, 0):
                return "sequence"
            self._highest[kind] = sequence
        self.rows[ROW_KINDS[kind]] += 1
        return None

    def _judge_trailer(self, members: dict[str, Any]) -> str | None:
        if members.get("rows") != self.rows:
            return "counts"
        if members.get("sha256_hex") != self._hash.hexdigest():
            return "sha256"
        signer = members.get("signer_kid")
        public = self._keys.get(signer) if isinstance(signer, str) else None
        if public is None:
            return "signer"
        if not statement.verify(KIND, members, public):
            return "signature"
        self.sealed = True
        return None
