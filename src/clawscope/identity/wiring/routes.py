"""The use cases behind identity's routes, and the routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clawscope.identity.adapters.audit_routes import AuditRoutes
from clawscope.identity.adapters.binding_routes import BindingRoutes
from clawscope.identity.adapters.change_routes import ChangeRoutes
from clawscope.identity.adapters.controller_routes import ControllerRoutes
from clawscope.identity.adapters.delegation_routes import DelegationRoutes
from clawscope.identity.adapters.roster_routes import RosterRoutes
from clawscope.identity.adapters.scope_routes import ScopeRoutes
from clawscope.identity.usecases.bind_did import BindDid
from clawscope.identity.usecases.bootstrap_delegation import BootstrapDelegation
from clawscope.identity.usecases.confirm_rotation import ConfirmRotation
from clawscope.identity.usecases.deactivate import Deactivate
from clawscope.identity.usecases.exchange_challenge import ExchangeChallenge, OpenScopeChallenge
from clawscope.identity.usecases.export_audit import ExportAudit
from clawscope.identity.usecases.export_identity import ExportIdentity
from clawscope.identity.usecases.import_identity import ImportIdentity
from clawscope.identity.usecases.open_challenge import OpenChallenge
from clawscope.identity.usecases.open_control_challenge import OpenControlChallenge
from clawscope.identity.usecases.publish_roster import PublishRoster
from clawscope.identity.usecases.read_audit import ReadAudit
from clawscope.identity.usecases.register_agent import RegisterAgent
from clawscope.identity.usecases.register_controller import RegisterController
from clawscope.identity.usecases.revoke_binding import RevokeBinding
from clawscope.identity.usecases.set_policy import SetPolicy
from clawscope.identity.usecases.transfer_controller import TransferController
from clawscope.infra.http.endpoint import Endpoint

if TYPE_CHECKING:
    from clawscope.identity.wiring.identity import Identity


def identity_endpoints(identity: Identity) -> list[Endpoint]:
    """Every route of identity.md."""
    audit = AuditRoutes(ReadAudit(identity.store), ExportAudit(identity.store)).endpoints(identity.doors)
    bootstrap = BootstrapDelegation(identity.store, identity.base.clock, identity.settings.delegate_key)
    delegations = DelegationRoutes(bootstrap).endpoints(identity.doors)
    rosters = RosterRoutes(PublishRoster(identity.store, identity.base.clock), identity.base.clock).endpoints(identity.doors)
    return [*_bindings(identity), *_controllers(identity), *_scoped(identity), *delegations, *rosters, *audit]


def _bindings(identity: Identity) -> list[Endpoint]:
    store, clock, rules = identity.store, identity.base.clock, identity.rules
    routes = BindingRoutes(
        OpenChallenge(store, clock, rules),
        OpenControlChallenge(store, clock, rules),
        BindDid(store, clock),
        RevokeBinding(store, clock, identity.neighbours.cut_offs),
        identity.reads,
        rules,
    )
    return routes.endpoints(identity.doors)


def _scoped(identity: Identity) -> list[Endpoint]:
    store, clock, rules, neighbours = identity.store, identity.base.clock, identity.rules, identity.neighbours
    exchange = ExchangeChallenge(store, clock, rules, neighbours.scoped_issuer, neighbours.leaves)
    return ScopeRoutes(OpenScopeChallenge(store, clock, rules), exchange).endpoints(identity.doors)


def _controllers(identity: Identity) -> list[Endpoint]:
    store, clock, rules, cut_offs = identity.store, identity.base.clock, identity.rules, identity.neighbours.cut_offs
    routes = ControllerRoutes(
        RegisterController(store, clock, cut_offs, rules),
        RegisterAgent(store, clock, rules),
        SetPolicy(store, clock, cut_offs, rules),
        Deactivate(store, clock, cut_offs),
        identity.reads,
    )
    keys = identity.neighbours.statement_keys
    changes = ChangeRoutes(
        ConfirmRotation(store, clock, cut_offs, rules),
        TransferController(store, clock, cut_offs, rules),
        ExportIdentity(store, clock, keys, rules),
        ImportIdentity(store, clock, keys, rules),
    )
    return [*routes.endpoints(identity.doors), *changes.endpoints(identity.doors, routes.known)]
