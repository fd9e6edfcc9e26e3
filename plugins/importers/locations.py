"""Importers whose place the platform lists: a folder, a bucket, an SFTP server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from plugins.importers.choice import SETTINGS, fitting
from plugins.sdk import Chosen, Entry, HttpResponse, Json, Location, secret


@dataclass(frozen=True, slots=True)
class FolderImporter:
    """Files in a folder of the platform's server."""

    name: str = "folder"
    title: str = "Folder"
    version: str = "1.0.0"

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return _schema(
            ["folder"],
            folder={
                "type": "string",
                "title": "Folder",
                "description": "On the server, below a folder that its operator allows.",
                "pattern": "^/",
                "maxLength": 1000,
            },
        )

    def look(self, settings: Mapping[str, Json], now: datetime) -> Location:  # noqa: ARG002 - the contract's
        """Return the folder."""
        return Location("folder", str(settings["folder"]), {})

    def entries(self, response: HttpResponse, settings: Mapping[str, Json]) -> Sequence[Entry]:  # noqa: ARG002
        """None: the platform lists the place."""
        return []

    def choose(self, entries: Sequence[Entry], settings: Mapping[str, Json]) -> Sequence[Chosen]:
        """Return the files whose name fits, the oldest first."""
        return [Chosen(entry.name, str(settings.get("format", ""))) for entry in fitting(entries, settings)]


@dataclass(frozen=True, slots=True)
class S3Importer(FolderImporter):
    """Files in a bucket of S3, or of what speaks its language."""

    name: str = "s3"
    title: str = "S3 bucket"

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return _schema(
            ["bucket", "key_id", "secret_key"],
            bucket={"type": "string", "title": "Bucket", "pattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"},
            prefix={"type": "string", "title": "Folder in the bucket", "pattern": "^[^/]", "maxLength": 500},
            key_id={"type": "string", "title": "Access key ID", "minLength": 1, "maxLength": 200},
            secret_key={"type": "string", "title": "Secret access key", "minLength": 1, "writeOnly": True},
            region={"type": "string", "title": "Region", "maxLength": 60},
            endpoint={
                "type": "string",
                "title": "Endpoint",
                "description": "For a service other than Amazon's.",
                "format": "uri",
            },
        )

    def look(self, settings: Mapping[str, Json], now: datetime) -> Location:  # noqa: ARG002 - the contract's
        """Return the bucket, with the folder in it."""
        options = {name: str(settings[name]) for name in ("endpoint", "region", "key_id") if settings.get(name)}
        prefix = str(settings.get("prefix", "")).strip("/")
        address = f"s3://{settings['bucket']}/{prefix}/" if prefix else f"s3://{settings['bucket']}/"
        return Location("s3", address, {**options, "secret": secret("secret_key")})


@dataclass(frozen=True, slots=True)
class SftpImporter(FolderImporter):
    """Files on an SFTP server."""

    name: str = "sftp"
    title: str = "SFTP"

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return _schema(
            ["host", "user", "host_key"],
            host={"type": "string", "title": "Host", "pattern": "^[A-Za-z0-9.-]{1,253}$"},
            port={"type": "integer", "title": "Port", "minimum": 1, "maximum": 65_535, "default": 22},
            path={"type": "string", "title": "Folder", "maxLength": 500, "default": "/"},
            user={"type": "string", "title": "User", "minLength": 1, "maxLength": 100},
            password={"type": "string", "title": "Password", "minLength": 1, "writeOnly": True},
            key={
                "type": "string",
                "title": "Private key",
                "description": "In place of a password, in OpenSSH's format.",
                "minLength": 1,
                "writeOnly": True,
            },
            host_key={
                "type": "string",
                "title": "The server's key",
                "description": "As ssh-keyscan prints it, without the host: ssh-ed25519 AAAA….",
                "pattern": "^(ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+$",
            },
        )

    def look(self, settings: Mapping[str, Json], now: datetime) -> Location:  # noqa: ARG002 - the contract's
        """Return the folder on the server."""
        path = "/" + str(settings.get("path", "/")).strip("/")
        options = {"user": str(settings["user"]), "host_key": str(settings["host_key"])}
        options |= {name: secret(name) for name in ("password", "key") if settings.get(name)}
        return Location("sftp", f"sftp://{settings['host']}:{settings.get('port', 22)}{path}", options)


def _schema(required: list[str], **properties: Json) -> Mapping[str, Json]:
    return {
        "type": "object",
        "required": required,
        "additionalProperties": False,
        "properties": {**properties, **SETTINGS},
    }
