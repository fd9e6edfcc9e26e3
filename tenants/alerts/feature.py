"""What the feature ``alerts`` registers with the platform."""

from core.features import Feature

feature = Feature(name="alerts", tables=("tenants.alerts.models",))
