"""What the room ``followup`` registers with the kernel."""

from core.features import Feature

feature = Feature(name="followup", tables=("tenants.followup.models",))
