"""Which DID may act for whom, right now: challenges, bindings, controllers, agents and their chains (identity.md)."""
