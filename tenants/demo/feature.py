"""What the room ``demo`` registers with the kernel."""

from core.features import Feature

feature = Feature(name="demo")
