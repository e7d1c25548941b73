"""Settings: declared by each slice, read from file and environment, checked whole before anything starts."""

from __future__ import annotations

from clawscope.infra.config.declaring import Declared, nested, setting
from clawscope.infra.config.loading import ConfigProblems, Loaded, load
from clawscope.infra.config.showing import EffectiveRow, describe, effective, secrets_of

__all__ = ["ConfigProblems", "Declared", "EffectiveRow", "Loaded", "describe", "effective", "load", "nested", "secrets_of", "setting"]
