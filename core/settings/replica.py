"""The settings of the read replica."""

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings


def url_field(name: str, description: str) -> SecretStr | None:
    """Return a field for an optional address with a password. Its variable does not begin with ``IIT_``."""
    field: SecretStr | None = Field(default=None, validation_alias=AliasChoices(name), description=description)
    return field


class ReplicaSettings(BaseSettings):
    """Where reports and indicators read, and how old their answers may be."""

    database_replica_url: SecretStr | None = url_field(
        "DATABASE_REPLICA_URL",
        "The application's login to a streaming replica of the first database; unset: all reads go to the database.",
    )
    database_replica_lag: float = Field(
        default=10.0,
        gt=0,
        le=3600,
        description="Seconds that the replica may be behind. While it is further behind, its reads go to the database.",
    )
