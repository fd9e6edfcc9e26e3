"""What the room ``demo`` registers with the kernel."""

from core.features import Command, Feature

feature = Feature(
    name="demo",
    commands={
        "demo": Command("tenants.demo.commands:demo", "The main job, from files to lists, on simulated or own records"),
        "results": Command(
            "tenants.demo.results:results", "Measure the models on known data sets; write docs/results.md"
        ),
        "simulate": Command(
            "tenants.demo.simulate_command:simulate_command", "Write a simulated cohort's records as files"
        ),
    },
)
