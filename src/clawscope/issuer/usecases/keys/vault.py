"""Where private keys are: the port to whoever seals seeds and knows the configured ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from clawscope.issuer.domain.configured_keys import ConfiguredKeys
from clawscope.issuer.domain.keyring import KeyRecord
from clawscope.protocol.keys import SigningKey


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A fresh key: its kid, its public half, and its seed sealed for that kid, purpose and creation second."""

    kid: str
    public: bytes
    sealed: bytes
    created_at: int


class Vault(Protocol):
    """Private keys of this process."""

    @property
    def configured(self) -> ConfiguredKeys:
        """The keys from configuration; empty while keys are managed."""
        ...

    def replace(self, configured: ConfiguredKeys) -> None:
        """Take other configured keys (a reload)."""
        ...

    def private(self, record: KeyRecord) -> SigningKey | None:
        """The private half of a key; `None` if this process has none, or its seed does not open."""
        ...

    def make(self, purpose: str, kid: str | None, now: int) -> MadeKey:
        """A fresh random key. Raises `KEY_INVALID` for a purpose made elsewhere, `SIGNING_CONFIG_INVALID` without a master key."""
        ...
