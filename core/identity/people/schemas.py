"""API schemas of people."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from core.identity.people.names import EMAIL_MAX, NAME_MAX
from core.identity.people.people_file import LONGEST

Roles = Annotated[list[str], Field(min_length=1, max_length=20)]


class GrantFields(BaseModel):
    """The roles of a person in the tenant, and what they reach there."""

    model_config = ConfigDict(extra="forbid")

    roles: Roles = Field(description="Names of roles.", examples=[["tracking_officer"]])
    facilities: list[str] | None = Field(
        default=None, max_length=5000, description="DATIM ids of the only facilities; null for all.", examples=[None]
    )
    states: list[str] | None = Field(
        default=None, max_length=100, description="Only the facilities of these states; null for all.", examples=[None]
    )
    assigned_only: bool = Field(
        default=False, description="Only the patients who are assigned to the person.", examples=[False]
    )


Language = Literal["en", "fr", "pt"]
"""A language of pages and letters."""


class PersonIn(GrantFields):
    """A person to invite."""

    email: str = Field(max_length=EMAIL_MAX, description="What they sign in with.", examples=["tracker@example.org"])
    name: Annotated[str, StringConstraints(max_length=NAME_MAX)] = Field(
        description="How pages call them.", examples=["Tracking officer"]
    )
    language: Language | None = Field(
        default=None,
        description="Language of pages and letters of a new account, until the person chooses; null for the tenant's.",
        examples=["fr"],
    )


class PersonOut(BaseModel):
    """A person of the tenant. Until they accept the invitation, name and language are those that the inviter gave."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="The person.")
    email: str = Field(description="What they sign in with.", examples=["tracker@example.org"])
    name: str = Field(description="How pages call them.", examples=["Tracking officer"])
    state: Literal["active", "deactivated"] = Field(description="Whether the person may use the tenant.")
    roles: list[str] = Field(description="Names of roles.", examples=[["tracking_officer"]])
    facilities: list[str] | None = Field(description="DATIM ids of the only facilities; null for all.", examples=[None])
    states: list[str] | None = Field(description="Only the facilities of these states; null for all.", examples=[None])
    assigned_only: bool = Field(description="Only the patients who are assigned to the person.", examples=[False])
    language: str | None = Field(
        description="The language of their pages and letters; null while they follow their browser and the tenant.",
        examples=[None],
    )
    second_factor: bool = Field(description="Whether they have set up a second factor.", examples=[False])
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


class PeopleFileIn(BaseModel):
    """A file of people to add."""

    model_config = ConfigDict(extra="forbid")

    csv: str = Field(
        max_length=LONGEST,
        description="The file: a header (`email,name,roles,facilities,states,assigned_only,language`), then one person"
        " a line, at most 1,000; the last four columns may be missing. Several roles, facilities (DATIM ids) or"
        " states are separated by semicolons; none means all. `assigned_only` is yes or no; empty means no.",
        examples=["email,name,roles,facilities,states\ntracker@example.org,Tracking officer,tracking_officer,,\n"],
    )
    dry_run: bool = Field(
        default=False, description="Only report what is wrong and who would be added.", examples=[False]
    )


class RowProblem(BaseModel):
    """A problem of a row."""

    column: str = Field(description="The column.", examples=["roles"])
    problem: str = Field(description="What is wrong.", examples=["names a role that does not exist"])
    remedy: str = Field(description="What to write instead.", examples=["Write viewer."])


class PersonRowOut(BaseModel):
    """One row of a file of people."""

    line: int = Field(description="The line of the file, counted from 1.", examples=[2])
    email: str = Field(description="The address in the row.", examples=["tracker@example.org"])
    name: str = Field(description="The name in the row.", examples=["Tracking officer"])
    state: Literal["new", "present", "wrong"] = Field(
        description="`present`: belongs to the tenant already, with just these roles and reach.", examples=["new"]
    )
    problems: list[RowProblem] = Field(description="What is wrong with the row.", examples=[[]])
    link: LinkOut | None = Field(
        description="The link of who was added, in this answer only; null for others.", examples=[None]
    )


class PeopleFileOut(BaseModel):
    """The result of a file of people."""

    added: int = Field(description="How many were added.", examples=[1])
    present: int = Field(description="How many belonged to the tenant already, and stay as they are.", examples=[0])
    wrong: int = Field(description="How many rows are wrong; above 0 only with `dry_run`.", examples=[0])
    rows: list[PersonRowOut] = Field(description="Every row.")


class LinkIn(BaseModel):
    """The purpose of the new link."""

    model_config = ConfigDict(extra="forbid")

    purpose: Literal["invitation", "reset"] = Field(
        default="reset", description="An invitation lasts longer.", examples=["reset"]
    )
    compromised: bool = Field(
        default=False,
        description="Somebody else may know the password: with a reset, it, the sessions, and the API keys that the"
        " person created end at once. Otherwise password and sessions end when the link is used, and the keys stay.",
        examples=[False],
    )
