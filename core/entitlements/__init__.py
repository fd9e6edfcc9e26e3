"""Entitlements: may a tenant use an extra now? A room that bills decides; without one, everything is allowed.

Only extras are ever asked for. Imports, lists, attempts, outcomes, reading and export depend on no entitlement.
"""

from core.entitlements.decisions import ALLOWED, EXTRAS, Decision, Extra, capped, unpaid
from core.entitlements.errors import CapReached, PaymentRequired
from core.entitlements.service import allowed, forget, require

__all__ = [
    "ALLOWED",
    "EXTRAS",
    "CapReached",
    "Decision",
    "Extra",
    "PaymentRequired",
    "allowed",
    "capped",
    "forget",
    "require",
    "unpaid",
]
