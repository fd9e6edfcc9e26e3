"""What callers may send about accounts."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from core.clock.time import zone

Text = Annotated[str, Field(max_length=500)]


class AccountChange(BaseModel):
    """Values of a billing account. What is absent stays as it is; null removes a value that may be absent."""

    model_config = ConfigDict(extra="forbid")

    legal_name: Annotated[str, Field(min_length=1, max_length=200)] = Field(default="", description="Whom to invoice.")
    address: Text = Field(default="", description="Postal address, as invoices print it.")
    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")] | None = Field(
        default=None, description="Receives invoices, reminders and notices."
    )
    tax_name: Annotated[str, Field(min_length=1, max_length=40)] = Field(default="VAT", description="Name of the tax.")
    tax_rate: Annotated[Decimal, Field(ge=0, le=100, decimal_places=4)] = Field(
        default=Decimal(0), description="Percent."
    )
    tax_exemption: Text | None = Field(default=None, description="Why no tax is charged; null: it is charged.")
    tax_id: Text | None = Field(default=None, description="The partner's tax number.")
    purchase_order: Text | None = Field(default=None, description="Printed on invoices.")
    due_days: Annotated[int, Field(ge=0, le=366)] | None = Field(default=None, description="Null: those of the plan.")
    provider: Literal["manual", "stripe"] = Field(default="manual", description="How payments arrive.")
    time_zone: str = Field(default="UTC", description="IANA name; decides on which day use falls.")

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        zone(value)
        return value
