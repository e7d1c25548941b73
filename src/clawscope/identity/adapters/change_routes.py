"""Routes of rotation and transfer (identity.md §6, §7)."""

from __future__ import annotations

from clawscope.identity.adapters import wire
from clawscope.identity.adapters.controller_routes import ONE
from clawscope.identity.adapters.doors import Before, Doors
from clawscope.identity.adapters.reading import named, named_if_sent, path_did, signed_of
from clawscope.identity.domain import code_lists, purposes
from clawscope.identity.usecases.confirm_rotation import ConfirmRotation, Rotation
from clawscope.identity.usecases.transfer_controller import TransferController
from clawscope.infra.http.call import Call, Reply
from clawscope.infra.http.endpoint import Endpoint
from clawscope.kernel.codes import INVALID_REQUEST


class ChangeRoutes:
    """The handlers."""

    def __init__(self, rotate: ConfirmRotation, transfer: TransferController) -> None:
        self._rotate = rotate
        self._transfer = transfer

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
