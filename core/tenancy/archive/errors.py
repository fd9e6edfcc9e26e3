"""Errors of archives. Messages name members and tables, never contents."""

from core.errors import Conflict, Invalid


class ArchiveDamaged(Invalid):
    """The archive was cut short or altered, or another program wrote it."""

    slug = "archive-damaged"
    title = "The archive is damaged"
    hint = "Fetch the archive again from where it was written, and compare the SHA-256 that the export printed."


class WrongIdentity(Invalid):
    """The archive is sealed to another key."""

    slug = "archive-other-key"
    title = "The archive is sealed to another key"
    hint = "Give the private key that belongs to the public key of the export."


class ArchiveTooNew(Conflict):
    """A newer version of the application wrote the archive."""

    slug = "archive-too-new"
    title = "The archive is newer than this installation"
    hint = "Upgrade this installation to the version that the archive names, or a later one."
