"""Every section of the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from clawscope.identity.settings import IdentitySettings
from clawscope.infra.bell.settings import BellSettings
from clawscope.infra.db.settings import DbSettings
from clawscope.infra.http.settings import ServerSettings
from clawscope.infra.telemetry.settings import TelemetrySettings
from clawscope.issuer.settings import IssuerSettings

SECTIONS: Mapping[str, type] = {
    "server": ServerSettings,
    "db": DbSettings,
    "bell": BellSettings,
    "telemetry": TelemetrySettings,
    "issuer": IssuerSettings,
    "identity": IdentitySettings,
}
