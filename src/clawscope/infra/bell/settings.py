"""Settings `[bell]`."""

from __future__ import annotations

from dataclasses import dataclass

from clawscope.infra.config.declaring import setting
from clawscope.kernel.secret import Secret


@dataclass(frozen=True, slots=True)
class BellSettings:
    """Valkey or Redis as a bell between processes; without it they poll."""

    url: Secret | None = setting(None, help="`redis://host:port/0`; makes revocations known to other processes at once.")
