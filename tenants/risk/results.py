"""What became of a person: the columns that issued lists and interventions learn when the next contact arrives."""

from datetime import date
from typing import Final, Literal

from sqlalchemy import Date, Text, text
from sqlmodel import Field, SQLModel

ResultName = Literal["returned_in_time", "returned_late", "iit", "died", "transferred_out", "stopped", "not_known"]
"""What became of a person after a list or an intervention."""

RESULTS: Final = ("returned_in_time", "returned_late", "iit", "died", "transferred_out", "stopped", "not_known")
RESULT_CHECK: Final = f"result IN ({', '.join(map(repr, RESULTS))})"


class ResultFields(SQLModel):
    """What became of a person.

    Attributes:
        result: ``returned_in_time``: a contact by the end of the window; ``returned_late``: a contact after an
            interruption; ``iit``: none; ``not_known``: the records do not say yet. Null until the first look.
        result_on: the day of the contact, or of the death, transfer or stop.
        window_end: the last day on which a contact counts as no interruption: expected contact and grace; for people
            in IIT, the day of the list or intervention and grace.
        settled: whether the facility's records were complete for the whole window and the reporting lag. Only settled
            rows may be counted: of newer ones, the records know the people who returned and not those who did not.
    """

    result: str | None = Field(default=None, sa_type=Text)
    result_on: date | None = Field(default=None, sa_type=Date)
    window_end: date | None = Field(default=None, sa_type=Date)
    settled: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
