"""Outgoing HTTP: one sender for every call to an address that a tenant chose.

The name is looked up once, every address is checked, and the connection goes to the address that was checked. So a
call never reaches what only this server can reach (SSRF), even if the name resolves differently the next time.
"""

from core.outgoing.addresses import AddressRejected, checked_address, is_local, parse_url
from core.outgoing.dialling import dial
from core.outgoing.sender import Answer, AnswerTooLarge, AnswerTooSlow, Request, download, send

__all__ = [
    "AddressRejected",
    "Answer",
    "AnswerTooLarge",
    "AnswerTooSlow",
    "Request",
    "checked_address",
    "dial",
    "download",
    "is_local",
    "parse_url",
    "send",
]
