"""What tenants use, counted where it happens: billing reads this ledger and nothing else."""

from core.metering.service import GAUGES, METERS, record, recorded, totals

__all__ = ["GAUGES", "METERS", "record", "recorded", "totals"]
