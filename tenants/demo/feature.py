"""The registration of the feature ``demo`` with the platform."""

from core.feature_registry import Command, Feature

feature = Feature(
    name="demo",
    commands={
        "demo": Command("tenants.demo.commands:demo", "Go from files to lists, with simulated or your own records"),
        "results": Command(
            "tenants.demo.results:results", "Measure the models on known data sets; write docs/results.md"
        ),
        "watch-rates": Command(
            "tenants.demo.watching.command:watch_rates",
            "Measure false alarms and delays of the watch over models; write docs/benchmarks/watch.md",
        ),
        "cold-start-rates": Command(
            "tenants.demo.cold_start:cold_start_rates",
            "Compare a base model with new partners' own; write docs/benchmarks/cold-start.md",
        ),
        "simulate": Command(
            "tenants.demo.simulate_command:simulate_command", "Write a simulated cohort's records as files"
        ),
    },
)
