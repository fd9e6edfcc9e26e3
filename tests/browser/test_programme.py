"""The programme in a browser: read, narrow, open a number, compare with the partner's list; phone and desktop."""

from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest

from core.clock import today
from core.database import tenant_session
from tenants.imports.models_snapshots import RadetSnapshot
from tests.browser import people as staff
from tests.browser.page_checks import DESKTOP, PHONE, assert_good
from tests.keyed import KeyedClient

QUARTER = "/programme?period=2025Q2"


@pytest.fixture(scope="module")
def partner(make_tenant, application):
    """A tenant with two clinics: three people on treatment and one lost in the second quarter of 2025."""
    owner = make_tenant()
    with KeyedClient(application, headers={"X-API-Key": owner.api_key}) as client:

        def add(path, **body):
            answer = client.post(f"/v1/{path}", json=body)
            assert answer.status_code == 201, answer.text
            return answer.headers["location"].rsplit("/", 1)[1]

        places = {}
        for name in ("Central clinic", "River clinic"):
            datim_id = f"T{uuid4().hex[:10]}"
            places[name] = (datim_id, UUID(add("facilities", datim_id=datim_id, name=name)))
        people = [
            add_person(add, *person, places)
            for person in (
                ("H-1", "F", "Central clinic", date(2025, 1, 6), (date(2025, 1, 6),)),
                ("H-2", "M", "Central clinic", date(2024, 9, 2), visits(date(2024, 9, 2), 6)),
                ("H-3", "F", "Central clinic", date(2025, 4, 7), visits(date(2025, 4, 7), 3)),
                ("H-4", "F", "River clinic", date(2024, 9, 2), visits(date(2024, 9, 2), 6)),
            )
        ]
    day, place = today("Africa/Lagos"), places["Central clinic"][1]
    with tenant_session(owner.ref, actor="test:1") as session:
        for patient, status in zip(people[:3], ("iit", "active", "died"), strict=True):
            session.add(
                RadetSnapshot(
                    patient_uuid=UUID(patient), data_date=day, facility_uuid=place,
                    source="lamisplus", import_uuid=uuid4(), status=status,
                )
            )  # fmt: skip
    roles = ("data_officer", "viewer", "tracking_officer")
    return people, {role: staff.session_of(staff.add_person(owner.ref, role), owner.ref) for role in roles}


def visits(first, count):
    return tuple(first + timedelta(days=60 * number) for number in range(count))


def add_person(add, number, sex, clinic, start, days, places):
    patient = add(
        "patients", facility=places[clinic][0], hospital_number=number, sex=sex, birthdate="1990-05-01",
        art_start_date=start.isoformat(),
    )  # fmt: skip
    for day in days:
        add(
            "visits", patient_id=patient, date_started=day.isoformat(), visit_type="clinical",
            next_appointment=(day + timedelta(days=60)).isoformat(),
        )  # fmt: skip
    return patient


@pytest.fixture
def visit(open_page, partner):
    """Opens a page as a role: ``visit("/programme", "viewer")``."""

    def begin(path, role="data_officer", size=DESKTOP, **options):
        return open_page(path, size, session=partner[1][role], **options)

    return begin


def stats(page):
    return [" ".join(stat.split()) for stat in page.locator(".stats > *").all_inner_texts()]


def test_the_page_says_how_the_programme_stands_and_how_its_numbers_reconcile(visit):
    page = visit(QUARTER)
    assert page.get_by_role("heading", level=1).inner_text() == "April to June 2025"
    assert stats(page) == [
        "3 On treatment (TX_CURR) ±0 on the period before",
        "1 Started treatment (TX_NEW) was 1",
        "1 Left treatment (TX_ML) 25.0%, was 0.0%",
        "0 Came back (TX_RTT) was 0",
        "- Virus suppressed (TX_PVLS) 0 of 0 with a result",
    ]
    flows = page.get_by_role("region", name="How the number on treatment changed").inner_text().split("\n")
    assert flows[1:] == [
        "On treatment at the start", "3", "Started treatment", "+1", "Left treatment", "\u22121",
        "On treatment at the end", "3",
    ]  # fmt: skip
    points = page.get_by_role("region", name="Left treatment, over time")
    assert points.locator("svg circle").count() == points.locator("tbody tr").count() == 6
    assert "complete through 30 Jun 2025 at 0 of 2 clinics" in page.locator(".source").inner_text()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_filters_are_in_the_address_and_a_number_opens_its_people(visit, partner, script):
    page = visit("/programme", size=PHONE, java_script_enabled=script)
    page.goto(QUARTER)
    page.get_by_label("Clinic", exact=True).select_option("Central clinic")
    page.get_by_label("Details of").select_option("On treatment")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("Show everybody").wait_for()
    assert "facility=T" in page.url
    assert "show=TX_CURR" in page.url
    assert stats(page)[0].startswith("2 On treatment")
    page.locator(".stats a").first.click()
    page.wait_for_url("**/programme/people?**")
    assert page.locator("tbody th").all_inner_texts() == ["H-3", "H-2"]
    page.get_by_role("link", name="H-2").click()
    page.wait_for_url(f"**/patients/{partner[0][1]}")


def test_each_number_opens_as_many_people_as_it_says(visit):
    page = visit(QUARTER)
    links = {link.get_attribute("href"): link.inner_text() for link in page.locator("main a[href*='/people?']").all()}
    assert len(links) > 10
    for href, text in links.items():
        page.goto(href)
        counted = "".join(letter for letter in text.split("\n")[0] if letter.isdigit())
        assert page.locator("tbody tr").count() == int(counted), href


def test_the_page_shows_where_the_partners_list_disagrees(visit):
    page = visit(QUARTER)
    page.get_by_role("link", name="See where it disagrees").click()
    page.wait_for_url("**/programme/disagreements")
    assert stats(page) == [
        "3 patients on the list", "1 with the same status in the records 33.3%", "2 on whom they disagree",
    ]  # fmt: skip
    page.get_by_role("region", name="Likely reasons").get_by_role("link").last.click()
    page.get_by_role("link", name="Show all reasons").wait_for()
    assert page.get_by_role("region", name="Patients").locator("tbody tr").count() == 1


def test_a_viewer_reads_the_numbers_and_opens_no_list(visit):
    page = visit(QUARTER, "viewer")
    assert stats(page)[0].startswith("3 On treatment")
    assert page.locator("main a[href*='/people']").count() == 0
    page.goto("/programme/disagreements")
    assert page.get_by_role("region", name="Likely reasons").get_by_role("link").count() == 0


def test_who_may_not_read_numbers_is_told_who_can_allow_it(visit):
    page = visit("/programme", "tracking_officer")
    assert "See status, indicators" in page.locator("main").inner_text()
    assert page.get_by_role("link", name="Programme").count() == 0


@pytest.mark.parametrize("path", [QUARTER, "/programme/people?period=2025Q2&show=TX_CURR", "/programme/disagreements"])
def test_pages_are_accessible_and_fit_every_screen(visit, accessible, path):
    assert_good(visit(path), accessible)
