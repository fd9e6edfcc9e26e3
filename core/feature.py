"""What the kernel's own rooms register: their tables, routes, jobs and commands."""

from core.features import Command, Feature

feature = Feature(
    name="core",
    commands={
        "services": Command("core.services.commands:services", "Start, stop or look at the embedded database and Valkey"),
    },
)
