"""The ``cohort`` block of a mapping: rules of a later feature, checked by the model that the feature registers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.errors import FieldError, Invalid, phrase
from core.preferences import amend, amended, groups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession
    from core.preferences import Group

KEY = "cohort"


def check(session: TenantSession, block: Mapping[str, Any]) -> None:
    """Check that a block fits the tenant's settings.

    Raises:
        Invalid: no feature takes the block, or it does not fit; with the path of each wrong key.
    """
    if not block:
        return
    group = _group()
    try:
        amended(session, group, block)
    except Invalid as error:
        remedy = "correct the mapping; docs/reference/mapping.md describes the cohort block"
        problems = [FieldError(f"{KEY}.{item.field}", item.problem, remedy) for item in error.errors]
        message = phrase(
            "the mapping is not valid: {field}: {problem}", field=problems[0].field, problem=problems[0].problem
        )
        raise Invalid(message, remedy=remedy, errors=problems) from error


def store(session: TenantSession, block: Mapping[str, Any]) -> None:
    """Merge the block into the tenant's settings, and publish the change if there is one.

    Raises:
        Invalid: as for ``check``.
    """
    if block:
        check(session, block)
        amend(session, _group(), block)


def _group() -> Group:
    if KEY not in groups():
        message = "the mapping has a cohort block, but no feature of this installation takes one"
        raise Invalid(message, remedy="remove the block")
    return groups()[KEY]
