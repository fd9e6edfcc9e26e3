"""A tenant's confirmations of facilities that imports name."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Code = Annotated[str, Field(min_length=1, max_length=200)]


class FacilitySettings(BaseModel):
    """Codes of facilities that imports hold back, and their confirmations."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    settings_key: ClassVar[str] = "facilities"

    confirmed: tuple[Code, ...] = ()
    """DATIM ids of new clinics that imports may add, although their code or name is like that of a known clinic."""

    aliases: dict[Code, Code] = Field(default_factory=dict)
    """Other spellings of codes: the code in the files, and the DATIM id of the facility that it means."""
