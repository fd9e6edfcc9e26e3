"""What the room ``alerts`` registers with the kernel."""

from core.features import Feature

feature = Feature(name="alerts", tables=("tenants.alerts.models",))
