"""What operators see and decide about the breakers of all processes; ``core.resilience`` has the breakers."""
