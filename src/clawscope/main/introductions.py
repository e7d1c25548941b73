"""Who satisfies whose port: the map of all slices on one page."""

from __future__ import annotations

from clawscope.issuer.adapters.no_chains import NoChains
from clawscope.issuer.adapters.tier_file import FileTiers
from clawscope.issuer.ports import Chains
from clawscope.issuer.settings import IssuerSettings
from clawscope.issuer.wiring import Neighbours


def issuer_neighbours(settings: IssuerSettings) -> Neighbours:
    """What the issuer meets outside itself."""
    return Neighbours(
        chains=_chains(settings),
        tiers=FileTiers(settings),
        policies=None,  # nobody yet: with `require_known_policy` every pin is unknown
        log=None,  # nobody yet: rows wait behind their cursor
        api_tokens=None,  # nobody yet: every API token is unknown
    )


def _chains(settings: IssuerSettings) -> Chains:
    if settings.identity_url is None:
        return NoChains()
    from clawscope.issuer.adapters.chain_lookup import HttpChains  # an HTTP client only where one is needed

    return HttpChains(settings.identity_url, settings.chain_lookup_timeout_ms)
