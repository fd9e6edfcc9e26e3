"""What the installation does now, without Prometheus: each process says what it did in the last minute."""
