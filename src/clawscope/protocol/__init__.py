"""Everything that must agree byte for byte between issuer, proxy and verifiers: pure, usable offline on its own."""
