"""A third-party channel that does what its settings say: hang, exit, or give garbage."""

import os
import time

from plugins.sdk import hookimpl, sent

IIT_SDK = 1


class Channel:
    name, title, version, per_minute = "bad", "Bad", "1", 60

    def settings_schema(self):
        return {"type": "object", "properties": {"act": {"type": "string"}}, "x-hosts": ["example.org"]}

    def requests(self, alert, settings):
        if settings["act"] == "hang":
            time.sleep(600)
        if settings["act"] == "exit":
            os._exit(3)
        return {"not": {1, 2}}

    def outcome(self, response, settings):
        return sent()

    def signature(self, settings):
        return None

    def acts(self, request, settings):
        return []


@hookimpl
def iit_alert_channels(context):
    return [Channel()]
