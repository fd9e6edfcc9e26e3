"""Errors of keys and ciphertexts. Messages name tables and keys' ids, never contents."""

# ruff: noqa: N818 - named by what happened, as the family of core.errors is
from core.errors import AppError, Conflict


class CannotDecrypt(AppError):
    """A stored value cannot be decrypted: it was altered, moved from another row, or belongs to another key."""

    slug = "cannot-decrypt"
    title = "A stored value cannot be decrypted"
    hint = (
        "Tell the operator the request id: check IIT_MASTER_KEY, and restore the table from a backup if it was altered."
    )


class MasterKeyMissing(AppError):
    """A master key that this installation lacks wraps a tenant's key."""

    status = 503
    slug = "master-key-missing"
    title = "The key that protects this tenant's data is not configured"
    hint = "Set IIT_MASTER_KEY to the key used before; while rotating, keep the old one in IIT_MASTER_KEY_PREVIOUS."


class PatientErased(Conflict):
    """The patient was erased: their key is destroyed and their personal data cannot be read or written again."""

    slug = "patient-erased"
    title = "The patient's personal data was erased"
    hint = "An erased patient's record stays without names; register the person again if they return."


class NeedsSession(RuntimeError):
    """A vault without a session would need to query the database."""
