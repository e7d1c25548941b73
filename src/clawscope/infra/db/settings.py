"""Settings `[db]`: where the store is."""

from __future__ import annotations

from dataclasses import dataclass

from clawscope.infra.config.declaring import setting
from clawscope.kernel.secret import Secret


@dataclass(frozen=True, slots=True)
class DbSettings:
    """The store: one SQLite file, or PostgreSQL."""

    url: Secret | None = setting(None, help="`sqlite:///FILE` or `postgresql://user:password@host/database`.", required_outside_dev=True)

    def problems(self) -> list[str]:
        """What cannot be opened."""
        if self.url is not None and not self.url.reveal().startswith(("sqlite:///", "postgresql://")):
            return ["url: write sqlite:///FILE or postgresql://…"]
        return []
