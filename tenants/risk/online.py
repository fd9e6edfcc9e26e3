"""Read what explaining one patient needs, and write the audit, in one round trip.

Unusual cases (a merge, a day without counted rates, a tenant that is being moved) raise ``RoundTripError``: a session
then reads the same in several round trips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from core import audit
from core.database import RoundTripError, at_once
from core.errors import NotFound
from core.tenancy import settings as tenant_settings
from tenants.cohort import load_one
from tenants.cohort.settings import CohortSettings
from tenants.risk.facility_rates import FacilityRates
from tenants.risk.reference_rates import reference_days

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from core.database import TenantRef
    from tenants.cohort.timelines import Timelines

READ: Final = "risk:explanation:read"
_CONTEXT: Final = """
SELECT p.uuid, p.facility_uuid, f.complete_through, f.data_date,
       m.uuid AS model_uuid, m.blob_sha256,
       coalesce((SELECT s.value FROM tenant_settings AS s WHERE s.key = %(cohort)s), '{}') AS cohort,
       coalesce((SELECT r.rates FROM score_runs AS r WHERE r.as_of = %(as_of)s),
                (SELECT r.rates FROM score_runs AS r WHERE r.as_of BETWEEN %(first)s AND %(last)s
                 ORDER BY r.started_at DESC LIMIT 1)) AS rates,
       EXISTS (SELECT FROM patient_identities AS i WHERE p.uuid IN (i.patient_uuid, i.canonical_uuid)) AS merged
FROM patients AS p JOIN facilities AS f ON f.uuid = p.facility_uuid
LEFT JOIN LATERAL (
    SELECT o.uuid, o.blob_sha256 FROM models AS o
    WHERE o.state = 'preferred' OR (o.state = 'challenger' AND o.trial->'facilities' ? f.uuid::text)
    ORDER BY o.state LIMIT 1
) AS m ON true
WHERE p.uuid = %(uuid)s AND p.known_to IS NULL AND NOT p.voided
"""


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """The facts of one patient, and of the serving model.

    Attributes:
        patient: UUID of the patient.
        as_of: the day.
        timelines: timelines of the patient alone.
        rules: the tenant's rules.
        rates: facility rates of the day's reference day.
        complete_through, data_date: dates of the patient's facility.
        model_key: UUID and stored hash of the model that serves the facility; None where no model was trained.
    """

    patient: UUID
    as_of: date
    timelines: Timelines
    rules: CohortSettings
    rates: FacilityRates
    complete_through: date | None
    data_date: date | None
    model_key: tuple[UUID, str | None] | None


def read_at_once(tenant: TenantRef, by: tuple[str, str], patient: UUID, as_of: date) -> PatientFacts:
    """Return the facts of one patient. The audit has the read when this returns.

    Raises:
        NotFound: there is no such patient.
        RoundTripError: a session is needed.
    """
    first, last = reference_days(as_of)
    values: dict[str, object] = {
        "uuid": patient,
        "as_of": as_of,
        "first": first,
        "last": last,
        "cohort": tenant_settings.key_of(CohortSettings),
    }
    detail = {"as_of": as_of.isoformat()}
    context = audit.audited_query(_CONTEXT, values, READ, "patient", by=by, detail=detail)
    rows, facts, texts = at_once(tenant, context, *load_one.statements(patient))
    if not rows:
        missing = "there is no such patient on record"
        raise NotFound(missing, remedy="check the UUID")
    _, facility, complete_through, data_date, model_uuid, sha256, cohort, rates, merged = rows[0]
    if merged or rates is None:
        raise RoundTripError
    return PatientFacts(
        patient=patient,
        as_of=as_of,
        timelines=load_one.timelines(patient, facility, tenant.time_zone, facts[0], texts),
        rules=tenant_settings.fitted(CohortSettings, cohort),
        rates=FacilityRates.from_json(rates),
        complete_through=complete_through,
        data_date=data_date,
        model_key=None if model_uuid is None else (model_uuid, sha256),
    )
