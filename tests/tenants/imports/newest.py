"""The import that began last."""

from core.database import TenantSession
from core.web.cursors import Sort
from core.web.paging import PageRequest
from tenants.imports import repository
from tenants.imports.models import Import

LAST = PageRequest(1, 1, sort=Sort("created_at", descending=True), keyed=True)


def newest_import(session: TenantSession) -> Import:
    """The first row of the list of imports."""
    return repository.page(session, LAST).rows[0]
