"""A tenant's settings of follow-up."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class FollowUpSettings(BaseModel):
    """The group ``followup`` of the tenant's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    settings_key: ClassVar[str] = "followup"

    share_out: bool = False
    """Whether the lists of a day are shared out among the officers as soon as they are made, by capacity and load.
    Otherwise somebody shares them out."""
