"""The texts of errors are gathered where an error is made, in every module whose errors pages may show."""

from __future__ import annotations

from core.web import gather_texts
from core.web.error_texts import FOLDERS, NOT_ON_PAGES, lines_without_template, modules, texts_in

TEXT_FOLDERS = ("core", "tenants/cohort", "tenants/imports", "tenants/quality", "tenants/records", "tenants/risk")
"""Folders in which an error with values is a ``phrase``."""

EXEMPT = {"core/errors/phrases.py", "tenants/risk/list_files.py"}
"""Makes phrases; writes files for the API."""


def test_constants_names_and_choices_are_gathered_where_an_error_is_made():
    source = """
NO_SUCH = "there is none"
detail, remedy = "it is wrong", "mend it"
raise NotFound(NO_SUCH, remedy="look" + "" if there else "ask them")
row.reject("email", "is twice", "Write it one time.")
reject(reading, "field of it", "is no resource", "give one")
other("not an error", FieldError("email", f"not {this}", "Write one."))
def read():
    message = "the row ends too early" if cut else "the row is empty"
    raise RowError(message, "export it")
def other():
    message = "not an error either"
    raise ValueError(message)
notes.append("two rows were read")
kind = Invalid("a_code")
"""
    assert set(texts_in(source)) == {
        *("there is none", "it is wrong", "mend it", "ask them", "is twice", "Write it one time.", "Write one."),
        *("is no resource", "give one", "the row ends too early", "the row is empty", "export it"),
        "two rows were read",
    }


def test_a_text_with_values_that_is_no_phrase_is_found():
    source = """
problem = f"has {count} rows"
raise Invalid("has {} rows".format(count), remedy=phrase("give {most}", most=most))
notes.append(f"{count} rows")
log(f"{count} rows")
"""
    assert lines_without_template(source) == [2, 3, 4]


def test_every_error_with_values_is_a_phrase():
    wrong = {
        str(place): lines
        for path in modules(gather_texts.ROOT)
        if str(place := path.relative_to(gather_texts.ROOT)).startswith(TEXT_FOLDERS) and str(place) not in EXEMPT
        for lines in [lines_without_template(path.read_text())]
        if lines
    }
    assert wrong == {}


def test_every_module_is_gathered_but_the_exceptions_which_are_there_and_have_a_reason():
    gathered = {str(path.relative_to(gather_texts.ROOT)) for path in modules(gather_texts.ROOT)}
    for name, reason in NOT_ON_PAGES.items():
        assert (gather_texts.ROOT / name).exists(), name
        assert reason, name
    for folder in FOLDERS:
        for path in (gather_texts.ROOT / folder).rglob("*.py"):
            place = path.relative_to(gather_texts.ROOT)
            left_out = any(str(one) in NOT_ON_PAGES for one in (place, *place.parents))
            assert (str(place) in gathered) != (left_out or place.name == "commands.py"), place
