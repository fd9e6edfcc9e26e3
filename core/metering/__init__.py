"""Metering: counts what tenants use, in the transaction of the use. Billing reads only this ledger."""

from core.metering.reading import BEGINNING, Usage, UsageCursor, read_usage
from core.metering.service import meters, record, recorded, totals

__all__ = ["BEGINNING", "Usage", "UsageCursor", "meters", "read_usage", "record", "recorded", "totals"]
