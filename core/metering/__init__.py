"""What tenants use, counted in the transaction of the use: billing reads this ledger and nothing else."""

from core.metering.reading import BEGINNING, Usage, UsageCursor, read_usage
from core.metering.service import meters, record, recorded, totals

__all__ = ["BEGINNING", "Usage", "UsageCursor", "meters", "read_usage", "record", "recorded", "totals"]
