"""The settings of the language model that writes answers to questions."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings


class AnsweringSettings(BaseSettings):
    """The language model of the installation. Each tenant decides whether its questions may be sent there."""

    language_model_url: str | None = Field(
        default=None,
        description="Address of a language model with OpenAI's API, up to and with /v1, such as"
        " http://10.0.0.5:8000/v1. Without one, questions are answered by quotes. A tenant's settings `answers` decide"
        " whether its questions are sent there.",
    )
    language_model_name: str = Field(default="", description="Name of the model, as its server knows it.")
    language_model_key: SecretStr | None = Field(default=None, description="Credential for the language model.")
    language_model_seconds: float = Field(
        default=30.0, gt=0, le=300, description="Seconds within which the language model must answer."
    )
    language_model_prices: Path | None = Field(
        default=None,
        description="File with the prices of models in US dollars for 1,000 tokens, in the form of openlit:"
        ' {"chat": {"<model>": {"promptPrice": 0.0001, "completionPrice": 0.0004}}}. Without one, answers cost nothing,'
        " and only tokens are limited.",
    )

    @field_validator("language_model_url")
    @classmethod
    def _model_server(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if value is not None and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.username):
            message = "must begin with http:// or https://, and name a host without a password"
            raise ValueError(message)
        return None if value is None else value.rstrip("/")
