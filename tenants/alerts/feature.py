"""The registration of the feature ``alerts`` with the platform."""

from core.feature_registry import Feature

feature = Feature(name="alerts", tables=("tenants.alerts.models",))
