"""The page of the cold start says what was measured, and a new partner's records begin on a day."""

from functools import partial

import numpy as np

from tenants.demo.cold_start import MONTHS, Row, _since, page
from tenants.demo.simulate import simulate
from tenants.demo.simulate_command import DATA_DATE
from tenants.demo.watching.worlds import timelines_of


def test_the_page_has_a_line_for_each_number_of_months_with_the_range():
    rows = [
        Row(
            months,
            900,
            "naive" if seed or months < 12 else "additive",
            (0.6, 0.62 + seed / 10, 0.7),
            (1.5, 1.1),
            0.7 if months > 6 else None,
        )
        for seed in (0, 1)
        for months in MONTHS
    ]
    text = page(rows, "iit cold-start-rates", 6, 2000)
    assert "on 2 simulated new partners; 6 partners of 2,000 people gave" in text
    assert "epsilon\n1.99 at delta 1e-05" in text
    assert "| 3 | naive 2 | 0.60 (0.60 to 0.60) | 0.67 (0.62 to 0.72) |" in text
    assert "| 12 | additive 1, naive 1 |" in text
    assert text.count("too young") == 3


def test_a_new_partner_has_no_contacts_before_its_first_day():
    cohort = simulate(people=120, facilities=3, data_date=DATA_DATE, years=2, seed=3)
    first = cohort.data_day - 300
    dates = timelines_of(cohort, partial(_since, first=first)).contacts.date
    assert dates.min() >= first
    assert dates.size == np.sum([pickup.day >= first for pickup in cohort.pickups])
