"""The how-to of sources of records names settings that the importers have."""

import re

import pytest

from plugins.importers.https import HttpsImporter
from plugins.importers.locations import FolderImporter, S3Importer, SftpImporter
from tests.docs.examples import ROOT

PAGE = (ROOT / "docs" / "how-to" / "records-that-come-by-themselves.md").read_text(encoding="utf-8")
OFFERS = {
    offer.name: offer.settings_schema() for offer in (FolderImporter(), HttpsImporter(), S3Importer(), SftpImporter())
}


@pytest.mark.parametrize("name", OFFERS)
def test_the_table_names_each_setting_that_an_importer_needs(name):
    (row,) = re.findall(rf"^\| [^|]+ \| `{name}` \| (.+) \|$", PAGE, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", row)) - {"file", "json", "html", "central"}
    properties = set(OFFERS[name]["properties"])
    assert set(OFFERS[name]["required"]) <= named <= properties
    assert {"pattern", "format"} <= properties


def test_the_command_sets_what_its_importer_has():
    command = re.search(r"iit plugin enable central importer (\w+) (.*?)\niit", PAGE, re.DOTALL)
    named = set(re.findall(r'--set "?(\w+)=|--secret (\w+)', command[2]))
    names = {one or other for one, other in named}
    schema = OFFERS[command[1]]
    assert set(schema["required"]) <= names <= set(schema["properties"])
    secret = {name for name, setting in schema["properties"].items() if setting.get("writeOnly")}
    assert {other for _, other in named if other} <= secret
