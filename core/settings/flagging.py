"""The settings of feature flags."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class FlaggingSettings(BaseSettings):
    """Where feature flags come from."""

    unleash_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="Address of the API of an Unleash server, such as https://unleash.example.org/api, whose flags this"
        " installation follows. Without one, `iit flag` and the operators' pages set them.",
    )
    unleash_token: SecretStr | None = Field(default=None, description="Client token of the Unleash server.")
