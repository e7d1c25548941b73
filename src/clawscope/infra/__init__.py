"""What the machine offers: configuration, database, HTTP, jobs, limits, keys at rest, telemetry. Knows no slice."""
