"""The settings of sign-in."""

from pydantic import Field
from pydantic_settings import BaseSettings


class SigningInSettings(BaseSettings):
    """How long sessions and links last, and what signing in needs."""

    session_idle_minutes: int = Field(
        default=60, ge=1, description="Minutes without a request after which a person's session ends."
    )
    session_hours: int = Field(default=12, ge=1, description="Hours after which a person signs in again.")
    operator_second_factor: bool | None = Field(
        default=None,
        description="Whether operators need a second factor to sign in; unset: only in production. An operator"
        " without one sets it up at the next sign-in.",
    )
    invitation_hours: int = Field(default=72, ge=1, description="Hours for which an invitation can be used.")
    reset_minutes: int = Field(default=60, ge=1, description="Minutes for which a link to a new password can be used.")
    sso_private_addresses: bool = Field(
        default=False,
        description="Whether tenants' sign-in providers may have addresses in this server's private network. If"
        " not, no tenant can make this server call an internal address.",
    )
