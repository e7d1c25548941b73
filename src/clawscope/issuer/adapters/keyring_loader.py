"""Opening private keys: sealed seeds of managed keys, seeds from configuration; and the process's keyring from the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from clawscope.infra.config.loading import ConfigProblems
from clawscope.infra.keys import CannotOpen, MasterKey, open_sealed, parse_master_key, seal
from clawscope.issuer.domain.configured_keys import ConfiguredKeys, FaultyKeys, parse
from clawscope.issuer.domain.key_errors import SIGNING_CONFIG_INVALID
from clawscope.issuer.domain.key_material import kid_of
from clawscope.issuer.domain.key_rules import KeyRules
from clawscope.issuer.domain.keyring import PREPARED, KeyRecord, Keyring
from clawscope.issuer.ports import Work
from clawscope.issuer.settings import IssuerSettings, KeySettings
from clawscope.issuer.usecases.keys.vault import MadeKey
from clawscope.kernel.ids import random_bytes
from clawscope.kernel.secret import Secret
from clawscope.protocol.keys import SEED_BYTES, SigningKey


class SeedVault:
    """`Vault` with a master key for managed seeds and the seeds of the configuration. Opened keys are kept in memory."""

    def __init__(self, master: MasterKey | None, configured: ConfiguredKeys, kid_rule: str) -> None:
        self._master = master
        self._kid_rule = kid_rule
        self._opened: dict[str, SigningKey | None] = {}
        self.replace(configured)

    @property
    def configured(self) -> ConfiguredKeys:
        """See `Vault.configured`."""
        return self._configured

    def replace(self, configured: ConfiguredKeys) -> None:
        """See `Vault.replace`."""
        self._configured = configured
        self._seeds = configured.seeds()

    def private(self, record: KeyRecord) -> SigningKey | None:
        """See `Vault.private`."""
        listed = self._seeds.get(record.kid)
        if listed is not None:
            return listed if listed.public == record.public else None
        if record.kid not in self._opened:
            self._opened[record.kid] = self._open(record)
        return self._opened[record.kid]

    def make(self, purpose: str, kid: str | None, now: int) -> MadeKey:
        """See `Vault.make`."""
        if self._master is None:
            raise SIGNING_CONFIG_INVALID("there is no master key to seal a new seed with")
        seed = random_bytes(SEED_BYTES)
        public = SigningKey.from_seed(seed).public
        named = kid if kid is not None else kid_of(purpose, public, self._kid_rule)
        return MadeKey(named, public, seal(seed, self._master, named, purpose, now), now)

    def _open(self, record: KeyRecord) -> SigningKey | None:
        if record.sealed is None or self._master is None:
            return None
        try:
            key = SigningKey.from_seed(open_sealed(record.sealed, self._master, record.kid, record.purpose, record.created_at))
        except (CannotOpen, ValueError):
            return None
        return key if key.public == record.public else None


class PrivateHalves(Mapping[str, SigningKey]):
    """The private keys of some rows, asked of the vault each time: a reload of this process may bring a seed after the rows."""

    def __init__(self, vault: SeedVault, records: Iterable[KeyRecord]) -> None:
        self._vault = vault
        self._records = {record.kid: record for record in records}

    def __getitem__(self, kid: str) -> SigningKey:
        key = self._vault.private(self._records[kid])
        if key is None:
            raise KeyError(kid)
        return key

    def __iter__(self) -> Iterator[str]:
        return (kid for kid, record in self._records.items() if self._vault.private(record) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class KeyringLoader:
    """Builds the keyring of this process from a unit of work; a seed that does not open leaves only that key without private half."""

    def __init__(self, vault: SeedVault) -> None:
        self._vault = vault

    def __call__(self, work: Work) -> Keyring:
        """The keyring at the newest snapshot of this transaction."""
        return self.build(work.snapshots.head(), work.keys.all())

    def build(self, sequence: int, records: list[KeyRecord]) -> Keyring:
        """The keyring of these rows. A listed key that only stands by is what `SIGNING_NOT_READY` waits for."""
        waiting = frozenset(record.kid for record in records if record.source == "config" and record.state == PREPARED)
        return Keyring(sequence, records, PrivateHalves(self._vault, records), waiting)


def seed_vault(settings: KeySettings) -> SeedVault:
    """The vault the settings describe. Raises `ConfigProblems` naming every bad entry."""
    if settings.from_config:
        return SeedVault(_master(settings), read_configured(settings), settings.kid_rule)
    return SeedVault(_master(settings), ConfiguredKeys(), settings.kid_rule)


def read_configured(settings: KeySettings) -> ConfiguredKeys:
    """The configured keys, at start and at a reload. Raises `ConfigProblems` naming every bad entry, showing no material."""
    try:
        return parse(
            signing_key=_text(settings.signing_key),
            signing_keys_json=_text(settings.signing_keys_json),
            verify_public_keys_json=settings.verify_public_keys_json,
            statement_key=_text(settings.statement_key),
            kid_rule=settings.kid_rule,
        )
    except FaultyKeys as faulty:
        raise ConfigProblems([f"issuer.keys.{line}" for line in faulty.lines]) from None


def key_rules(settings: IssuerSettings) -> KeyRules:
    """The rules of key moves these settings make."""
    kept = settings.keys
    return KeyRules(
        from_config=kept.from_config,
        kid_rule=kept.kid_rule,
        jwks_max_age_s=kept.jwks_max_age_s,
        publish_delay_s=kept.publish_delay_s,
        overlap_s=kept.overlap_s,
        clock_skew_s=settings.clock_skew_s,
        rotate_every_s=kept.rotate_every_s,
        snapshot_refresh_s=kept.snapshot_refresh_s,
        allow_unpublished=kept.allow_unpublished,
        slo_target_s=kept.slo_target_s,
        node_live_s=kept.node_live_s,
        node_forget_s=kept.node_forget_s,
    )


def _master(settings: KeySettings) -> MasterKey | None:
    if settings.master_key is None:
        return None
    try:
        return parse_master_key(settings.master_key)
    except ValueError as fault:
        raise ConfigProblems([f"issuer.keys.master_key: {fault}"]) from None


def _text(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()
