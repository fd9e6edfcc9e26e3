"""The settings of payments by Stripe."""

from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings


class PaymentSettings(BaseSettings):
    """The installation's account at Stripe. Without one, partners pay by bank transfer."""

    stripe_key: SecretStr | None = Field(
        default=None,
        description="Secret or restricted key of the account at Stripe that takes payments. Unset: partners pay by bank"
        " transfer, and an operator records each payment.",
    )
    stripe_webhook_secret: SecretStr | None = Field(
        default=None,
        description="Signing secrets (whsec_...) of the event destinations at Stripe that send to"
        " /v1/hooks/stripe, separated by commas. Required with IIT_STRIPE_KEY.",
    )
    stripe_url: str = Field(
        default="https://api.stripe.com", description="Address of Stripe's API. Only tests use another one."
    )

    def stripe_webhook_secrets(self) -> tuple[str, ...]:
        """Return the signing secrets of the webhooks."""
        text = "" if self.stripe_webhook_secret is None else self.stripe_webhook_secret.get_secret_value()
        return tuple(each.strip() for each in text.split(",") if each.strip())

    @field_validator("stripe_url")
    @classmethod
    def _stripe_server(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
            message = "must begin with https://, and name a host without a path"
            raise ValueError(message)
        return value.rstrip("/")

    @model_validator(mode="after")
    def _stripe_is_whole(self) -> "PaymentSettings":
        if self.stripe_key is not None and not self.stripe_webhook_secrets():
            message = "IIT_STRIPE_KEY needs IIT_STRIPE_WEBHOOK_SECRET"
            raise ValueError(message)
        return self
