"""The times and choices that bind key moves, as `issuer.keys.*` sets them (keys.md §8)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KeyRules:
    """Settings of keys, in seconds; `from_config` says that keys come from configuration and the store follows it."""

    from_config: bool = False
    kid_rule: str = "rfc7638"
    jwks_max_age_s: int = 300
    publish_delay_s: int = 600
    overlap_s: int = 3600
    clock_skew_s: int = 60
    rotate_every_s: int = 2_592_000
    snapshot_refresh_s: int = 300
    allow_unpublished: bool = True
    slo_target_s: int = 2
    node_live_s: int = 30
    node_forget_s: int = 3600

    def cut_off(self, now: int, latest_exp: int | None) -> int:
        """When a key that stops signing now is accepted no longer: every token lives out its time (keys.md §1)."""
        return max(now + self.overlap_s, latest_exp or 0) + 2 * self.clock_skew_s


def key_times(publish_delay_s: int, jwks_max_age_s: int, overlap_s: int, clock_skew_s: int) -> list[str]:
    """What start-up checks (keys.md §3): readers must see a key before it signs, and drop it after it stopped."""
    found = []
    if publish_delay_s < jwks_max_age_s + clock_skew_s:
        found.append("publish_delay_s must be at least jwks_max_age_s + clock_skew_s, or a key signs before every reader can know it")
    if overlap_s and jwks_max_age_s > overlap_s / 4:
        found.append("jwks_max_age_s must be at most a quarter of overlap_s, or readers keep a key past its overlap")
    return found
