"""Texts and the picture of the pages of the second factor, and the names of devices."""

import segno

from core.identity.people.devices import device_of
from core.identity.people.sign_in_events import SignIn
from core.web.texts import gettext as _
from core.web.texts import marked

SIGN_INS = {
    "password": marked("You signed in with your password."),
    "oidc": marked("You signed in through your partner."),
}
"""A way to sign in -> the sentence for it."""

FAILURES = {
    "password": marked("A wrong password. Nobody was signed in."),
    "code": marked("The right password and a wrong code. Nobody was signed in."),
}
"""A failure -> the sentence for it."""


def shown_device(user_agent: str) -> str:
    """Return the name of a device as its owner knows it, such as ``Chrome on Android``."""
    device = device_of(user_agent)
    if device is None:
        return _("A browser")
    return _("{browser} on {system}").format(browser=device[0], system=device[1])


def shown_sign_in(event: SignIn) -> str:
    """Return what happened at a sign-in or at a failed one."""
    if event.failed_at is not None:
        return _(FAILURES[event.failed_at])
    return _(SIGN_INS[event.signed_in_by]) if event.signed_in_by in SIGN_INS else _("You signed in.")


def qr_code(address: str) -> str:
    """Return the QR code of a text as an SVG in a ``data:`` address, black on white in every theme for the cameras."""
    return segno.make(address, error="m").svg_data_uri(scale=5, border=4, dark="#000", light="#fff")


def spaced(secret: str) -> str:
    """Return a secret in groups of four, for people who type it."""
    return " ".join(secret[place : place + 4] for place in range(0, len(secret), 4))
