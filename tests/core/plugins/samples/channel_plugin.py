"""A third-party channel that does what the alert's title says."""

import os
import socket
import sys
import time
from pathlib import Path

from plugins.sdk import HttpRequest, hookimpl, sent

IIT_SDK = 1


class Channel:
    name, title, version, per_minute = "foreign", "Foreign", "1", 60

    def settings_schema(self):
        return {"type": "object", "properties": {}, "x-hosts": ["example.org"]}

    def requests(self, alert, settings):
        return [HttpRequest("POST", "https://example.org/", json=getattr(self, alert.title)(alert.text))]

    def outcome(self, response, settings):
        return sent()

    def signature(self, settings):
        return None

    def acts(self, request, settings):
        return []

    def process(self, _):
        return os.getpid()

    def read(self, path):
        return Path(path).read_text()

    def reach(self, port):
        socket.create_connection(("127.0.0.1", int(port)))

    def environment(self, _):
        return dict(os.environ)

    def hang(self, _):
        time.sleep(600)

    def fail(self, _):
        sys.stderr.write("why it failed\n")
        sys.stderr.flush()
        raise RuntimeError("at work")

    def leave(self, _):
        raise SystemExit(0)

    def die(self, _):
        os._exit(3)

    def flood(self, _):
        while True:
            sys.stdout.write("x" * 65_536)

    def garbage(self, _):
        return {"not": {1, 2}}


@hookimpl
def iit_alert_channels(context):
    return [Channel()]
