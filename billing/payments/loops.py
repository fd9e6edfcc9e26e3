"""Loops of the payment provider, led by one worker. Each ends at once where there is no account at Stripe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Event


def plan(stopping: Event) -> None:
    """Plan what Stripe does not know yet: accounts, subscriptions, and the use of sealed roll-ups."""
    from billing.payments.client import enabled

    if enabled():
        from billing.payments.mirror import mirror_all
        from billing.payments.usage import plan_usage

        mirror_all(stopping)
        plan_usage(stopping)


def exchange(stopping: Event) -> None:
    """Send what waits, and apply the messages that wait."""
    from billing.payments.client import enabled

    if enabled():
        from billing.payments.applying import apply_waiting
        from billing.payments.sender import send_waiting

        apply_waiting(stopping)
        send_waiting(stopping)


def catch_up(stopping: Event) -> None:
    """Store the messages whose webhooks were lost; once a day, compare our ledger with Stripe."""
    from billing.payments.client import enabled

    if enabled():
        from billing.payments.event_log import catch_up as look
        from billing.payments.reconciliation import is_due, reconcile

        look(stopping)
        if is_due():
            reconcile(stopping)
