"""The issuer: capability tokens, their revocation, their keys and their audit."""
