"""Keeping signing seeds: sealed under a master key that lives outside the database (keys.md §2)."""

from __future__ import annotations

from clawscope.infra.keys.sealing import CannotOpen, MasterKey, open_sealed, parse_master_key, seal

__all__ = ["CannotOpen", "MasterKey", "open_sealed", "parse_master_key", "seal"]
