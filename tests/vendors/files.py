"""A server of files: an index in JSON or HTML, and the files; with a token, basic authentication, or neither."""

from __future__ import annotations

import hashlib

from tests.vendors.server import Reply, Vendor


class FileServer(Vendor):
    """A server of files.

    Attributes:
        files: content by path, such as ``/out/a.csv``.
        token: of the bearer who may read; empty for everybody.
        modified: HTTP date of every file.
        tagged: whether its answers have tags.
        sizes: path and bytes of each file that it sent, in order.
    """

    def __init__(self, files=None, token=""):
        super().__init__()
        self.files, self.token = dict(files or {}), token
        self.modified = "Thu, 01 Jan 2026 00:00:00 GMT"
        self.tagged = True
        self.sizes = []

    def answer(self, call):
        if self.token and call.headers.get("authorization") != f"Bearer {self.token}":
            return Reply(401)
        if call.path == "/index.json":
            return Reply(200, [{"url": path, "size": len(content)} for path, content in self.files.items()])
        if call.path == "/index.html":
            links = "".join(f'<a href="{path}">{path}</a>' for path in self.files)
            return Reply(200, f'<html><a href="../">up</a>{links}</html>'.encode())
        if call.path not in self.files:
            return Reply(404)
        reply = self._file(call, self.files[call.path])
        self.sizes.append((call.path, len(reply.body)))
        return reply

    def _file(self, call, content):
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        head = {"ETag": etag} if self.tagged else {}
        head["Last-Modified"] = self.modified
        known = call.headers.get("if-none-match"), call.headers.get("if-modified-since")
        if known in ((etag, None), (None, self.modified)):
            return Reply(304, b"", head)
        if call.headers.get("range") == "bytes=0-0" and content:
            return Reply(206, content[:1], {**head, "Content-Range": f"bytes 0-0/{len(content)}"})
        return Reply(200, content, head)
