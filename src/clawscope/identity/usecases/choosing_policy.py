"""The signer picks the scopes: what a challenge admits as a sensitive policy (identity.md §5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clawscope.identity.domain import errors
from clawscope.identity.domain.challenge import Challenge
from clawscope.identity.domain.policy import PolicyRules, chosen_scopes, policy_hash


def judge_choice(challenge: Challenge, owner_did: str, asked: Sequence[str] | None, rules: PolicyRules) -> None:
    """Raises `CHALLENGE_CONTEXT_MISMATCH` for another policy than was signed; an ill-formed one is left to `require_scopes`."""
    scopes = chosen_scopes(asked)
    if scopes is None:
        return
    named = challenge.bound.get("allowed_sensitive_scopes")
    hashed = challenge.bound.get("policy_hash_b64u")
    if named is not None:
        good = set(named) == set(scopes)
    elif hashed is not None:
        good = hashed == policy_hash(owner_did, scopes)
    else:
        good = rules.admits_unbound(scopes)
    if not good:
        raise errors.CHALLENGE_CONTEXT_MISMATCH("the challenge does not admit this policy", fix="name these scopes in the challenge")


def admitting(owner_did: str, asked: Sequence[str] | None, rules: PolicyRules) -> Callable[[Challenge], None]:
    """The look at a challenge that `presented` takes along."""
    return lambda challenge: judge_choice(challenge, owner_did, asked, rules)


def require_scopes(asked: Sequence[str] | None) -> tuple[str, ...]:
    """The scopes as they are stored. Raises `INVALID_SENSITIVE_POLICY`."""
    scopes = chosen_scopes(asked)
    if scopes is None:
        raise errors.INVALID_SENSITIVE_POLICY("allowed_sensitive_scopes", fix="1 to 64 scopes that start control:")
    return scopes
