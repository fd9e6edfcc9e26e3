"""Versions on the wire: a row's ETag is its ``version_id``; who changes a row says in If-Match which version was read.

A change with no If-Match answers 428, with a stale one 412, so that nobody overwrites what they have not seen.
"""

import re
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Response

from core.errors import FieldError, Invalid, PreconditionFailed, PreconditionRequired

_SUFFIX = re.compile(r'\.[0-9a-f]{32}"$')
"""What reads put after the version: a digest of the answer (``core.app.conditional``). A change needs the version."""

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_IF_MATCH = re.compile(rf"\*|{_TAG}(?:[ \t]*,[ \t]*{_TAG})*")
FIELD = "header.if-match"

REVALIDATED = "private, no-cache"


def etag(version_id: UUID) -> str:
    """The strong ETag of a row's version."""
    return f'"{version_id}"'


def set_etag(response: Response, version_id: UUID, *, personal: bool = True) -> None:
    """Send the ETag of the row that is answered.

    Nothing keeps a copy of an answer (``Cache-Control: no-store``) unless it says of no person anything: then a
    browser may keep it, and asks with If-None-Match whether it still holds.
    """
    response.headers["ETag"] = etag(version_id)
    if not personal:
        response.headers["Cache-Control"] = REVALIDATED


@dataclass(frozen=True, slots=True)
class Expected:
    """The versions that the caller is ready to change: those of If-Match, or any (``*``)."""

    tags: frozenset[str]

    def check(self, version_id: UUID) -> None:
        """Let the change go on only when the caller has seen this version.

        Raises:
            PreconditionFailed: the row has another version now (412).
        """
        if "*" not in self.tags and etag(version_id) not in {_SUFFIX.sub('"', tag) for tag in self.tags}:
            detail = "the row has another version than If-Match names"
            raise PreconditionFailed(detail)


async def expected_version(
    if_match: Annotated[
        str | None,
        Header(description="ETag of the version that you read.", examples=['"019c2291-b3a0-7768-a5f9-23774462ebfc"']),
    ] = None,
) -> Expected:
    """What If-Match says.

    Raises:
        PreconditionRequired: there is no If-Match (428).
        Invalid: it is no list of ETags (422).
    """
    value = (if_match or "").strip()
    if not value:
        detail = "this operation changes a row and has no If-Match"
        raise PreconditionRequired(detail)
    if not _IF_MATCH.fullmatch(value):
        remedy = 'Send the ETag of your read as it came, such as "019c2291-b3a0-7768-a5f9-23774462ebfc", or *.'
        detail = f"not valid: {FIELD}"
        raise Invalid(detail, errors=[FieldError(FIELD, "is neither * nor a list of quoted ETags", remedy)])
    return Expected(frozenset(tag.strip() for tag in value.split(",")))


IfMatch = Annotated[Expected, Depends(expected_version)]
"""In the signature of PUT, PATCH and DELETE: call ``if_match.check(row.version_id)`` on the row locked for it."""
