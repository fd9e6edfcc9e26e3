"""API schemas of people."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from core.identity.people.names import EMAIL_MAX, NAME_MAX

Roles = Annotated[list[str], Field(min_length=1, max_length=20)]


class GrantFields(BaseModel):
    """The role and the facilities of a person in the tenant."""

    model_config = ConfigDict(extra="forbid")

    roles: Roles = Field(description="Names of roles.", examples=[["tracking_officer"]])
    facilities: list[str] | None = Field(
        default=None, max_length=5000, description="DATIM ids of the only facilities; null for all.", examples=[None]
    )
    states: list[str] | None = Field(
        default=None, max_length=100, description="Only the facilities of these states; null for all.", examples=[None]
    )


class PersonIn(GrantFields):
    """A person to invite."""

    email: str = Field(max_length=EMAIL_MAX, description="What they sign in with.", examples=["tracker@example.org"])
    name: Annotated[str, StringConstraints(max_length=NAME_MAX)] = Field(
        description="How pages call them.", examples=["Tracking officer"]
    )


class PersonOut(BaseModel):
    """A person of the tenant."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="The person.")
    email: str = Field(description="What they sign in with.", examples=["tracker@example.org"])
    name: str = Field(description="How pages call them.", examples=["Tracking officer"])
    state: Literal["active", "deactivated"] = Field(description="Whether the account can be used.")
    roles: list[str] = Field(description="Names of roles.", examples=[["tracking_officer"]])
    facilities: list[str] | None = Field(description="DATIM ids of the only facilities; null for all.", examples=[None])
    states: list[str] | None = Field(description="Only the facilities of these states; null for all.", examples=[None])
    invited: bool = Field(description="Whether they have not used the invitation yet.", examples=[True])
    created_at: datetime = Field(description="When they joined the tenant.")
    last_seen_at: datetime | None = Field(
        description="Their last request, to the minute; null for none.", examples=[None]
    )


class LinkOut(BaseModel):
    """A link for a person to choose a password. Only this answer contains it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="The link.")
    path: str = Field(
        description="Path of the page; put the address of the portal before it.", examples=["/password/abc"]
    )
    expires_at: datetime = Field(description="When it stops working.", examples=["2026-02-10T08:15:00Z"])


class PersonInvited(PersonOut):
    """A new person, and the link to accept the invitation. They choose a first password or enter their present one."""

    link: LinkOut = Field(description="Give it to the person. It is in this answer only.")


class LinkIn(BaseModel):
    """The purpose of the new link."""

    model_config = ConfigDict(extra="forbid")

    purpose: Literal["invitation", "reset"] = Field(
        default="reset", description="An invitation lasts longer.", examples=["reset"]
    )
