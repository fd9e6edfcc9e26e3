"""What people call a browser and its system."""

import pytest

from core.identity.people.devices import device_of

KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
SYSTEMS = {
    "Android": "Linux; Android 14; SM-A055F",
    "iPhone or iPad": "iPhone; CPU iPhone OS 17_5 like Mac OS X",
    "Windows": "Windows NT 10.0; Win64; x64",
    "Mac": "Macintosh; Intel Mac OS X 14_5",
    "Linux": "X11; Linux x86_64",
}
BROWSERS = {
    "Chrome": "Chrome/126.0.0.0 Mobile Safari/537.36",
    "Edge": "Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0",
    "Opera": "Chrome/126.0.0.0 Safari/537.36 OPR/112.0.0.0",
    "Firefox": "Gecko/20100101 Firefox/127.0",
    "Safari": "Version/17.5 Safari/605.1.15",
}


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("browser", BROWSERS)
def test_a_known_browser_on_a_known_system_has_its_names(browser, system):
    assert device_of(f"Mozilla/5.0 ({SYSTEMS[system]}) {KIT} {BROWSERS[browser]}") == (browser, system)


@pytest.mark.parametrize("text", ["", "curl/8.5.0", "Mozilla/5.0 (PlayStation) Chrome/1", "<script>"])
def test_anything_else_has_none(text):
    assert device_of(text) is None
