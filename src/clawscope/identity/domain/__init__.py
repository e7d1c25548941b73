"""DIDs, challenges, records and the rules between them: pure."""
