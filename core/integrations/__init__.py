"""Instances of plugins at work: requests that vendors send, and events that listeners get."""
