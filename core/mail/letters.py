"""Letters of the platform: plain text, from the installation's address, marked as written by a machine."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from core.clock import now
from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID


def compose(to: str, subject: str, paragraphs: Sequence[str], *, letter_id: UUID, language: str) -> EmailMessage:
    """A letter. The same letter, sent twice after a crash, has the same id."""
    settings = get_settings()
    letter = EmailMessage()
    letter["Subject"], letter["From"], letter["To"] = " ".join(subject.split()), settings.mail_from, to
    letter["Date"] = format_datetime(now())
    letter["Message-ID"] = f"<{letter_id}@{urlsplit(settings.public_url).hostname}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content("\n\n".join(paragraphs) + "\n")
    letter["Content-Language"] = language  # after the content, which removes such headers
    return letter


def address(path: str) -> str:
    """The address of a page, for a letter or a message; empty if the installation has no ``IIT_PUBLIC_URL``."""
    public_url = get_settings().public_url
    return f"{public_url.rstrip('/')}{path}" if public_url else ""
