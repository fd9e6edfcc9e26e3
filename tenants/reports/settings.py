"""The tenant's settings of reports."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from tenants.reports.dhis2 import Dhis2Mapping


class ReportSettings(BaseModel):
    """The days for which files of reports stay, and the places of counts in DHIS2."""

    model_config = ConfigDict(extra="forbid")
    settings_key: ClassVar[str] = "reports"

    keep_days: int = Field(default=7, ge=1, le=90, description="Days after which the file of a report is removed.")
    dhis2: Dhis2Mapping | None = Field(
        default=None, description="The mapping of counts to DHIS2's data elements, for the files of data value sets."
    )
