"""The texts of first-party plugins, which pages show in the reader's language."""

import pytest

from core.plugins import catalogue
from core.web.texts import reading_in
from tenants.portal.plugin_fields import fields_of
from tenants.portal.plugin_texts import HINTS, OFFERS, TITLES, plugin_text


@pytest.fixture(scope="module")
def offers():
    return [offer for plugin in catalogue.installed() if plugin.first_party for offer in plugin.offers]


def test_the_tables_have_the_texts_of_the_plugins_and_no_others(offers):
    settings = [each for offer in offers for each in offer.schema["properties"].values()]
    assert sorted({offer.title for offer in offers}) == sorted(OFFERS)
    assert sorted({each["title"] for each in settings}) == sorted(TITLES)
    assert sorted({each["description"] for each in settings if "description" in each}) == sorted(HINTS)


def test_a_form_has_its_titles_and_hints_in_the_language_of_the_reader(offers):
    (email,) = [offer for offer in offers if offer.name == "email"]
    with reading_in("fr"):
        fields = {field.name: field for field in fields_of(email.schema, {})}
        assert (fields["to"].label, fields["to"].hint[:4]) == ("Adresses", "Tous")
        assert plugin_text("Something of a third party") == "Something of a third party"
        assert plugin_text("") == ""
