"""API schemas of roles."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from core.identity.tenant_roles.service import MEANING_MAX, NAME, NAME_MAX


class RoleOut(BaseModel):
    """A role and its permissions."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(description="The role, as people's `roles` name it.", examples=["case-lead"])
    meaning: str = Field(description="Who has it.", examples=["Leads the case managers of a state."])
    built_in: bool = Field(description="Whether it comes with the platform, and cannot be changed.", examples=[False])
    includes: list[str] = Field(description="The built-in roles that it includes.", examples=[["case_manager"]])
    permissions: list[str] = Field(
        description="What it permits besides the roles that it includes.", examples=[["jobs.read"]]
    )
    effective_permissions: list[str] = Field(
        description="All that it permits.", examples=[["attempts.write", "jobs.read", "patients.read"]]
    )


class RoleFields(BaseModel):
    """The description and the permissions of a role."""

    model_config = ConfigDict(extra="forbid")

    meaning: Annotated[str, StringConstraints(min_length=1, max_length=MEANING_MAX)] = Field(
        description="Who has it, in one line.", examples=["Leads the case managers of a state."]
    )
    includes: list[str] = Field(
        default_factory=list, max_length=20, description="Built-in roles to include.", examples=[["case_manager"]]
    )
    permissions: list[str] = Field(
        default_factory=list, max_length=200, description="Permissions, at most yours.", examples=[["jobs.read"]]
    )


class RoleIn(RoleFields):
    """A role to create."""

    name: Annotated[str, StringConstraints(max_length=NAME_MAX, pattern=f"^{NAME}$")] = Field(
        description="Its name: small letters, digits and hyphens. It cannot be changed.", examples=["case-lead"]
    )
