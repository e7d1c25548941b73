"""Stand-ins that keep their promises in memory."""
