"""Who issues documents and how to pay, as the installation's settings state it at the moment of issue."""

from __future__ import annotations

from core.settings import get_settings


def issuer() -> dict[str, list[str]]:
    """Return the lines of the issuer and of the payment, as documents print them."""
    settings = get_settings()
    return {"lines": _lines(settings.invoice_issuer), "payment": _lines(settings.invoice_payment)}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("|") if line.strip()]
