"""The tier policy from a file, or the built-in one, until the policies slice keeps it."""

from __future__ import annotations

from pathlib import Path

from clawscope.issuer.domain.errors import POLICY_CONFIG_INVALID
from clawscope.issuer.domain.tier import TierPolicy, TierPolicyBroken, built_in, read_policy
from clawscope.issuer.settings import IssuerSettings


class FileTiers:
    """`Tiers` from `issuer.policy_file`. Read at the start; a later change is taken over when whole, else refused with 503."""

    def __init__(self, settings: IssuerSettings) -> None:
        self._path = Path(settings.policy_file) if settings.policy_file else None
        self._hard_max_ttl_s = settings.hard_max_ttl_s
        self._stamp: tuple[int, int] | None = None
        self._policy = built_in(settings.max_ttl_s, settings.policy_tier)
        self._broken: str | None = None
        if self._path is not None:
            self._read(self._path)

    async def active(self) -> TierPolicy:
        """See `Tiers.active`."""
        if self._path is not None:
            self._read(self._path)
        if self._broken is not None:
            raise POLICY_CONFIG_INVALID("the tier policy file is broken; see the log")
        return self._policy

    def _read(self, path: Path) -> None:
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return
            self._policy, self._broken = read_policy(path.read_bytes(), self._hard_max_ttl_s), None
            self._stamp = stamp
        except (OSError, TierPolicyBroken) as error:
            self._stamp, self._broken = None, f"policy_file: {error}"
