"""Stripe as something that this process calls: its bounds."""

from __future__ import annotations

from typing import Final

from core.resilience import BreakerPolicy, Dependency

STRIPE: Final = Dependency(
    "stripe",
    "Stripe, where partners pay. Without it, calls and webhooks wait; invoices, reminders and all work go on.",
    timeout=30.0,
    at_once=8,
    at_once_per_tenant=4,
    breaker=BreakerPolicy(calls=5, window_seconds=60, open_seconds=10.0, longest_open_seconds=300.0),
)
