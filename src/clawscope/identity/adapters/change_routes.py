"""Routes of rotation, transfer, export and import (identity.md §6–§8)."""

from __future__ import annotations

from clawscope.identity.adapters import wire
from clawscope.identity.adapters.controller_routes import ONE
from clawscope.identity.adapters.doors import Before, Doors
from clawscope.identity.adapters.reading import named, named_if_sent, path_did, signed_of
from clawscope.identity.domain import code_lists, purposes
from clawscope.identity.usecases.confirm_rotation import ConfirmRotation, Rotation
from clawscope.identity.usecases.export_identity import Asked, ExportIdentity
from clawscope.identity.usecases.import_identity import ImportIdentity
from clawscope.identity.usecases.transfer_controller import TransferController
from clawscope.infra.http.call import NO_STORE, Call, Reply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.kernel.codes import INVALID_REQUEST
from clawscope.kernel.text import trimmed

_MOST_BUNDLE_BYTES = 16 * 1024 * 1024


class ChangeRoutes:
    """The handlers."""

    def __init__(self, rotate: ConfirmRotation, transfer: TransferController, export: ExportIdentity, take_in: ImportIdentity) -> None:
        self._rotate = rotate
        self._transfer = transfer
        self._export = export
        self._import = take_in

    async def rotate(self, call: Call) -> Reply:
        """`POST rotations/confirm`."""
        return Reply(await self._rotate(signed_of(call.body), rotation_of(call.body)))

    async def request(self, call: Call) -> Reply:
        """`POST controllers/{c}/transfer/request`."""
        target = named(call.body, "transfer_to_owner_did")
        return Reply(await self._transfer.request(signed_of(call.body), path_did(call, "controller"), target))

    async def confirm(self, call: Call) -> Reply:
        """`POST controllers/{c}/transfer/confirm`."""
        target = named_if_sent(call.body, "transfer_to_owner_did")
        return Reply(await self._transfer.confirm(signed_of(call.body), path_did(call, "controller"), target))

    async def cancel(self, call: Call) -> Reply:
        """`POST controllers/{c}/transfer/cancel`."""
        return Reply(await self._transfer.cancel(signed_of(call.body), path_did(call, "controller")))

    async def export(self, call: Call) -> Reply:
        """`POST identity/export`."""
        body: wire.ExportBody = call.body
        audience = None if body.audience is None else tuple(trimmed(one) for one in body.audience)
        asked = Asked(named(body, "controller_did"), named_if_sent(body, "agent_did"), audience)
        return Reply(await self._export(signed_of(body), asked), headers=NO_STORE)

    async def take_in(self, call: Call) -> Reply:
        """`POST identity/import`."""
        return Reply(await self._import(signed_of(call.body), call.body.bundle))

    def endpoints(self, doors: Doors, known: Before) -> list[Endpoint]:
        """What is served; `known` refuses an unknown controller before its body is judged."""
        made = wire.StatusBody
        return [
            doors.change("/v1/control-plane/rotations/confirm", self.rotate, wire.RotationBody, "Continue under another DID", made,
                         code_lists.ROTATE),
            doors.change(f"{ONE}/transfer/request", self.request, wire.TransferRequestBody, "Offer a controller to another owner", made,
                         code_lists.TRANSFER_REQUEST, before=known),
            doors.change(f"{ONE}/transfer/confirm", self.confirm, wire.TransferConfirmBody, "Take over an offered controller", made,
                         code_lists.TRANSFER_CONFIRM, before=known),
            doors.change(f"{ONE}/transfer/cancel", self.cancel, wire.SignedBody, "Call off a pending transfer", made,
                         code_lists.TRANSFER_ANSWER, before=known),
            doors.change("/v1/control-plane/identity/export", self.export, wire.ExportBody, "Export a controller, signed", made,
                         code_lists.EXPORT),
            doors.change("/v1/control-plane/identity/import", self.take_in, wire.ImportBody, "Import an exported controller", made,
                         code_lists.IMPORT, most_bytes=_MOST_BUNDLE_BYTES),
        ]  # fmt: skip


def rotation_of(body: wire.RotationBody) -> Rotation:
    """The rotation asked for. Raises `INVALID_REQUEST`."""
    role, under = named(body, "rotation_role"), named_if_sent(body, "controller_did")
    found = Rotation(role, named(body, "from_did"), named(body, "to_did"), under)
    if role not in purposes.ROLES:
        raise INVALID_REQUEST("rotation_role: is controller or agent")
    if role == "agent" and under is None:
        raise INVALID_REQUEST("controller_did: is required to rotate an agent")
    if role == "controller" and under not in (None, found.from_did):
        raise INVALID_REQUEST("controller_did: a controller that rotates is from_did itself")
    return found
