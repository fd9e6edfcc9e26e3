"""What the room ``cohort`` registers with the kernel."""

from core.features import Feature

feature = Feature(name="cohort")
