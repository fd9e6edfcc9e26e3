"""Texts of the plugins that come with the platform: their names, and the titles and hints of their settings.

A plugin's schema is data, from which no text is gathered for translation. A test keeps these tables equal to what the
plugins say.
"""

from __future__ import annotations

from typing import Final

from core.web.texts import gettext as _
from core.web.texts import marked

OFFERS: Final = (
    marked("Africa's Talking"),
    marked("E-mail"),
    marked("Folder"),
    marked("HTTPS"),
    marked("HTTPS list"),
    marked("Jira Service Management"),
    marked("Kannel"),
    marked("Opsgenie"),
    marked("PagerDuty"),
    marked("S3 bucket"),
    marked("SFTP"),
    marked("SMS"),
    marked("Slack"),
    marked("Slack (with a bot)"),
    marked("Termii"),
    marked("Twilio"),
    marked("Webhook"),
)
"""What the plugins offer. Names of products stay as they are."""

TITLES: Final = (
    marked("API key"),
    marked("Access key ID"),
    marked("Account SID"),
    marked("Address"),
    marked("Address of Slack"),
    marked("Address of sendsms"),
    marked("Address of the incoming webhook"),
    marked("Addresses"),
    marked("Also say what is resolved"),
    marked("Auth token"),
    marked("Bearer token"),
    marked("Bucket"),
    marked("Channel"),
    marked("Endpoint"),
    marked("Folder"),
    marked("Folder in the bucket"),
    marked("Format"),
    marked("Gateway"),
    marked("Host"),
    marked("Index"),
    marked("Integration key"),
    marked("Language"),
    marked("Names of files"),
    marked("Only new alerts"),
    marked("Password"),
    marked("Phone"),
    marked("Port"),
    marked("Private key"),
    marked("Region"),
    marked("Route"),
    marked("SMSC"),
    marked("Secret"),
    marked("Secret access key"),
    marked("Secret key"),
    marked("Secret of the webhook"),
    marked("Sender"),
    marked("Sender ID"),
    marked("Signing secret"),
    marked("The server's key"),
    marked("Token of the bot"),
    marked("User"),
    marked("User name of the app"),
    marked("User of sendsms"),
    marked("What lies there"),
)
"""Titles of settings."""

HINTS: Final = (
    marked("3 to 11 letters and digits, approved by Termii."),
    marked("A number of yours in international form, a sender ID, or the SID of a messaging service."),
    marked("Address of a list in JSON: objects with url, and title and language where known."),
    marked("All get the same letter and see each other's address."),
    marked("Also verifies what Twilio sends back."),
    marked("As ssh-keyscan prints it, without the host: ssh-ed25519 AAAA…."),
    marked("By which the message leaves; empty for Kannel's own routes."),
    marked("Each of one document, beginning with https://."),
    marked("For a service other than Amazon's."),
    marked("In place of a password, in OpenSSH's format."),
    marked("It begins with https://hooks.slack.com/services/."),
    marked("Its id, such as C0123456789. Invite the bot into it."),
    marked("Leave it as it is, but for tests."),
    marked("Name of an import format; empty to detect it."),
    marked("Name of the SMS gateway; empty if there is only one."),
    marked("No letter when somebody acknowledges or resolves one."),
    marked("Of a generic webhook (v3). With it, acts in PagerDuty reach the alert."),
    marked("Of an integration of the type API."),
    marked("Of an integration of the type Events API v2 of your service."),
    marked("Of one member of staff, in international form: +254700000000."),
    marked("Of your app. With it, messages have buttons."),
    marked("On the server, below a folder that its operator allows."),
    marked("Such as *.csv or pharmacy-*.xlsx. Small and capital letters are the same."),
    marked("Such as en."),
    marked("Such as https://sms.example.org:13013/cgi-bin/sendsms."),
    marked("The base address on your dashboard."),
    marked("Verifies delivery reports and answers."),
    marked("With the scope chat:write. It begins with xoxb-."),
    marked("Your short code or alphanumeric sender ID. Without it, a shared one is used."),
    marked("dnd also reaches people who have do-not-disturb switched on."),
    marked(
        "file: the file itself. json: a list of objects with url, and size, modified_at and etag where"
        " known. html: a page with links."
    ),
    marked("https://api.eu.opsgenie.com for accounts in the EU."),
    marked("https://api.sandbox.africastalking.com for the sandbox."),
    marked("https://events.eu.pagerduty.com for accounts in the EU."),
    marked("whsec_ and 24 to 64 bytes in base64. It signs both ways."),
)
"""What the schemas say about settings."""


def plugin_text(text: str) -> str:
    """Return a text of a plugin in the reader's language; one that no table has as it is."""
    return _(text) if text else ""
