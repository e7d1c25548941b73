"""What an offline verifier keeps in a folder: one issuer's keys, its statement keys, and its last signed revocation snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from clawscope.main.http_client import Server
from clawscope.main.output import REFUSED, Failure
from clawscope.protocol import jwk, strict_json
from clawscope.protocol.offline import OfflineVerifier
from clawscope.protocol.revocation_snapshot import Snapshot, SnapshotRefused, open_snapshot, view_of
from clawscope.protocol.verify_token import KeyEntry, KeySet, Rules

NO_KEYS = 6
_META, _JWKS, _STATEMENTS, _SNAPSHOT = "evidence.json", "jwks.json", "statements.json", "snapshot.json"
_WHY = {
    "malformed": "it has not the form of a snapshot",
    "signature": "none of the issuer's statement keys signed it",
    "rollback": "it is older than one seen before (was the issuer restored from a backup?)",
    "expired": "its time is over",
    "future": "it is from the future: compare this clock with the issuer's",
}


class Held(msgspec.Struct, frozen=True):
    """What the folder knows beside the documents themselves. Times are epoch seconds; cut-offs are those of keys, by kid."""

    url: str
    issuer: str
    keys_fetched_at: int
    cut_offs: dict[str, int] = {}
    withdrawn_kids: tuple[str, ...] = ()
    snapshot_fetched_at: int = 0
    highest_sequence: int = 0


class Evidence:
    """The folder's content, read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.held: Held | None = None
        self._jwks: dict[str, bytes] = {}
        self._statements: dict[str, bytes] = {}
        self._snapshot: Snapshot | None = None

    @classmethod
    def load(cls, folder: Path) -> Evidence:
        """What is there; an empty folder is empty evidence. Raises `Failure` for files that are damaged."""
        found = cls(folder)
        try:
            found.held = msgspec.json.decode((folder / _META).read_bytes(), type=Held)
            found._jwks = jwk.parse_jwks((folder / _JWKS).read_bytes())
            found._statements = statement_keys((folder / _STATEMENTS).read_bytes())
            if found.held.snapshot_fetched_at:
                found._snapshot = found._opened((folder / _SNAPSHOT).read_bytes(), found.held.snapshot_fetched_at, 0)
        except FileNotFoundError:
            return found
        except (msgspec.DecodeError, jwk.JwksRefused, SnapshotRefused):
            fix = f"Remove {folder} and fetch again: clawscope verify token … --fetch URL"
            raise Failure(f"The evidence in {folder} is damaged.", code="EVIDENCE_DAMAGED", fix=fix, exit_code=NO_KEYS) from None
        return found

    @property
    def sequence(self) -> int | None:
        """The last row of the revocation feed the snapshot knows."""
        return None if self._snapshot is None else self._snapshot.as_of_sequence

    def statement_keys(self) -> dict[str, bytes]:
        """Public statement keys by kid. Raises `Failure` (6) if there are none."""
        if not self._statements:
            fix = "Give --keys FILE, --url URL, or fill the cache: clawscope verify token … --fetch URL"
            raise Failure("No statement keys are at hand.", code="NO_KEYS", fix=fix, exit_code=NO_KEYS)
        return self._statements

    def verifier(self, *, issuer: str | None, max_staleness_s: int) -> OfflineVerifier:
        """A verifier over this evidence; a snapshot counts as contact at the second the issuer made it, and at most as long as it says."""
        if self.held is None or not self._jwks:
            return OfflineVerifier(Rules(issuer or ""))
        if issuer is not None and issuer != self.held.issuer:
            raise Failure(
                f"{self.folder} holds the evidence of another issuer.",
                code="USAGE",
                fix="Use one --cache for each issuer.",
                exit_code=REFUSED,
            )
        entries = {kid: KeyEntry(b"", None, withdrawn=True) for kid in self.held.withdrawn_kids}
        entries |= {kid: KeyEntry(public, self.held.cut_offs.get(kid)) for kid, public in self._jwks.items()}
        rules, keys, snapshot = Rules(self.held.issuer), KeySet(entries), self._snapshot
        if snapshot is None:
            return OfflineVerifier(rules, keys=keys)
        stated_s = snapshot.valid_until - snapshot.generated_at - 1
        return OfflineVerifier(
            rules, keys=keys, view=view_of(snapshot), view_as_of=snapshot.generated_at, max_staleness_s=min(max_staleness_s, stated_s)
        )

    def refresh_keys(self, server: Server, now: int) -> None:
        """Take keys, statement keys and key cut-offs. A key seen before and gone now is ours and withdrawn, not unknown."""
        issuer = str(server.get("/.well-known/oauth-authorization-server")["issuer"])
        if self.held is not None and self.held.issuer != issuer:
            fix = "Use one --cache for each issuer."
            raise Failure(f"{self.folder} holds the evidence of another issuer.", code="USAGE", fix=fix, exit_code=REFUSED)
        jwks, statements = server.fetch("/v1/jwks").raw, server.fetch("/v1/jwks/statements").raw
        contract = server.get("/v1/keys/rotation-contract")
        try:
            accepted, self._statements = jwk.parse_jwks(jwks), statement_keys(statements)
        except jwk.JwksRefused as refused:
            raise Failure(f"The issuer's key set is refused: {refused}.", code="KEYS_REFUSED", exit_code=NO_KEYS) from None
        before = self.held or Held(server.base_url, issuer, now)
        withdrawn = ({*before.withdrawn_kids, *self._jwks} - accepted.keys()) | set(contract.get("revoked_kids", ()))
        self._jwks = accepted
        cut_offs = {one["kid"]: one["not_after_unix"] for one in contract.get("expiring_kids", ())}
        self._keep(_JWKS, jwks)
        self._keep(_STATEMENTS, statements)
        self._hold(before, url=server.base_url, keys_fetched_at=now, cut_offs=cut_offs, withdrawn_kids=tuple(sorted(withdrawn)))

    def refresh_snapshot(self, server: Server, now: int) -> None:
        """Take the revocation snapshot, if it is authentic and not older than one seen before. Raises `Failure`."""
        raw = server.fetch("/v1/revocations/snapshot").raw
        assert self.held is not None  # keys come first
        try:
            snapshot = self._opened(raw, now, self.held.highest_sequence)
        except SnapshotRefused as refused:
            message = f"The revocation snapshot is refused: {_WHY[refused.why]}."
            raise Failure(message, code=f"SNAPSHOT_{refused.why.upper()}", exit_code=REFUSED) from None
        self._snapshot = snapshot
        self._keep(_SNAPSHOT, raw)
        self._hold(self.held, snapshot_fetched_at=now, highest_sequence=snapshot.as_of_sequence)

    def _opened(self, raw: bytes, now: int, seen_sequence: int) -> Snapshot:
        try:
            document = strict_json.parse(raw)
        except strict_json.NotJson:
            raise SnapshotRefused("malformed") from None
        signer = document.get("signer_kid") if isinstance(document, dict) else None
        public = self._statements.get(signer) if isinstance(signer, str) else None
        if public is None:
            raise SnapshotRefused("signature")
        return open_snapshot(raw, public, now=now, seen_sequence=seen_sequence)

    def _hold(self, before: Held, **changes: Any) -> None:
        self.held = msgspec.structs.replace(before, **changes)
        self._keep(_META, msgspec.json.encode(self.held))

    def _keep(self, name: str, raw: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{name}.part"
        part.write_bytes(raw)
        part.replace(self.folder / name)


def default_folder() -> Path:
    """Where evidence is kept when nobody says otherwise."""
    return Path.home() / ".cache" / "clawscope" / "verify"


def statement_keys(raw: bytes) -> dict[str, bytes]:
    """The statement keys in an answer of `/v1/jwks/statements`, by kid. Raises `JwksRefused`."""
    try:
        document = strict_json.parse(raw)
    except strict_json.NotJson:
        raise jwk.JwksRefused("a key set is one JSON object") from None
    listed = document.get("keys") if isinstance(document, dict) else None
    fitting = [one for one in listed if isinstance(one, dict) and one.get("purpose") == "statement"] if isinstance(listed, list) else []
    return jwk.parse_jwks(msgspec.json.encode({"keys": fitting}))
