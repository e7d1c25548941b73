"""Puts the issuer together."""

from __future__ import annotations

from clawscope.issuer.wiring.issuer import Issuer
from clawscope.issuer.wiring.routes import issuer_endpoints
from clawscope.issuer.wiring.surroundings import Base, Neighbours

__all__ = ["Base", "Issuer", "Neighbours", "issuer_endpoints"]
