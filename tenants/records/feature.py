"""What the room ``records`` registers with the kernel."""

from core.features import Feature

feature = Feature(name="records")
