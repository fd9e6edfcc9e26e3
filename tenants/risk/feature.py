"""What the room ``risk`` registers with the kernel."""

from core.features import Feature

feature = Feature(name="risk", tables=("tenants.risk.models",))
