"""Importers of records: a folder of the server, files by HTTPS, a bucket, and an SFTP server."""

from plugins.importers.https import HttpsImporter
from plugins.importers.locations import FolderImporter, S3Importer, SftpImporter
from plugins.sdk import Importer, PluginContext, hookimpl

IIT_SDK = 1


@hookimpl
def iit_importers(context: PluginContext) -> list[Importer]:  # noqa: ARG001 - it has no settings
    """Return the importers."""
    return [FolderImporter(), HttpsImporter(), S3Importer(), SftpImporter()]
