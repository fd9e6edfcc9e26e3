"""Mail: one letter at a time to the SMTP server of the installation. Without ``IIT_SMTP_URL`` no mail is sent."""

from core.mail.smtp import is_configured, send

__all__ = ["is_configured", "send"]
