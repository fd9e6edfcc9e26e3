"""The settings of invoices."""

from pydantic import Field
from pydantic_settings import BaseSettings


class InvoicingSettings(BaseSettings):
    """Who issues the invoices of this installation."""

    invoice_issuer: str = Field(
        default="",
        max_length=1000,
        description="Who issues invoices, as they print it: name, address and tax number, with `|` between the lines.",
    )
    invoice_payment: str = Field(
        default="",
        max_length=1000,
        description="How to pay, as invoices print it, such as the bank account, with `|` between the lines.",
    )
