"""The issuer's keys: vault, start, reload, jobs, routes."""

from __future__ import annotations

from functools import partial

from clawscope.infra.config.loading import ConfigProblems
from clawscope.infra.db.database import Transactor
from clawscope.infra.http.endpoint import Endpoint
from clawscope.infra.jobs.runner import Job
from clawscope.infra.telemetry.logs import get_logger
from clawscope.issuer.adapters.current_view import CurrentView
from clawscope.issuer.adapters.denials import Denials
from clawscope.issuer.adapters.discovery_routes import discovery_routes
from clawscope.issuer.adapters.key_routes import KeyUseCases, key_routes
from clawscope.issuer.adapters.keyring_loader import KeyringLoader, key_rules, read_configured, seed_vault
from clawscope.issuer.adapters.own_node import OwnNode
from clawscope.issuer.domain import events
from clawscope.issuer.domain.configured_keys import FaultyKeys
from clawscope.issuer.domain.keyring import Keyring
from clawscope.issuer.ports import TransparencyLog, Work
from clawscope.issuer.settings import IssuerSettings, KeySettings
from clawscope.issuer.usecases.keys.acknowledge import Acknowledge
from clawscope.issuer.usecases.keys.activate_key import ActivateKey
from clawscope.issuer.usecases.keys.boot_keys import BootKeys
from clawscope.issuer.usecases.keys.follow_configuration import Followed
from clawscope.issuer.usecases.keys.import_verify_key import ImportVerifyKey
from clawscope.issuer.usecases.keys.prepare_key import PrepareKey
from clawscope.issuer.usecases.keys.publish_key_leaves import PublishKeyLeaves
from clawscope.issuer.usecases.keys.read_history import ReadHistory
from clawscope.issuer.usecases.keys.read_keys import ReadKeys
from clawscope.issuer.usecases.keys.report_slo import ReportSlo
from clawscope.issuer.usecases.keys.retire_key import RetireKey
from clawscope.issuer.usecases.keys.revoke_key import RevokeKey
from clawscope.issuer.usecases.keys.rotate_key import RotateKey
from clawscope.issuer.usecases.keys.run_scheduled_moves import RunScheduledMoves
from clawscope.issuer.wiring.surroundings import Base
from clawscope.kernel.errors import Refusal
from clawscope.protocol import did

_HEARTBEAT_S = 4
_log = get_logger("keys")


class KeyPart:
    """Everything about signing keys of one process."""

    def __init__(self, settings: IssuerSettings, store: Transactor, base: Base, log: TransparencyLog | None) -> None:
        self._settings = settings
        self._store = store
        self._base = base
        self._transparency = log
        self._vault = seed_vault(settings.keys)
        self._rules = key_rules(settings)
        self._boot = BootKeys(store, base.clock, self._vault, self._rules)
        self._loader = KeyringLoader(self._vault)
        self._acknowledge = Acknowledge(store, base.clock, self._rules)
        self._node: OwnNode | None = None

    def load(self, work: Work) -> Keyring:
        """The keyring of a transaction."""
        return self._loader(work)

    async def start(self) -> None:
        """Make the key set stand. Raises `FaultyKeys`, refusals of the store."""
        _warn(await self._boot())

    async def report(self, view: CurrentView) -> None:
        """Join the verifier nodes before the first request: a row nobody reported would never count as applied."""
        self._node = OwnNode(self._base.node_id, self._acknowledge, view)
        await self._node.report()

    async def stop(self) -> None:
        """Leave the list of verifier nodes in good order."""
        if self._node is not None:
            await self._node.leave()

    async def reload(self, settings: KeySettings) -> bool:
        """Take configured keys anew (SIGHUP); a faulty configuration changes nothing, is an event, and answers False."""
        try:
            _warn(await self._boot.reload(read_configured(settings)))
        except ConfigProblems as problems:
            await self._boot.refuse_reload(problems.lines)
            return False
        except (FaultyKeys, Refusal) as fault:
            _log.warning("keys not reloaded", fault=type(fault).__name__)
            return False
        return True

    async def refuse_reload(self, lines: list[str]) -> None:
        """Tell as an event that a faulty configuration was not taken; `lines` show no material."""
        await self._boot.refuse_reload(lines)

    def jobs(self) -> list[Job]:
        """What happens by the clock."""
        assert self._node is not None  # jobs begin after `report`
        activate = ActivateKey(self._store, self._base.clock, self._vault, self._rules, self._transparency)
        rotate = RotateKey(self._store, self._base.clock, self._vault, self._rules)
        moves = RunScheduledMoves(self._store, self._base.clock, self._vault, self._rules, activate, rotate)
        slo = ReportSlo(self._store, self._base.clock, self._rules)
        leaves = [] if self._transparency is None else [Job("keys.leaves", 2, PublishKeyLeaves(self._store, self._transparency))]
        return [
            Job("keys.moves", 1, partial(_move, moves)),
            Job("keys.node", _HEARTBEAT_S, self._node.report, leased=False),
            Job("keys.lost_nodes", 30, self._acknowledge.tell_lost),
            Job("keys.slo", 60, slo.hourly),
            Job("keys.prune", 3600, slo.prune),
            *leaves,
        ]

    def endpoints(self, view: CurrentView, denials: Denials, effective_within_s: int) -> list[Endpoint]:
        """Every route of keys.md."""
        store, clock, vault, rules = self._store, self._base.clock, self._vault, self._rules
        keys = ReadKeys(view, clock, rules, did.did_web_of(self._settings.url))
        history = ReadHistory(store, view, clock, vault, rules)
        use = KeyUseCases(
            prepare=PrepareKey(store, clock, vault, rules),
            rotate=RotateKey(store, clock, vault, rules),
            activate=ActivateKey(store, clock, vault, rules, self._transparency),
            retire=RetireKey(store, clock, vault, rules),
            revoke=RevokeKey(store, clock, vault, rules, effective_within_s=effective_within_s),
            import_verify=ImportVerifyKey(store, clock, vault, rules),
            keys=keys,
            history=history,
            slo=ReportSlo(store, clock, rules),
            acknowledge=self._acknowledge,
        )
        discovery = discovery_routes(keys, history, self._settings.keys.jwks_max_age_s)
        return [*discovery, *key_routes(use, denials.recorded(events.ACCESS_DENIED))]


async def _move(moves: RunScheduledMoves) -> None:
    run = await moves()
    for refusal in run.refused:
        _log.warning("scheduled key move refused", reason=str(refusal))


def _warn(followed: Followed) -> None:
    for warning in followed.warnings:
        _log.warning(warning)
