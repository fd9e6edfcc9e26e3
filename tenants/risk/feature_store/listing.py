"""The features for readers: definitions, distributions, freshness, parity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.risk import checks, repository
from tenants.risk.feature_store.snapshots import definitions_digest
from tenants.risk.input_list import FEATURES, THEME_OF
from tenants.risk.input_sets import FEATURE_SET
from tenants.risk.schemas_watch import FeatureOut, FeaturesOut

if TYPE_CHECKING:
    from core.database import TenantSession


def features(session: TenantSession) -> FeaturesOut:
    """All features, with the newest distributions."""
    measured, parity = checks.newest(session, "features"), checks.newest(session, "parity")
    lies = {column["name"]: column for column in checks.figures_of(measured).get("columns", [])}
    model = repository.preferred_model(session)
    read = {feature["name"] for feature in model.features} if model is not None else set()
    return FeaturesOut(
        feature_set=FEATURE_SET.name,
        feature_set_version=FEATURE_SET.version,
        definitions=definitions_digest(),
        as_of=None if measured is None else measured.as_of,
        measured_at=None if measured is None else measured.measured_at,
        patients=0 if measured is None else measured.patients,
        parity_as_of=None if parity is None else parity.as_of,
        parity=None if parity is None else parity.passed,
        parity_patients=0 if parity is None else parity.patients,
        features=[
            FeatureOut(
                name=spec.name,
                version=spec.version,
                theme=THEME_OF[spec.name],
                kind=spec.kind,
                unit=spec.unit,
                description=spec.description,
                source=spec.source,
                categories=list(spec.categories),
                in_serving_model=spec.name in read,
                distribution=lies.get(spec.name),
            )
            for spec in FEATURES
        ],
    )
