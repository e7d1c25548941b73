"""Routes of challenges and bindings (identity.md §3, §4)."""

from __future__ import annotations

from clawscope.identity.adapters import wire
from clawscope.identity.adapters.doors import Doors
from clawscope.identity.adapters.reading import did_of, exact, named, named_if_sent, path_did
from clawscope.identity.domain import code_lists, errors, purposes
from clawscope.identity.domain.rules import Rules
from clawscope.identity.domain.wanted import Wanted
from clawscope.identity.usecases.bind_did import BindDid
from clawscope.identity.usecases.open_challenge import OpenChallenge
from clawscope.identity.usecases.open_control_challenge import OpenControlChallenge
from clawscope.identity.usecases.read_identity import ReadIdentity
from clawscope.identity.usecases.revoke_binding import RevokeBinding
from clawscope.infra.http.call import NO_STORE, Call, Reply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.kernel.codes import INVALID_REQUEST

_OPTIONAL = (
    "controller_did",
    "agent_did",
    "policy_hash_b64u",
    "rotation_role",
    "from_did",
    "to_did",
    "transfer_to_owner_did",
    "bundle_hash_b64u",
    "account_id",
)


class BindingRoutes:
    """The handlers."""

    def __init__(
        self,
        open_own: OpenChallenge,
        open_control: OpenControlChallenge,
        bind: BindDid,
        revoke: RevokeBinding,
        read: ReadIdentity,
        rules: Rules,
    ) -> None:
        self._open_own = open_own
        self._open_control = open_control
        self._bind = bind
        self._revoke = revoke
        self._read = read
        self._rules = rules

    async def open_own(self, call: Call) -> Reply:
        """`POST /v1/challenges`."""
        body: wire.ChallengeBody = call.body
        did, purpose, version = did_of(body, "did"), named(body, "purpose"), named(body, "message_version")
        judge_own_form(purpose, version, self._rules.message_versions)
        return Reply(await self._open_own(did, purpose, version), headers=NO_STORE)

    async def open_control(self, call: Call) -> Reply:
        """`POST /v1/control-plane/challenges`."""
        return Reply(await self._open_control(wanted_of(call.body)), headers=NO_STORE)

    async def bind(self, call: Call) -> Reply:
        """`POST /v1/bind`."""
        body: wire.BindBody = call.body
        return Reply(await self._bind(named(body, "did"), named(body, "challenge_id"), exact(body, "signature_b64u")))

    async def revoke(self, call: Call) -> Reply:
        """`POST /v1/bindings/revoke`."""
        body: wire.RevokeBody = call.body
        return Reply(await self._revoke(named(body, "did"), named(body, "challenge_id"), exact(body, "signature_b64u"), body.reason))

    async def binding(self, call: Call) -> Reply:
        """`GET /v1/bindings/{did}`."""
        return Reply(await self._read.binding(path_did(call, "did")), headers=NO_STORE)

    def endpoints(self, doors: Doors) -> list[Endpoint]:
        """What is served."""
        own = (errors.BINDING_REVOKED,)
        proof = (*code_lists.OWN_PROOF, errors.BINDING_REVOKED)
        giving_up = (*code_lists.OWN_PROOF, errors.BINDING_NOT_FOUND)
        asked, made = wire.ChallengeAnswerBody, wire.StatusBody
        return [
            doors.change("/v1/challenges", self.open_own, wire.ChallengeBody, "Ask what to sign to bind or revoke a DID", asked, own),
            doors.change("/v1/control-plane/challenges", self.open_control, wire.ControlChallengeBody,
                         "Ask what to sign to change the control plane", asked, code_lists.CONTROL_CHALLENGE),
            doors.change("/v1/bind", self.bind, wire.BindBody, "Bind a DID by its signature", made, proof),
            doors.change("/v1/bindings/revoke", self.revoke, wire.RevokeBody, "Revoke a binding for ever", made, giving_up),
            doors.read("/v1/bindings/{did}", self.binding, "A binding", wire.BindingBody, (errors.BINDING_NOT_FOUND,)),
        ]  # fmt: skip


def judge_own_form(purpose: str, version: str, versions: tuple[str, ...]) -> None:
    """Raises `INVALID_REQUEST` for another purpose or a form of message that is not offered."""
    if purpose not in (purposes.BIND, purposes.REVOKE):
        raise INVALID_REQUEST("purpose: is bind or revoke")
    if version not in versions:
        raise INVALID_REQUEST("message_version: is not offered", fix="one of " + ", ".join(versions))


def wanted_of(body: wire.ControlChallengeBody) -> Wanted:
    """The request with its identifiers trimmed."""
    optional = {name: named_if_sent(body, name) for name in _OPTIONAL}
    return Wanted(
        owner_did=named(body, "owner_did"),
        purpose=named(body, "purpose"),
        message_version=named(body, "message_version"),
        allowed_sensitive_scopes=None if body.allowed_sensitive_scopes is None else tuple(body.allowed_sensitive_scopes),
        audience=None if body.audience is None else tuple(body.audience),
        context_parts=tuple(body.context_parts or ()),
        **optional,
    )
