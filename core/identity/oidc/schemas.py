"""API schemas of single sign-on."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from core.identity.oidc.domains import DOMAIN_MAX
from core.identity.oidc.providers import MOST_MAPPED, ROLES_CLAIM

ISSUER_MAX = 500
CLIENT_MAX = 255
SECRET_MAX = 1000
NAME_MAX = 255
CALLBACK = "/sign-in/sso/callback"
"""Path of the redirect address, which the tenant registers at its provider."""

SIGN_IN = "/sign-in/sso"
BACK_CHANNEL = "/v1/sso/back-channel"

Value = Annotated[str, StringConstraints(min_length=1, max_length=NAME_MAX)]


class SsoIn(BaseModel):
    """The single sign-on that the tenant asks for."""

    model_config = ConfigDict(extra="forbid")

    issuer: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=ISSUER_MAX)] = Field(
        description="The provider's issuer, exactly as its metadata names it.", examples=["https://login.example.org"]
    )
    client_id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=CLIENT_MAX)] = Field(
        description="The client that the provider registered for this platform.", examples=["iit"]
    )
    client_secret: str | None = Field(
        default=None,
        max_length=SECRET_MAX,
        description="The client's secret; null keeps the stored one. No answer contains it.",
        examples=[None],
    )
    roles_claim: Value = Field(
        default=ROLES_CLAIM, description="The claim of the ID token that holds roles or groups.", examples=["groups"]
    )
    role_mapping: dict[Value, Value] = Field(
        default_factory=dict,
        max_length=MOST_MAPPED,
        description="Value of that claim -> name of a role. With a mapping, each sign-in sets the person's roles.",
        examples=[{"iit-trackers": "tracking_officer"}],
    )
    default_role: Value | None = Field(
        default=None,
        description="The role of who has no mapped value; null rejects them.",
        examples=["viewer"],
    )
    enforced: bool = Field(
        default=False, description="Whether passwords of the tenant's people are rejected.", examples=[False]
    )
    break_glass_person_id: UUID | None = Field(
        default=None,
        description="The admin who may still use a password while it is enforced. Its use is in the audit.",
        examples=[None],
    )


class SsoOut(BaseModel):
    """The tenant's single sign-on, without the client's secret."""

    model_config = ConfigDict(from_attributes=True)

    issuer: str = Field(description="The provider's issuer.", examples=["https://login.example.org"])
    client_id: str = Field(description="The client that the provider registered.", examples=["iit"])
    has_secret: bool = Field(description="Whether a client secret is stored.")
    roles_claim: str = Field(description="The claim that holds roles or groups.", examples=["groups"])
    role_mapping: dict[str, str] = Field(
        description="Value of that claim -> name of a role.", examples=[{"iit-trackers": "tracking_officer"}]
    )
    default_role: str | None = Field(description="The role of who has no mapped value.", examples=["viewer"])
    enforced: bool = Field(description="Whether passwords of the tenant's people are rejected.")
    break_glass_person_id: UUID | None = Field(description="The admin who may still use a password.", examples=[None])
    redirect_path: str = Field(
        description="Path of the redirect address to register at the provider, after the address of the portal.",
        examples=[CALLBACK],
    )
    sign_in_path: str = Field(
        description="Path at which the provider's catalogue of applications begins a sign-in.",
        examples=["/sign-in/sso?partner=my-programme"],
    )
    back_channel_path: str = Field(
        description="Path to which the provider sends logout tokens.",
        examples=["/v1/sso/back-channel/019c2291-b3a0-7768-a5f9-23774462ebfc"],
    )
    changed_at: datetime = Field(description="When it was last changed.")
    changed_by: str = Field(description="Who changed it, as the audit names them.", examples=["person:019c2291"])


class SsoTestIn(BaseModel):
    """The address of the portal."""

    model_config = ConfigDict(extra="forbid")

    portal: Annotated[str, StringConstraints(max_length=300, pattern=r"^https?://[A-Za-z0-9.:\[\]-]+$")] | None = Field(
        default=None,
        description="Address of the portal, as browsers see it; null for the address of this request.",
        examples=["https://iit.example.org"],
    )


class SsoFindingOut(BaseModel):
    """The finding of one check."""

    model_config = ConfigDict(from_attributes=True)

    check: str = Field(description="What was checked.", examples=["keys"])
    ok: bool = Field(description="Whether nothing is wrong.")
    problem: str | None = Field(description="What is wrong; null if nothing is.", examples=[None])
    remedy: str | None = Field(description="What to do about it.", examples=[None])


class SsoTestOut(BaseModel):
    """The result of the test."""

    ok: bool = Field(description="Whether nothing is wrong.")
    redirect_address: str = Field(
        description="The redirect address that was tested.", examples=["https://iit.example.org/sign-in/sso/callback"]
    )
    findings: list[SsoFindingOut] = Field(description="What each check found.")


class SsoDomainIn(BaseModel):
    """A domain to claim."""

    model_config = ConfigDict(extra="forbid")

    domain: str = Field(
        min_length=1, max_length=DOMAIN_MAX, description="Domain of e-mail addresses.", examples=["example.org"]
    )


class SsoDomainOut(BaseModel):
    """A domain that the tenant claims."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="The claim.")
    domain: str = Field(description="Domain of e-mail addresses.", examples=["example.org"])
    record: str = Field(
        description="Text of the TXT record to publish at the domain, and to leave there.",
        examples=["iit-verify=Qm9uam91cg"],
    )
    created_at: datetime = Field(description="When it was claimed.")
    checked_at: datetime | None = Field(
        description="When the record was last looked for; null for never.", examples=[None]
    )
    proved_at: datetime | None = Field(description="When the record was found; null until then.", examples=[None])
