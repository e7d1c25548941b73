"""Puts identity together."""

from __future__ import annotations

from clawscope.identity.wiring.identity import Identity
from clawscope.identity.wiring.surroundings import Base, Neighbours

__all__ = ["Base", "Identity", "Neighbours"]
