"""Who satisfies whose port: the map of all slices on one page."""

from __future__ import annotations

from clawscope.issuer.adapters.chain_lookup import HttpChains, NoChains
from clawscope.issuer.adapters.tier_file import FileTiers
from clawscope.issuer.settings import IssuerSettings
from clawscope.issuer.wiring import Neighbours


def issuer_neighbours(settings: IssuerSettings) -> Neighbours:
    """What the issuer meets outside itself. Raises `BrokenPolicy` when the tier policy cannot be used."""
    tiers = FileTiers(settings)
    if problem := tiers.problem():
        raise BrokenPolicy(problem)
    return Neighbours(
        chains=HttpChains(settings.identity_url, settings.chain_lookup_timeout_ms) if settings.identity_url else NoChains(),
        tiers=tiers,
        policies=None,  # nobody yet: with `require_known_policy` every pin is unknown
        log=None,  # nobody yet: rows wait behind their cursor
        api_tokens=None,  # nobody yet: every API token is unknown
    )


class BrokenPolicy(ValueError):
    """The tier policy file stops the start; the text says what to mend."""
