"""What tenants use, counted where it happens: billing reads this ledger and nothing else."""

from core.metering.service import METERS, record, totals

__all__ = ["METERS", "record", "totals"]
