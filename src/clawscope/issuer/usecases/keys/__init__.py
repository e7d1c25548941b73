"""What can be done with signing keys: make, publish, activate, replace, withdraw, and show that it was done (keys.md)."""
