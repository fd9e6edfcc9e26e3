"""A storm of alerts: workers are killed while channels are notified."""
