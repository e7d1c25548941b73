"""Signing and verify-only keys as the operator's variables list them; every fault is told at once, no material shown (keys.md §2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clawscope.protocol import b64u, jwk, keys, strict_json

_VERIFY_MEMBERS = {"x", "not_after_unix", "kid", "source_label"}
_LATEST = 2**53 - 1


@dataclass(frozen=True, slots=True)
class ListedSeed:
    """A signing key from configuration."""

    kid: str
    key: keys.SigningKey


@dataclass(frozen=True, slots=True)
class ListedPublic:
    """A verify-only key from configuration, and its cut-off in epoch seconds."""

    kid: str
    public: bytes
    not_after_unix: int
    source_label: str | None = None


@dataclass(frozen=True, slots=True)
class ConfiguredKeys:
    """What is listed: signing keys, the first to be active; verify-only keys; the statement key."""

    signing: tuple[ListedSeed, ...] = ()
    verify: tuple[ListedPublic, ...] = ()
    statement: ListedSeed | None = None

    def seeds(self) -> dict[str, keys.SigningKey]:
        """Every private key by kid."""
        listed = (*self.signing, *((self.statement,) if self.statement else ()))
        return {one.kid: one.key for one in listed}


class FaultyKeys(ValueError):
    """Configured keys that cannot be used; `lines` name each bad entry and show no material."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def parse(
    *, signing_key: str | None, signing_keys_json: str | None, verify_public_keys_json: str | None, statement_key: str | None, kid_rule: str
) -> ConfiguredKeys:
    """The keys in the variables; `signing_keys_json` wins over `signing_key`. Raises `FaultyKeys` naming every bad entry."""
    faults: list[str] = []
    if signing_keys_json is not None:
        entries = _entries("signing_keys_json", signing_keys_json, faults)
        if entries == []:
            faults.append("signing_keys_json: list at least one seed")
        signing = [_seed(f"signing_keys_json[{at}]", entry, kid_rule, faults) for at, entry in enumerate(entries or ())]
    else:
        signing = [_seed("signing_key", signing_key, kid_rule, faults)] if signing_key is not None else []
    entries = _entries("verify_public_keys_json", verify_public_keys_json, faults) if verify_public_keys_json is not None else []
    verify = [_public(f"verify_public_keys_json[{at}]", entry, kid_rule, faults) for at, entry in enumerate(entries or ())]
    statement = _seed("statement_key", statement_key, "rfc7638", faults) if statement_key is not None else None
    seeds = [one for one in signing if one is not None]
    own = {one.key.public for one in seeds}
    # A verify-only entry for a key that also signs is ignored, as the runbook says.
    publics = [one for one in verify if one is not None and one.public not in own]
    _refuse_twins(seeds, publics, statement, faults)
    if faults:
        raise FaultyKeys(faults)
    return ConfiguredKeys(tuple(seeds), tuple(publics), statement)


def _entries(name: str, text: str, faults: list[str]) -> list[Any] | None:
    try:
        value = strict_json.parse(text.encode("utf-8", "surrogatepass"))
    except strict_json.NotJson:
        value = None
    if isinstance(value, list):
        return value
    faults.append(f"{name}: is not a JSON array")
    return None


def _seed(name: str, entry: Any, kid_rule: str, faults: list[str]) -> ListedSeed | None:
    kid: Any = None
    if isinstance(entry, dict):
        if not set(entry) <= {"seed", "kid"}:
            faults.append(f"{name}: has members beside seed and kid")
        entry, kid = entry.get("seed"), entry.get("kid")
    if not isinstance(entry, str):
        faults.append(f"{name}: is no seed; give base64url text or {{seed, kid}}")
        return None
    try:
        key = keys.SigningKey.from_seed(b64u.decode(entry))
    except keys.KeyRefused as fault:
        faults.append(f"{name}: {fault}")
        return None
    except ValueError:
        faults.append(f"{name}: is not base64url without padding")
        return None
    named = _kid(name, kid, key.public, kid_rule, faults)
    return None if named is None else ListedSeed(named, key)


def _public(name: str, entry: Any, kid_rule: str, faults: list[str]) -> ListedPublic | None:
    before = len(faults)
    if not isinstance(entry, dict) or not set(entry) <= _VERIFY_MEMBERS:
        faults.append(f"{name}: is an object of x, not_after_unix and perhaps kid, source_label")
        return None
    x, label = entry.get("x"), entry.get("source_label")
    not_after: Any = entry.get("not_after_unix")
    public = b""
    try:
        public = b64u.decode(x) if isinstance(x, str) else b""
        keys.admit(public)
    except ValueError:
        faults.append(f"{name}: x is not an admissible Ed25519 public key in base64url")
    if not isinstance(not_after, int) or isinstance(not_after, bool) or not 0 < not_after <= _LATEST:
        faults.append(f"{name}: not_after_unix is required, in epoch seconds")
    if label is not None and (not isinstance(label, str) or len(label) > 128):
        faults.append(f"{name}: source_label is a text of at most 128 characters")
    if len(faults) > before:
        return None
    kid = _kid(name, entry.get("kid"), public, kid_rule, faults)
    return None if kid is None else ListedPublic(kid, public, not_after, label)


def _kid(name: str, kid: Any, public: bytes, kid_rule: str, faults: list[str]) -> str | None:
    if kid is None:
        return jwk.kid_for(public, kid_rule)
    if not isinstance(kid, str) or not jwk.is_kid(kid):
        faults.append(f"{name}: kid is 1 to 64 of A-Z a-z 0-9 _ -")
        return None
    return kid


def _refuse_twins(seeds: list[ListedSeed], publics: list[ListedPublic], statement: ListedSeed | None, faults: list[str]) -> None:
    named = [("signing", one.kid, one.key.public) for one in seeds] + [("verify-only", one.kid, one.public) for one in publics]
    if statement is not None:
        named.append(("statement", statement.kid, statement.key.public))
    kids: set[str] = set()
    publics_seen: set[bytes] = set()
    for kind, kid, public in named:
        if kid in kids:
            faults.append(f"kid {kid} names two {kind} entries or a {kind} entry and another")
        elif public in publics_seen:
            faults.append(f"the key of kid {kid} is listed twice")
        kids.add(kid)
        publics_seen.add(public)
