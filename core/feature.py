"""What the kernel's own rooms register: their tables, routes, jobs and commands."""

from core.features import Feature

feature = Feature(name="core")
