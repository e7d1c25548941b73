"""The use cases behind the issuer's routes, and the routes."""

from __future__ import annotations

from clawscope.infra.http.endpoint import Endpoint
from clawscope.issuer.adapters.approval_routes import ApprovalRoutes
from clawscope.issuer.adapters.audit_routes import AuditRoutes
from clawscope.issuer.adapters.current_view import TimePause
from clawscope.issuer.adapters.oauth_routes import OAuthRoutes
from clawscope.issuer.adapters.revocation_routes import RevocationRoutes
from clawscope.issuer.adapters.token_routes import TokenRoutes
from clawscope.issuer.domain.decision import IssueRules
from clawscope.issuer.domain.request import FieldLimits
from clawscope.issuer.usecases.cut_off import CutOffSubjects
from clawscope.issuer.usecases.exchange_approval import ApprovalRules, ExchangeApproval
from clawscope.issuer.usecases.exchange_token import ExchangeToken
from clawscope.issuer.usecases.export_audit import ExportAudit, ReadAudit
from clawscope.issuer.usecases.grant_client import GrantClient
from clawscope.issuer.usecases.introspect_token import IntrospectToken
from clawscope.issuer.usecases.issue_token import IssueToken, Profile
from clawscope.issuer.usecases.judge_request import JudgeRequest
from clawscope.issuer.usecases.mint_token import MintToken
from clawscope.issuer.usecases.preflight import Preflight
from clawscope.issuer.usecases.remint_token import RemintToken
from clawscope.issuer.usecases.request_approval import Approvals
from clawscope.issuer.usecases.revoke_token import RevokeToken
from clawscope.issuer.wiring.issuer import Issuer


def issuer_endpoints(issuer: Issuer) -> list[Endpoint]:
    """Every route of tokens.md and keys.md."""
    made = _Made(issuer)
    keys = issuer.keys.endpoints(issuer.view, issuer.denials, issuer.effective_within_s)
    return [*made.tokens(), *made.revocations(), *made.audit(), *made.approvals(), *made.oauth(), *keys]


class _Made:
    """The use cases that several routes share."""

    def __init__(self, issuer: Issuer) -> None:
        settings, base, neighbours = issuer.settings, issuer.base, issuer.neighbours
        self._issuer = issuer
        self._settings = settings
        self._rules = IssueRules(
            policy_tier=settings.policy_tier,
            default_ttl_s=settings.default_ttl_s,
            hard_max_ttl_s=settings.hard_max_ttl_s,
            legacy_exchange_mode=settings.legacy_exchange_mode,
            sensitive_prefixes=settings.sensitive_scope_prefixes,
            require_known_policy=settings.require_known_policy,
        )
        limits = FieldLimits(settings.max_scope_items, settings.max_scope_length)
        judge = JudgeRequest(neighbours.tiers, neighbours.chains, neighbours.policies, self._rules, base.clock)
        self._mint = MintToken(issuer.store, issuer.view, base.clock, TimePause(base.clock))
        self._issue = IssueToken(judge, self._mint, limits, Profile(settings.url, settings.claim_profile, settings.legacy_exchange_mode))
        self._remint = RemintToken(issuer.view)
        self._preflight = Preflight(judge, issuer.store, issuer.view, limits)
        self._revoke = RevokeToken(
            issuer.store,
            issuer.view,
            base.clock,
            hard_max_ttl_s=settings.hard_max_ttl_s,
            clock_skew_s=settings.clock_skew_s,
            effective_within_s=issuer.effective_within_s,
        )

    def tokens(self) -> list[Endpoint]:
        return TokenRoutes(self._issue, self._remint, IntrospectToken(self._issuer.read), self._preflight, self._issuer.denials).endpoints()

    def revocations(self) -> list[Endpoint]:
        issuer, settings = self._issuer, self._settings
        cut = CutOffSubjects(
            issuer.store,
            issuer.base.clock,
            hard_max_ttl_s=settings.hard_max_ttl_s,
            clock_skew_s=settings.clock_skew_s,
            claim_profile=settings.claim_profile,
        )
        return RevocationRoutes(self._revoke, cut, issuer.feed, issuer.followers, issuer.denials).endpoints()

    def audit(self) -> list[Endpoint]:
        issuer = self._issuer
        read = ReadAudit(issuer.store)
        export = ExportAudit(issuer.store, issuer.view, read, issuer.base.clock, self._settings.url)
        return AuditRoutes(read, export, issuer.denials).endpoints()

    def approvals(self) -> list[Endpoint]:
        issuer, settings = self._issuer, self._settings
        approvals = Approvals(
            issuer.store,
            issuer.view,
            issuer.base.clock,
            self._preflight,
            request_ttl_s=settings.approval_request_ttl_s,
            max_ttl_s=settings.approval_max_ttl_s,
            max_age_s=settings.approval_max_age_s,
        )
        rules = ApprovalRules(
            policy_tier=settings.policy_tier,
            max_ttl_s=settings.approval_max_ttl_s,
            max_age_s=settings.approval_max_age_s,
            skew_s=settings.clock_skew_s,
            trusted_approvers=frozenset(settings.trusted_approver_dids),
        )
        neighbours = issuer.neighbours
        exchange = ExchangeApproval(self._issue, neighbours.tiers, neighbours.chains, issuer.store, issuer.view, issuer.base.clock, rules)
        return ApprovalRoutes(approvals, exchange, self._remint, issuer.denials).endpoints()

    def oauth(self) -> list[Endpoint]:
        issuer, settings, neighbours = self._issuer, self._settings, self._issuer.neighbours
        exchange = ExchangeToken(
            issuer.read,
            self._mint,
            neighbours.tiers,
            neighbours.chains,
            issuer.store,
            issuer.base.clock,
            self._rules,
            max_depth=settings.max_exchange_depth,
            max_children=settings.max_children_per_token,
        )
        grant = GrantClient(self._issue)
        resource = settings.audiences[0] if settings.audiences else settings.url
        return OAuthRoutes(
            issuer.credentials, exchange, grant, issuer.read, self._revoke, issuer.denials, settings.url, resource
        ).endpoints()
