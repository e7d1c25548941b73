"""What the issuer does: one verb a file."""
