"""The answer while no issuer shares this process: nothing was minted here that could be cut off."""

from __future__ import annotations

from typing import Any


class NoCutOffs:
    """`CutOffs` without an issuer."""

    def cut_off(self, transaction: Any, dimension: str, value: str, reason: str) -> None:
        """Does nothing; the event of the cut-off still tells who listens."""
