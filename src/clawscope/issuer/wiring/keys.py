"""The issuer's keys: vault, start, jobs, routes."""

from __future__ import annotations

from clawscope.infra.db.database import Transactor
from clawscope.infra.http.endpoint import Endpoint
from clawscope.infra.jobs.runner import Job
from clawscope.infra.telemetry.logs import get_logger
from clawscope.issuer.adapters.denials import Denials
from clawscope.issuer.adapters.keyring_loader import KeyringLoader, key_rules, seed_vault
from clawscope.issuer.domain.keyring import Keyring
from clawscope.issuer.ports import TransparencyLog, View, Work
from clawscope.issuer.settings import IssuerSettings
from clawscope.issuer.usecases.keys.boot_keys import BootKeys
from clawscope.issuer.wiring.surroundings import Base

_log = get_logger("keys")


class KeyPart:
    """Everything about signing keys."""

    def __init__(self, settings: IssuerSettings, store: Transactor, base: Base, log: TransparencyLog | None) -> None:
        self._settings = settings
        self._store = store
        self._base = base
        self._transparency = log
        self._vault = seed_vault(settings.keys)
        self._rules = key_rules(settings)
        self._boot = BootKeys(store, base.clock, self._vault, self._rules)
        self._loader = KeyringLoader(self._vault)

    def load(self, work: Work) -> Keyring:
        """The keyring of a transaction."""
        return self._loader(work)

    async def start(self) -> None:
        """Make the key set stand."""
        followed = await self._boot()
        for warning in followed.warnings:
            _log.warning(warning)

    async def stop(self) -> None:
        """Nothing to leave yet."""

    def jobs(self, view: View) -> list[Job]:
        """What happens by the clock."""
        return []

    def endpoints(self, view: View, denials: Denials) -> list[Endpoint]:
        """Every route of keys.md."""
        return []
