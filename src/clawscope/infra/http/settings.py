"""Settings `[server]`."""

from __future__ import annotations

from dataclasses import dataclass

from clawscope.infra.config.declaring import setting


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the server listens."""

    host: str = setting("127.0.0.1", help="Address to listen on.")
    port: int = setting(8787, help="Port to listen on.", low=0, high=65535)
    workers: int = setting(1, help="Processes that serve.", low=1, high=64)
