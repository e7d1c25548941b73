"""Nouns and rules of issuing: requests, tiers, chains, decisions, exchanges, approvals, keys. Pure."""
