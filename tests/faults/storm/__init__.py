"""A storm: writes and jobs under way while API, workers, relay, PostgreSQL and Redis are killed at random moments."""
