"""Values of plugins are checked: what is stored later can be stored."""

import pytest

from core.plugins.wire import checked
from plugins.sdk import IncomingSms


@pytest.mark.parametrize(
    ("text", "whole"),
    [("STOP \ud83d", "STOP \ufffd"), ("\udc00\ud83d", "\ufffd\ufffd"), ("\ufeffhe \U0001f600", "\ufeffhe \U0001f600")],
    ids=["half", "reversed", "pair"],
)
def test_half_a_surrogate_pair_is_replaced(text, whole):
    assert checked(str, text) == whole
    assert checked(dict[str, str], {text: text}) == {whole: whole}
    assert checked(IncomingSms, IncomingSms("1", text, "r")) == IncomingSms("1", whole, "r")
