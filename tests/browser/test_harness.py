"""The browser tests themselves: what a page does wrong fails its test."""

import pytest

from tests.browser.page_checks import DESKTOP

PAGE = "<!doctype html><html lang=en><title>Page</title><main><h1>Page</h1>{content}</main></html>"


NEXT_HALF = """() => new Promise(moved => {
  const before = scrollY
  scrollBy(0, innerHeight / 2)
  requestAnimationFrame(() => requestAnimationFrame(() => moved(scrollY > before)))
})"""
"""Scrolls by half a screen, lets the page draw, and says whether it moved."""


def drawn_by_scrolling(page):
    """The ids of all operations. Of more than 128, Swagger UI draws those near the screen only."""
    drawn, moved = set(), True
    while moved:
        drawn |= set(page.locator(".opblock").evaluate_all("operations => operations.map(one => one.id)"))
        moved = page.evaluate(NEXT_HALF)
    return drawn


def test_the_documentation_page_shows_the_operations_without_an_error_of_the_browser(open_page):
    page = open_page("/docs", DESKTOP)
    page.locator(".opblock").first.wait_for(timeout=120_000)  # hundreds of operations, on a machine that may be busy
    assert len(drawn_by_scrolling(page)) > 50


def test_what_the_policy_blocks_is_reported(open_page, troubles):
    page = open_page("/health/live")
    with page.expect_console_message():
        page.set_content(PAGE.format(content="<img alt='dot' src='https://elsewhere.example/dot.png'>"))
    assert any("Content Security Policy" in trouble for trouble in troubles)
    troubles.clear()


def test_a_request_to_another_site_is_reported(open_page, troubles, site):
    page = open_page()
    page.route("**/*", lambda route: route.fulfill(status=200, body="", content_type="text/html"))
    page.goto("https://elsewhere.example/")
    assert troubles == ["request to another site: https://elsewhere.example/"]
    troubles.clear()


def test_axe_names_what_is_not_accessible(open_page, accessible):
    page = open_page("/health/live")
    page.set_content(PAGE.format(content="<input name=phone>"))
    with pytest.raises(AssertionError, match="label"):
        accessible(page)
