"""Versions of rows over HTTP: a row's ETag is its ``version_id``, and a change sends it back in If-Match.

A change without If-Match gets 428; one with an old version gets 412. So nobody overwrites a change that they have not
seen.
"""

import re
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Response

from core.errors import FieldError, Invalid, PreconditionFailed, PreconditionRequired

_SUFFIX = re.compile(r'\.[0-9a-f]{32}"$')
"""The digest that reads add after the version (``core.app.conditional``). A change compares the version only."""

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_IF_MATCH = re.compile(rf"\*|{_TAG}(?:[ \t]*,[ \t]*{_TAG})*")
FIELD = "header.if-match"

REVALIDATED = "private, no-cache"


def etag(version_id: UUID) -> str:
    """Return the strong ETag of a row's version."""
    return f'"{version_id}"'


def set_etag(response: Response, version_id: UUID, *, personal: bool = True) -> None:
    """Send the ETag of the row in the answer.

    Personal answers are not cached (``Cache-Control: no-store``). A browser may cache others, and checks them with
    If-None-Match.
    """
    response.headers["ETag"] = etag(version_id)
    if not personal:
        response.headers["Cache-Control"] = REVALIDATED


@dataclass(frozen=True, slots=True)
class ExpectedVersions:
    """The versions that the caller agrees to change: those in If-Match, or any (``*``)."""

    tags: frozenset[str]

    def check_one(self, version_id: UUID | None) -> None:
        """Check that the caller has seen this version of a row, which is None if there is no row yet.

        Raises:
            PreconditionRequired: there is a row, and the caller names no version (428).
            PreconditionFailed: the caller has seen another version, or a row that is gone (412).
        """
        if version_id is not None:
            if not self.tags:
                raise _required()
            self.check(version_id)
        elif not self.tags <= {"*"}:
            raise _failed()

    def check(self, version_id: UUID) -> None:
        """Check that the caller has seen this version of the row.

        Raises:
            PreconditionFailed: the caller has seen another version (412).
        """
        if "*" not in self.tags and etag(version_id) not in {_SUFFIX.sub('"', tag) for tag in self.tags}:
            raise _failed()


def _required() -> PreconditionRequired:
    detail = "this operation changes a row and has no If-Match"
    return PreconditionRequired(detail)


def _failed() -> PreconditionFailed:
    detail = "the row has another version than If-Match names"
    return PreconditionFailed(detail)


async def expected_version(
    if_match: Annotated[
        str | None,
        Header(description="ETag of the version that you read.", examples=['"019c2291-b3a0-7768-a5f9-23774462ebfc"']),
    ] = None,
) -> ExpectedVersions:
    """Return the versions in If-Match.

    Raises:
        PreconditionRequired: the request has no If-Match (428).
        Invalid: If-Match is not a list of ETags (422).
    """
    value = (if_match or "").strip()
    if not value:
        raise _required()
    if not _IF_MATCH.fullmatch(value):
        remedy = 'Send the ETag of your read as it came, such as "019c2291-b3a0-7768-a5f9-23774462ebfc", or *.'
        detail = f"not valid: {FIELD}"
        raise Invalid(detail, errors=[FieldError(FIELD, "is neither * nor a list of quoted ETags", remedy)])
    return ExpectedVersions(frozenset(tag.strip() for tag in value.split(",")))


async def expected_version_of_one(
    if_match: Annotated[
        str | None,
        Header(
            description="ETag of the version that you read; not needed while nothing is set up.",
            examples=['"019c2291-b3a0-7768-a5f9-23774462ebfc"'],
        ),
    ] = None,
) -> ExpectedVersions:
    """Return the versions in If-Match; none if the request has none, for a row that may not be there yet.

    Raises:
        Invalid: If-Match is not a list of ETags (422).
    """
    return await expected_version(if_match) if (if_match or "").strip() else NONE_SEEN


NONE_SEEN = ExpectedVersions(frozenset())
"""The caller has seen no version: right while there is no row."""

ANY_VERSION = ExpectedVersions(frozenset({"*"}))
"""The caller replaces whatever is there."""

IfMatchOrNew = Annotated[ExpectedVersions, Depends(expected_version_of_one)]
"""In the signature of a PUT of the one row that a tenant may have. Lock it, then call ``if_match.check_one``."""

IfMatch = Annotated[ExpectedVersions, Depends(expected_version)]
"""In the signature of PUT, PATCH and DELETE. Lock the row, then call ``if_match.check(row.version_id)``."""
