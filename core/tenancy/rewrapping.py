"""Rotation of the master key: the current one wraps every tenant's keys, in every data database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core import audit
from core.audit.platform import record_act
from core.database import owner_session, platform_session, tenant_session
from core.errors import AppError
from core.identity.people import second_factor
from core.installation.master_key import check_master_key, forget_older_keys
from core.privacy import master, tenant_keys
from core.tenancy.service import list_tenants

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.database import TenantRef
    from core.telemetry.progress import LineCallback

NOT_THERE = ("purging",)
"""Phases in which a tenant's schema may be gone, with its keys."""


@dataclass
class RewrapResult:
    """The result of a run.

    Attributes:
        tenants: the number of tenants examined.
        changed: the number of tenants with a newly wrapped key.
        keys: the number of newly wrapped keys, and secrets of people's authenticator apps.
        failed: slug -> why its keys are unchanged.
    """

    kid: str
    tenants: int = 0
    changed: int = 0
    keys: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def rewrap_all(
    *, actor: str, progress: LineCallback = lambda _slug: None, others: Sequence[Callable[[], int]] = ()
) -> RewrapResult:
    """Wrap the keys of all tenants and the secrets of the installation with the current master key.

    It verifies that the current key alone opens each tenant's.

    Each tenant is one transaction, so the next run resumes an interrupted one. When no tenant is left, processes that
    have only an older master key are rejected from then on.

    Args:
        actor: who runs it.
        progress: receives each tenant's slug.
        others: functions that seal further secrets of the installation, and return how many they sealed.

    Raises:
        Invalid: no master key is configured.
        MasterKeyWrong: the configured keys are not the installation's.
        Unavailable: the control database cannot be reached, or the owner's login to it is not configured.
    """
    with owner_session():
        check_master_key()  # check both before anything is changed
    done = RewrapResult(master.current()[0])
    seen: set[object] = set()
    while new := [one for one in list_tenants() if one.id not in seen and one.state not in NOT_THERE]:
        for tenant in new:  # again, for tenants created meanwhile
            seen.add(tenant.id)
            _tenant(tenant, done, actor)
            progress(tenant.slug)
    done.keys += second_factor.reseal_all() + sum(reseal() for reseal in others)
    if not done.failed:
        forget_older_keys()
    with platform_session() as session:
        detail = {"master_kid": done.kid, "tenants": done.changed, "keys": done.keys, "failed": sorted(done.failed)}
        record_act(session, "cli:keys:rewrap", actor=actor, tenant_id=None, detail=detail)
    return done


def _tenant(tenant: TenantRef, done: RewrapResult, actor: str) -> None:
    done.tenants += 1
    try:
        with tenant_session(tenant, actor=actor) as session:
            changed = tenant_keys.rewrap_tenant_keys(session)
            tenant_keys.require_current(session)
            if changed:
                audit.record(session, "cli:keys:rewrap", "tenant", tenant.id, {"keys": changed})
    except AppError as error:
        done.failed[tenant.slug] = error.detail
        return
    done.keys += changed
    done.changed += bool(changed)
