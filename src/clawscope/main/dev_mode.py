"""Dev mode: keys and the first operator key are made once under the data folder; only what is missing is filled."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clawscope.kernel.ids import random_bytes
from clawscope.kernel.secret import Secret
from clawscope.protocol import b64u

_SECRETS = "dev-secrets.json"
_ENTRY = "dev.json"
OPERATOR = "dev"


def dev_values(data: Path, base_url: str) -> dict[str, Any]:
    """Values for settings nobody gave, by dotted name; secrets are read from, or made in, the data folder."""
    secrets = _secrets(data)
    return {
        "db.url": Secret(f"sqlite:///{data / 'clawscope.db'}"),
        "issuer.url": base_url,
        "issuer.operator_keys": {OPERATOR: Secret(secrets["operator_key"])},
        "issuer.protected_auth_mode": "either",
        "issuer.keys.master_key": Secret(secrets["master_key"]),
        "telemetry.log_level": "warning",
        "telemetry.log_format": "text",
    }


def write_entry(data: Path, base_url: str, issuer: str, operator_keys: Mapping[str, Secret]) -> str | None:
    """Write `dev.json` (mode 0600) so that a script can drive the server; returns the operator key in it."""
    key = operator_keys.get(OPERATOR) or next(iter(operator_keys.values()), None)
    entry = {"base_url": base_url, "issuer": issuer, "operator_key": key.reveal() if key else None}
    _write_private(data / _ENTRY, entry)
    return entry["operator_key"]


def _secrets(data: Path) -> dict[str, str]:
    data.mkdir(parents=True, exist_ok=True)
    path = data / _SECRETS
    if path.exists():
        kept: dict[str, str] = json.loads(path.read_text())
        return kept
    made = {"operator_key": "op_" + b64u.encode(random_bytes(32)), "master_key": b64u.encode(random_bytes(32))}
    _write_private(path, made)
    return made


def _write_private(path: Path, content: Mapping[str, Any]) -> None:
    # Made with its final mode, so that it is at no moment readable by others; then moved into place whole.
    draft = path.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
    draft.replace(path)
