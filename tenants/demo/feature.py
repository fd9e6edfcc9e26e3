"""What the room ``demo`` registers with the kernel."""

from core.features import Command, Feature

feature = Feature(
    name="demo",
    commands={
        "simulate": Command(
            "tenants.demo.simulate_command:simulate_command", "Write a simulated cohort's records as files"
        ),
    },
)
