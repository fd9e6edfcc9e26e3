"""The e-mail addresses and names of people, in the form in which they are stored."""

import re

from core.errors import FieldError, Invalid, phrase

_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f.]+")
_RESERVED = re.compile(r"[@.]((example\.(com|net|org))|example|test|invalid|localhost)$")
EMAIL_MAX = 254
NAME_MAX = 100


def normal_email(email: str) -> str:
    """The form in which addresses are stored and compared.

    Raises:
        Invalid: it is not an e-mail address (422).
    """
    address = email.strip().lower()
    if len(address) > EMAIL_MAX or not _EMAIL.fullmatch(address):
        detail = "the e-mail address is not valid"
        raise Invalid(detail, errors=[FieldError("email", "is not an e-mail address", "Write it as name@example.org.")])
    return address


def normal_name(name: str) -> str:
    """The form in which names are stored.

    Raises:
        Invalid: it is empty or too long (422).
    """
    shown = " ".join(name.split())
    if not 0 < len(shown) <= NAME_MAX or not shown.isprintable():
        detail = "the name is not valid"
        raise Invalid(
            detail,
            errors=[FieldError("name", "is empty or too long", phrase("Give 1 to {most} characters.", most=NAME_MAX))],
        )
    return shown


def is_reserved(email: str) -> bool:
    """Return whether the address is under a domain that is reserved for examples and tests (RFC 2606, RFC 6761).

    No mail reaches such an address. Accounts of the demo have them, so in production nobody signs in with one.

    >>> is_reserved("viewer@demo-north.example.org"), is_reserved("viewer@example-clinic.org")
    (True, False)
    """
    return _RESERVED.search(email.lower()) is not None
