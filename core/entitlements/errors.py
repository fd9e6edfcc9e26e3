"""The errors of an extra that a tenant may not use now."""

from __future__ import annotations

from core.errors import AppError, TooManyRequests


class PaymentRequired(AppError):  # noqa: N818 - named by what happened, as the family
    """The tenant's plan does not include an extra, or an invoice is unpaid."""

    status = 402
    slug = "payment-required"
    title = "Your plan does not include this now"
    hint = "Ask the operator of the installation."


class CapReached(TooManyRequests):
    """The tenant has used as much of an extra as its plan permits in a period."""

    slug = "cap-reached"
    title = "The cap of your plan is reached"
    hint = "Wait for the next period, or ask the operator of the installation for a higher cap."
