"""The pictures of `make shots`: every page has one, and every picture is of a page."""

from tests.browser.faces import WITHOUT_PICTURE
from tests.browser.incoming_faces import ALL_FACES
from tests.isolation.test_pages import ROWS_OF_ALL


def test_every_page_has_a_picture():
    pages = {str(row) for row in ROWS_OF_ALL if row.method == "GET" or row.status == 200}
    shown = {face.page for face in ALL_FACES}
    assert sorted(pages - shown - set(WITHOUT_PICTURE)) == []
    assert sorted((shown | set(WITHOUT_PICTURE)) - {str(row) for row in ROWS_OF_ALL}) == []


def test_pictures_have_names_of_their_own():
    names = [face.name for face in ALL_FACES]
    assert sorted(names) == sorted(set(names))
