"""The settings of one installation: the type, the default and the purpose of every key.

``settings.example.env`` lists the same for operators; a test compares the two.
"""

import base64
import binascii
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from core.settings.answering import AnsweringSettings
from core.settings.flagging import FlaggingSettings
from core.settings.invoicing import InvoicingSettings
from core.settings.observing import ObservingSettings
from core.settings.payments import PaymentSettings
from core.settings.pools import PoolSettings
from core.settings.replica import ReplicaSettings, url_field
from core.settings.serving import ServingSettings
from core.settings.signing_in import SigningInSettings
from core.settings.working import WorkingSettings

CHECKOUT = Path(__file__).resolve().parents[2]
"""The source tree: the application runs from its tree, never from a wheel."""

MASTER_KEY_BYTES = 32
DATABASE_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
MAIN_DATABASE = "default"


class DataDatabase(BaseModel):
    """Another database for tenants' data: the application's login, and the owner's if this process may use it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr
    owner_url: SecretStr | None = None


class Settings(
    ObservingSettings,
    ReplicaSettings,
    PoolSettings,
    SigningInSettings,
    WorkingSettings,
    ServingSettings,
    AnsweringSettings,
    FlaggingSettings,
    InvoicingSettings,
    PaymentSettings,
):
    """The settings that an operator can change, by environment variable or in the settings file.

    A key is ``IIT_`` and the field's name in capitals. Only the addresses of servers have their customary names.
    """

    model_config = SettingsConfigDict(env_prefix="IIT_", extra="forbid", frozen=True, env_ignore_empty=True)

    environment: Literal["development", "test", "production"] = Field(
        default="development",
        description="What this installation is: development, test or production. API and worker do not start in"
        " production without fsync, with debug logs, or with a generated or guessable master key.",
    )
    state_dir: Path = Field(
        default=CHECKOUT / ".iit",
        description="Folder for the embedded servers, the generated master key and the blobs.",
    )
    scratch_dir: Path | None = Field(
        default=None,
        description="Folder for temporary files of jobs, plugins and answers; unset: `scratch` in the state folder.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe level of log lines that are written."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="How log lines look: console, json, or auto (console on a terminal, else json)."
    )
    database_url: SecretStr | None = url_field(
        "DATABASE_URL", "The application's login to an external PostgreSQL >= 16."
    )
    database_owner_url: SecretStr | None = url_field(
        "DATABASE_OWNER_URL", "The owner's login to the same database: migrations and provisioning only."
    )
    redis_url: SecretStr | None = url_field("REDIS_URL", "An external Redis >= 7 or Valkey.")
    data_databases: dict[str, DataDatabase] = Field(
        default={},
        description="Further databases for tenants' data, as JSON: the name of each, with its `url` and `owner_url`.",
    )
    master_key: SecretStr | None = Field(
        default=None,
        description="The master key, which wraps every tenant's key: 32 bytes in base64. Required with DATABASE_URL.",
    )
    master_key_previous: SecretStr | None = Field(
        default=None, description="The previous master key, during a rotation. It unwraps tenants' keys and wraps none."
    )
    backup_dir: Path | None = Field(
        default=None,
        description="Folder for base backups and WAL of the embedded PostgreSQL; unset: backups in the state folder.",
    )
    blob_url: str | None = Field(
        default=None, description="Address of the store for uploads, artifacts and exports, as fsspec writes it."
    )
    disk_full_bytes: int = Field(
        default=100_000_000,
        ge=0,
        description="Free bytes of a disk below which `/health/ready` answers that it is not ready.",
    )
    disk_low_bytes: int = Field(
        default=2_000_000_000, ge=0, description="Free bytes of a disk below which readiness and `iit status` warn."
    )
    plugins_unconfined: str = Field(
        default="",
        description="Names of third-party plugins, separated by commas, that may run although this system cannot"
        " confine them. See `iit plugin list`.",
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="Server that sends e-mails: `smtps://user:password@host:465`, or `smtp://` and port 587 for"
        " STARTTLS. Needs IIT_MAIL_FROM and IIT_PUBLIC_URL. Unset: no e-mail is sent.",
    )
    mail_from: str = Field(
        default="",
        pattern=r"^([^\r\n]{0,200}[^@\s<]+@[^@\s>]+>?)?$",
        description="Sender of e-mails: `name@example.org`, or `Name <name@example.org>`.",
    )
    outgoing_networks: str = Field(
        default="",
        description="Networks of your own that webhooks and other calls may reach, separated by commas, such as"
        " `10.20.0.0/16`. Calls to other private addresses are rejected.",
    )
    tenant_grace_days: int = Field(
        default=30, ge=0, description="Days between `iit tenant delete` and the day from which a tenant may be purged."
    )
    services_fsync: bool = Field(
        default=True, description="Whether the embedded PostgreSQL waits for the disk. Off only for tests."
    )

    @property
    def drains_for(self) -> float:
        """The seconds for which a stopping server still serves."""
        if self.drain_seconds is not None:
            return self.drain_seconds
        return 5.0 if self.environment == "production" else 0.0

    def outgoing_allowed_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Return the networks of ``outgoing_networks``."""
        return tuple(ip_network(each.strip()) for each in self.outgoing_networks.split(",") if each.strip())

    @field_validator("outgoing_networks")
    @classmethod
    def _networks(cls, value: str) -> str:
        for each in filter(None, (part.strip() for part in value.split(","))):
            ip_network(each)
        return value

    @field_validator("state_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        """Resolve a relative folder against the checkout, whatever the working directory."""
        return Path(value).expanduser() if value.expanduser().is_absolute() else CHECKOUT / value

    @field_validator("database_url", "database_owner_url", "database_replica_url")
    @classmethod
    def _postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            message = "must begin with postgresql://"
            raise ValueError(message)
        return value

    @field_validator("data_databases")
    @classmethod
    def _named(cls, value: dict[str, DataDatabase]) -> dict[str, DataDatabase]:
        for name, database in value.items():
            if name == MAIN_DATABASE or not DATABASE_NAME.fullmatch(name):
                message = f"a name is not acceptable: lower-case letters, digits and _, at most 31, not {MAIN_DATABASE}"
                raise ValueError(message)
            for url in (database.url, database.owner_url):
                cls._postgresql(url)
        return value

    @field_validator("backup_dir", "scratch_dir")
    @classmethod
    def _absolute_if_given(cls, value: Path | None) -> Path | None:
        return None if value is None else cls._absolute(value)

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            message = "must begin with redis://, rediss:// or unix://"
            raise ValueError(message)
        return value

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: SecretStr | None) -> SecretStr | None:
        parts = urlsplit("" if value is None else value.get_secret_value())
        if value is not None and (parts.scheme not in ("smtp", "smtps") or not parts.hostname):
            message = "must begin with smtp:// or smtps://, and name a server"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _mail_is_whole(self) -> "Settings":
        if self.smtp_url is not None and not (self.mail_from and self.public_url):
            message = "IIT_SMTP_URL needs IIT_MAIL_FROM and IIT_PUBLIC_URL"
            raise ValueError(message)
        return self

    @field_validator("master_key", "master_key_previous")
    @classmethod
    def _thirty_two_bytes(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            decode_master_key(value.get_secret_value())
        return value


def decode_master_key(text: str) -> bytes:
    """Return the 32 bytes that ``text`` encodes in base64.

    Raises:
        ValueError: it is not base64, or not of 32 bytes. The message never repeats the text.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        message = "must be base64"
        raise ValueError(message) from None
    if len(key) != MASTER_KEY_BYTES:
        message = f"must be {MASTER_KEY_BYTES} bytes in base64, not {len(key)}"
        raise ValueError(message)
    return key


def environment_name(field: str) -> str:
    """The environment variable that sets ``field``, for example ``IIT_STATE_DIR``.

    Raises:
        KeyError: there is no such field.
    """
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return f"IIT_{field.upper()}"
