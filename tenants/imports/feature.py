"""What the room ``imports`` registers with the kernel."""

from core.features import Feature

feature = Feature(name="imports")
