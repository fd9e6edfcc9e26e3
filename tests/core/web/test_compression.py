"""Compression of pages."""

import gzip

import pytest

from core.web.compression import page_content, takes_gzip

PAGE = "<p>Client 0412</p>" * 100


@pytest.mark.parametrize(
    ("accepted", "takes"), [("gzip, br", True), ("br;q=1, GZIP;q=0.5", True), ("gzip;q=0", False), ("", False)]
)
def test_a_browser_says_whether_it_takes_gzip(accepted, takes):
    assert takes_gzip(accepted) is takes


def test_a_page_is_compressed_to_sizes_that_tell_nothing_of_what_it_repeats():
    contents = [page_content(PAGE, "gzip") for _ in range(50)]
    assert {gzip.decompress(content).decode().partition("<!--")[0] for content, _ in contents} == {PAGE}
    assert {headers["Content-Encoding"] for _, headers in contents} == {"gzip"}
    sizes = {len(content) for content, _ in contents}
    assert len(sizes) > 5
    assert max(sizes) < len(PAGE) / 3


def test_a_page_goes_as_it_is_to_who_takes_no_gzip_and_where_it_is_small():
    assert page_content(PAGE, "") == (PAGE.encode(), {"Vary": "Accept-Encoding"})
    assert page_content("<p>", "gzip") == (b"<p>", {"Vary": "Accept-Encoding"})
