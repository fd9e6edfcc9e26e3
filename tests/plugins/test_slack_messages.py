"""A bot's first message in Slack changes with its alert, and a snooze there chooses its minutes."""

import json
from urllib.parse import urlencode

from plugins.sdk import ChannelAct, HttpResponse, IncomingRequest, sent
from plugins.slack import SlackBot, SlackWebhook
from tests.plugins.test_alert_channels import SETTINGS, alert, body_of


def test_a_bot_changes_the_first_message_and_answers_in_its_thread():
    assert "thread_ts" not in body_of(SlackBot(), None)
    for act in ("acknowledge", "resolve"):
        settings = {**SETTINGS["slack-bot"], "signing_secret": "{{secret:signing_secret}}"}
        change, answer = SlackBot().requests(alert(act=act, reference="1.2"), settings)
        assert (change.url[-12:], change.json["ts"], change.repeatable) == ("/chat.update", "1.2", True)
        assert (answer.json["thread_ts"], answer.json["reply_broadcast"]) == ("1.2", act == "resolve")
        shown = json.dumps(change.json["blocks"])
        assert ("Kibera" in shown, "iit_acknowledge" in shown, "iit_resolve" in shown) == (
            True,
            False,
            act != "resolve",
        )
        assert "blocks" not in answer.json


def test_a_first_message_that_is_gone_does_not_stop_the_answer():
    assert SlackBot().outcome(HttpResponse(200, text='{"ok": false, "error": "message_not_found"}'), {}) == sent()


def test_a_snooze_in_slack_chooses_its_minutes():
    (block,) = (each for each in body_of(SlackWebhook())["blocks"] if each["type"] == "actions")
    (select,) = (each for each in block["elements"] if each["type"] == "static_select")
    assert [option["value"] for option in select["options"]] == ["30", "60", "240"]
    for chosen, minutes in (("240", 240), ("9999", 0)):
        action = {"action_id": select["action_id"], "block_id": block["block_id"], "selected_option": {"value": chosen}}
        payload = {"type": "block_actions", "user": {"id": "U1"}, "actions": [action]}
        request = IncomingRequest({}, {}, urlencode({"payload": json.dumps(payload)}))
        act = ChannelAct("snooze", "list/Kibera & Co", "U1", minutes)
        assert list(SlackWebhook().acts(request, SETTINGS["slack"])) == [act]
