"""What the API says about usage."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

_USE: dict[str, Any] = {
    "id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2d52",
    "meter": "import_rows",
    "value": "1200",
    "key": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c34",
    "occurred_at": "2026-03-04T08:15:00Z",
    "recorded_at": "2026-03-04T08:15:00Z",
    "dimensions": {},
    "corrects": None,
    "reason": None,
}
_METER: dict[str, Any] = {
    "meter": "import_rows",
    "unit": "row",
    "description": "Rows that completed imports read.",
    "aggregation": "sum",
    "quantity": "1200",
    "rows": [{"begin": "2026-03-04T00:00:00+01:00", "quantity": "1200"}],
}
_USAGE: dict[str, Any] = {
    "since": "2026-02-28T23:00:00Z",
    "until": "2026-03-31T23:00:00Z",
    "time_zone": "Africa/Lagos",
    "complete_until": "2026-03-31T23:05:00Z",
    "batch": 412,
    "meters": [_METER],
}
_LEDGER: dict[str, Any] = {
    "database": "default",
    "complete_until": "2026-03-31T23:05:00Z",
    "checked_at": "2026-03-31T23:05:10Z",
    "failed_at": None,
    "error": None,
}
_TENANT: dict[str, Any] = {
    "tenant_id": "019c2292-0f00-7000-8000-000000000001",
    "slug": "partner-a",
    "quantities": {"import_rows": "1200"},
}


class UsageRow(BaseModel):
    """The use of a day or an hour."""

    begin: datetime = Field(description="Begin of the day or hour.")
    quantity: Decimal = Field(description="How much.", examples=["1200"])


class MeterUsageOut(BaseModel):
    """The use of one meter."""

    model_config = ConfigDict(json_schema_extra={"example": _METER})

    meter: str = Field(description="Its name.", examples=["import_rows"])
    unit: str = Field(description="What one is.", examples=["row"])
    description: str = Field(description="What is counted, and when.")
    aggregation: str = Field(
        description="How uses make the quantity: `sum`, `latest`, or `unique:` and a dimension.", examples=["sum"]
    )
    quantity: Decimal = Field(description="How much in the whole span.", examples=["1200"])
    rows: list[UsageRow] = Field(description="The days or hours with use, if `by` asks for them.")


class UsageOut(BaseModel):
    """The use of a span."""

    model_config = ConfigDict(json_schema_extra={"example": _USAGE})

    since: datetime = Field(description="Begin of the span.")
    until: datetime = Field(description="End of the span, which is not part of it.")
    time_zone: str = Field(description="The tenant's time zone, whose days these are.", examples=["Africa/Lagos"])
    complete_until: datetime | None = Field(
        description="Every use that was recorded before this instant is contained; null: nothing is rolled up yet."
    )
    batch: int = Field(description="The newest batch of uses that is contained. As of it the figures never change.")
    meters: list[MeterUsageOut] = Field(description="The meters, by name.")


class UsageEventOut(BaseModel):
    """One use."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _USE})

    id: UUID = Field(description="The use.")
    meter: str = Field(description="Its meter.", examples=["import_rows"])
    value: Decimal = Field(description="How much; negative for a counter-entry.", examples=["1200"])
    key: str = Field(description="What was used, such as the id of the import; unique for a meter.")
    occurred_at: datetime = Field(description="When it was used.")
    recorded_at: datetime = Field(description="When it was recorded.")
    dimensions: dict[str, str] = Field(description="What it is divided by.", examples=[{"model": "boosting"}])
    corrects: UUID | None = Field(description="The use that this counter-entry takes off again; null: it is a use.")
    reason: str | None = Field(description="Why it was corrected; null: it is a use.")


class LedgerOut(BaseModel):
    """How far the uses of one data database are rolled up."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": _LEDGER})

    database: str = Field(description="The data database.", examples=["default"])
    complete_until: datetime | None = Field(description="Every use recorded before is rolled up; null: none is yet.")
    checked_at: datetime | None = Field(description="When it was last rolled up.")
    failed_at: datetime | None = Field(description="When it last failed; null: the last roll-up succeeded.")
    error: str | None = Field(description="What failed, without values.")


class TenantUsageOut(BaseModel):
    """What one tenant used."""

    model_config = ConfigDict(json_schema_extra={"example": _TENANT})

    tenant_id: UUID = Field(description="The tenant.")
    slug: str | None = Field(description="Its short name; null: it was deleted.", examples=["partner-a"])
    quantities: dict[str, Decimal] = Field(description="How much of each meter.", examples=[{"import_rows": "1200"}])


class OperatorUsageOut(BaseModel):
    """What all tenants used, and how far it is rolled up."""

    model_config = ConfigDict(json_schema_extra={"example": {"ledgers": [_LEDGER], "tenants": [_TENANT]}})

    ledgers: list[LedgerOut] = Field(description="The data databases.")
    tenants: list[TenantUsageOut] = Field(description="The tenants that used anything, by short name.")
