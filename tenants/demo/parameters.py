"""Parameters of the simulated cohort, each with its value, unit and source.

The cohort is simulated: nobody in it exists. Published figures set what matters most (how often treatment is
interrupted, how many return, when the risk is highest). Parameters without a source are called assumptions.
"""

from __future__ import annotations

from dataclasses import dataclass

TOMESCU = "Tomescu 2021, BMC Public Health (PMC8638522): 32 % of 573,630 clients in Nigeria ever interrupted"
ESRA = "Esra 2023, PLOS Global Public Health e0002105: 49 % of 191,162 people ever interrupted, 85 % of them returned"
ESRA_JAIDS = "Esra 2023, JAIDS 92:42: interruption is most frequent and best predicted in the first 6 months"
PALLADIUM = (
    "KenyaEMR IIT documentation, Palladium 2025: 3.6 % of 13,115,318 visits 2022-24 were followed by an interruption"
)
MER = "PEPFAR MER: no clinical contact or pick-up for more than 28 days after the last expected one"
ASSUMED = "assumption: no published figure used"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of the simulation.

    Attributes:
        value: the number.
        unit: its unit, in words.
        source: the publication, or a statement that it is an assumption.
    """

    value: float
    unit: str
    source: str


PARAMETERS: dict[str, Parameter] = {
    "grace_days": Parameter(28, "days after the expected contact", MER),
    "iit_intercept": Parameter(
        -4.05,
        "log-odds of interruption after a contact",
        f"set so that about a third ever interrupt. {TOMESCU}; {PALLADIUM}",
    ),
    "iit_first_six_months": Parameter(
        0.65, "log-odds, first 182 days on ART", f"direction from {ESRA_JAIDS}; size is an assumption"
    ),
    "iit_earlier_interruption": Parameter(
        0.70, "log-odds, any earlier interruption", f"direction from {ESRA}; size is an assumption"
    ),
    "iit_per_late_week": Parameter(0.30, "log-odds per week late at the last contact, at most 4", ASSUMED),
    "iit_age_15_24": Parameter(0.35, "log-odds, age 15-24 years", ASSUMED),
    "iit_male": Parameter(0.12, "log-odds, male", ASSUMED),
    "iit_december": Parameter(0.25, "log-odds, contact expected in December or January", ASSUMED),
    "iit_long_supply": Parameter(-0.20, "log-odds, 90 days of supply or more", ASSUMED),
    "frailty_sd": Parameter(0.75, "standard deviation of a person's own log-odds", ASSUMED),
    "facility_sd": Parameter(0.30, "standard deviation of a facility's log-odds", ASSUMED),
    "return_probability": Parameter(0.85, "probability of coming back after an interruption", ESRA),
    "return_mean_days": Parameter(75, "mean days from day 29 to the return", ASSUMED),
    "on_time_share": Parameter(0.62, "share of contacts on or before the day, without frailty", ASSUMED),
    "late_mean_days": Parameter(6.0, "mean days late, of those late but within 28", ASSUMED),
    "death_per_person_year": Parameter(0.012, "deaths a person-year in care", ASSUMED),
    "transfer_per_person_year": Parameter(0.020, "documented transfers out a person-year in care", ASSUMED),
    "transferred_in_share": Parameter(0.06, "share who came on treatment from elsewhere", ASSUMED),
    "female_share": Parameter(0.66, "share of women and girls", ASSUMED),
    "suppressed_share": Parameter(0.90, "share of viral loads under 1,000 copies/mL, without frailty", ASSUMED),
    "appointment_recorded_share": Parameter(0.93, "share of pick-ups with a next appointment written down", ASSUMED),
}


def value(name: str) -> float:
    """The value of a parameter.

    Raises:
        KeyError: there is no parameter of that name.
    """
    return PARAMETERS[name].value


def page() -> str:
    """The reference page of the simulation, as Markdown. ``python -m tenants.demo.parameters`` prints it."""
    rows = [
        f"| `{name}` | {parameter.value:g} | {parameter.unit} | {parameter.source} |"
        for name, parameter in PARAMETERS.items()
    ]
    return "\n".join(
        [
            "# The simulated cohort",
            "",
            "What `make demo`, `make results` and `iit simulate` draw from. Nobody in it exists. Published figures set",
            "how often treatment is interrupted, how many come back and when the risk is highest; the rest are",
            "assumptions, and say so. This page is printed by `python -m tenants.demo.parameters`.",
            "",
            "| parameter | value | unit | source |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - this is what it is for
