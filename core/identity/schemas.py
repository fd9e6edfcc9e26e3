"""Bodies and answers of the API about the caller and API keys."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from core.identity.people.names import NAME_MAX
from core.web.days import IsoInstant

_KEY = f"iit_{'0123456789ab'}_{'0' * 64}"


class MyTenant(BaseModel):
    """The tenant that the caller acts for."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="The tenant.")
    slug: str = Field(description="Its short name.", examples=["lakeside-care"])
    name: str = Field(description="Its full name.", examples=["Lakeside Care Initiative"])
    time_zone: str = Field(description="The zone in which its days begin.", examples=["Africa/Lagos"])


class MyScope(BaseModel):
    """The part of the tenant's records that the caller reaches."""

    facilities: list[str] | None = Field(description="DATIM ids of the only facilities; null for all.", examples=[None])
    states: list[str] | None = Field(description="Only facilities in these states; null for all.", examples=[None])
    assigned_only: bool = Field(description="Only patients who are assigned to the person.", examples=[False])


class MeIn(BaseModel):
    """What people choose for themselves."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(max_length=NAME_MAX)] | None = Field(
        default=None, description="How pages of every tenant call you; null to keep the name.", examples=["Ann Ade"]
    )

    language: Literal["en", "fr", "pt"] | None = Field(
        description="Language of pages and letters, on every device; null to follow the browser and the tenant.",
        examples=["fr"],
    )


class Me(BaseModel):
    """The caller: the principal and its permissions."""

    kind: Literal["api_key", "person", "operator"] = Field(description="What it is.", examples=["api_key"])
    id: str = Field(description="The key, or the account.", examples=["019c2291-b3a0-7768-a5f9-23774462ebfc"])
    name: str = Field(description="The name of the key or the person.", examples=["reporting server"])
    tenant: MyTenant | None = Field(description="The tenant that it acts for; null for operators.")
    permissions: list[str] = Field(description="What it may do.", examples=[["cohort.read", "patients.read"]])
    roles: list[str] = Field(description="The roles that give the permissions.", examples=[[]])
    scope: MyScope = Field(description="Which tenant and facilities the caller sees.")
    on_behalf_of: str | None = Field(description="Whom it acts for; null for itself.", examples=[None])
    language: str | None = Field(
        description="The language that a person chose; null for none, and for keys.", examples=[None]
    )
    signed_in_by: str | None = Field(description="How a person signed in; null for keys.", examples=[None])
    expires_at: datetime | None = Field(
        description="When the credential ends; null for never.", examples=["2027-01-31T00:00:00Z"]
    )


class ApiKeyOut(BaseModel):
    """An API key without its secret."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="The key.")
    prefix: str = Field(description="The second part of the key's text, to recognise it by.", examples=["0123456789ab"])
    name: str = Field(description="What the key is for.", examples=["reporting server"])
    permissions: list[str] | None = Field(
        description="What it may do; null for everything, future permissions included.", examples=[["cohort.read"]]
    )
    created_at: datetime = Field(description="When it was created.")
    created_by: str = Field(
        description="Who created it; for a key that a person's key created, the person.",
        examples=["api_key:019c2291-b3a0-7768-a5f9-23774462ebfc"],
    )
    expires_at: datetime | None = Field(
        description="When it expires; null for never.", examples=["2027-01-31T00:00:00Z"]
    )
    revoked_at: datetime | None = Field(description="When it was revoked; null while it is valid.", examples=[None])
    last_used_at: datetime | None = Field(description="Its last use, to the minute; null for none.", examples=[None])


class ApiKeyIn(BaseModel):
    """An API key to create."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] = Field(
        description="What the key is for.", examples=["reporting server"]
    )
    permissions: list[str] | None = Field(
        default=None,
        max_length=200,
        description="Permissions of the key, at most your own. Default: all your present permissions.",
        examples=[["cohort.read"]],
    )
    expires_at: IsoInstant | None = Field(
        default=None,
        description="When it expires. Without it, when the API key expires that creates it, else never.",
        examples=["2027-01-31T00:00:00Z"],
    )


class ApiKeyCreated(ApiKeyOut):
    """A new API key. Its text is in this answer only."""

    api_key: str = Field(description="The key. Store it now: it cannot be shown again.", examples=[_KEY])
