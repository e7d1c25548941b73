"""Settings `[telemetry]`: logs, the buffer of high-rate facts, spans out."""

from __future__ import annotations

from dataclasses import dataclass

from clawscope.infra.config import setting


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """How much is logged, in which form, and where spans go."""

    log_level: str = setting("info", help="The least level that is logged", choices=("debug", "info", "warning", "error"))
    log_format: str = setting("json", help="One JSON object a line, or text for people", choices=("json", "text"))
    otlp_endpoint: str | None = setting(None, help="URL that takes our spans as OTLP over HTTP (…/v1/traces)")
    buffer_size: int = setting(
        20000, help="Facts and spans held back at most; beyond that they are dropped and counted", low=1, high=10_000_000
    )

    def problems(self) -> list[str]:
        """What does not fit together."""
        if self.otlp_endpoint is not None and not self.otlp_endpoint.startswith(("http://", "https://")):
            return ["otlp_endpoint: write a URL that begins with https:// or http://"]
        return []
