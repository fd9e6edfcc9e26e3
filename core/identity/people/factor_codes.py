"""Codes of a second factor: those of an authenticator app (TOTP, RFC 6238), and recovery codes."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import TYPE_CHECKING, Final

import pyotp

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

STEP_SECONDS: Final = 30
ISSUER: Final = "IIT platform"
"""The name of the account in the app."""

RECOVERY_CODES: Final = 10
_GROUPS, _GROUP = 4, 4
_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's alphabet: 5 bits a letter, none that looks like another. A code has 80 bits, so its digest needs no salt
against guessing; the person's id only keeps equal codes of two people apart."""

_APP: Final = re.compile(r"[0-9]{6}")
_RECOVERY: Final = re.compile(f"[{_LETTERS}]{{{_GROUPS * _GROUP}}}")
_MISREAD: Final = str.maketrans({"o": "0", "i": "1", "l": "1"})


def new_secret() -> str:
    """Return the secret of a new app: 160 bits in base32."""
    return pyotp.random_base32()


def address_of_secret(secret: str, account: str) -> str:
    """Return the ``otpauth:`` address that an app reads from the QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=ISSUER)


def app_code(text: str) -> str | None:
    """Return the code of an app as it was typed, without blanks; None if the text is not one."""
    code = "".join(text.split())
    return code if _APP.fullmatch(code) else None


def matching_step(secret: str, code: str, moment: datetime, after: int) -> int | None:
    """Return the time step whose code this is: the present one, the one before or the one after it.

    Args:
        secret: of the app.
        code: six digits.
        moment: now.
        after: the step of the code that was used last; none up to it counts again.
    """
    totp, present = pyotp.TOTP(secret), int(moment.timestamp()) // STEP_SECONDS
    matching = [
        step
        for step in (present - 1, present, present + 1)
        if hmac.compare_digest(totp.generate_otp(step), code) and step > after
    ]
    return matching[-1] if matching else None


def new_recovery_codes() -> list[str]:
    """Return new recovery codes, as people read them: ``a1b2-c3d4-e5f6-g7h8``."""
    return [
        "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
        for _ in range(RECOVERY_CODES)
    ]


def recovery_digest(person_id: UUID, text: str) -> bytes | None:
    """Return the digest of a recovery code as it was typed; None if the text is not one.

    Capitals, blanks and hyphens make no difference, nor do letters that look like digits.
    """
    code = "".join(text.lower().replace("-", " ").split()).translate(_MISREAD)
    if not _RECOVERY.fullmatch(code):
        return None
    return hashlib.sha256(f"{person_id}\0{code}".encode()).digest()
