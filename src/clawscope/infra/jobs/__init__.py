"""Things that happen by the clock, not by a request."""
