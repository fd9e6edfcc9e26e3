"""The links in what alert channels send."""

from __future__ import annotations

import json

import pytest

from plugins.email import Email
from plugins.sms_channel import SmsChannel
from tests.plugins.test_alert_channels import CHANNELS, SETTINGS, alert


@pytest.mark.parametrize("channel", [*CHANNELS, SmsChannel(), Email()], ids=lambda channel: channel.name)
def test_a_message_has_no_link_where_the_installation_has_no_address(channel):
    settings = SETTINGS.get(channel.name, {"to": "a@example.org"})

    def sent_with(url):
        requests = channel.requests(alert(url=url), settings)
        return json.dumps([[each.json, each.form, each.text] for each in requests], default=str)

    bare = sent_with("")
    assert "https://iit.example.org" in sent_with("https://iit.example.org/a")
    assert not [mark for mark in ("Open the alert", "client_url", "<|") if mark in bare]
