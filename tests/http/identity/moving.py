"""Two services, one exporting and one importing, and bundles on their way between them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from clawscope.identity.domain.bundle import payload_hash, sealed
from clawscope.protocol import b64u, jwk
from clawscope.protocol.keys import SigningKey
from tests.http.client import Answer
from tests.http.identity.people import PLANE, Desk, Person
from tests.http.identity.serving import MakeIdentity

SOURCE, TARGET = "did:web:source.example", "did:web:target.example"
KEY = SigningKey.from_seed(b"s" * 32)
KID = jwk.thumbprint(KEY.public)


@dataclass(frozen=True)
class OneKey:
    """`StatementKeys` with one key."""

    key: SigningKey = KEY

    def current(self) -> tuple[str, SigningKey] | None:
        """The kid and key."""
        return jwk.thumbprint(self.key.public), self.key

    def public(self, kid: str) -> bytes | None:
        """The public key of its kid."""
        return self.key.public if kid == jwk.thumbprint(self.key.public) else None


def exporter(make: MakeIdentity, **settings: Any) -> Desk:
    """A service that signs exports."""
    return Desk(make({"statement_keys": OneKey()}, service_did=SOURCE, **settings))


def importer(make: MakeIdentity) -> Desk:
    """A service that trusts the exporter."""
    return Desk(make(service_did=TARGET, trusted_exporters={SOURCE: b64u.encode(KEY.public)}))


def export(desk: Desk, owner: Person, controller: Person, **more: Any) -> Answer:
    """Export a controller for the importer."""
    named = {"controller_did": controller.did, "audience": [TARGET], **more}
    return desk.client.post(f"{PLANE}/identity/export", {**desk.signed(owner, "export_identity", **named), **named})


def bundle_of(desk: Desk, owner: Person, controller: Person) -> dict[str, Any]:
    """A fresh bundle."""
    bundle: dict[str, Any] = export(desk, owner, controller).ok()["export_bundle"]
    return bundle


def take_in(desk: Desk, owner: Person, bundle: dict[str, Any]) -> Answer:
    """Import a bundle under a fresh challenge for its stated hash."""
    signed = desk.signed(owner, "import_identity", bundle_hash_b64u=bundle["bundle_hash_b64u"])
    return desk.client.post(f"{PLANE}/identity/import", {**signed, "bundle": bundle})


def edited(bundle: dict[str, Any], *, resign: bool = True, payload: Any = None, **members: Any) -> dict[str, Any]:
    """The bundle with other members, hashed and signed anew by the exporter unless told otherwise."""
    changed = {**copy.deepcopy(bundle), **members}
    if payload is not None:
        payload(changed["payload"])
        changed["bundle_hash_b64u"] = payload_hash(changed["payload"])
    if not resign:
        return changed
    return sealed({name: value for name, value in changed.items() if name != "signature_b64u"}, KEY)
