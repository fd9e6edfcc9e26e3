"""S3: listings with pages, and objects. It checks each signature from what arrived, as Amazon's documentation says."""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from tests.vendors.server import Reply, Vendor

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request,\s*SignedHeaders=([^,]+),\s*Signature=(\w+)"
)


class Bucket(Vendor):
    """A bucket.

    Attributes:
        name, key_id, secret, region: of the bucket.
        files: content by key.
        modified: time of every object.
        page: most objects of a listing.
    """

    def __init__(self, files=None):
        super().__init__()
        self.name, self.key_id, self.region = "lists", "AKIDEXAMPLE", "eu-west-1"
        self.secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
        self.files, self.modified, self.page = dict(files or {}), "2026-01-01T00:00:00.000Z", 1000

    @property
    def settings(self):
        key = {"key_id": self.key_id, "secret_key": self.secret}
        return {"bucket": self.name, "region": self.region, "endpoint": self.url, "prefix": "daily", **key}

    def answer(self, call):
        problem = self._problem(call)
        if problem:
            return self._error(403, problem)
        if call.path == f"/{self.name}":
            return self._listing(call.query)
        key = unquote(call.path).removeprefix(f"/{self.name}/")
        content = self.files.get(key)
        if content is None:
            return self._error(404, "NoSuchKey")
        if call.headers.get("if-match", self._etag(content)) != self._etag(content):
            return self._error(412, "PreconditionFailed")
        return Reply(200, content, {"ETag": self._etag(content)})

    def _listing(self, query):
        assert query["list-type"] == "2"
        assert query["encoding-type"] == "url"
        prefix, after = query["prefix"], query.get("continuation-token", "")
        keys = [key for key in sorted(self.files) if key.startswith(prefix) and key > after]
        keys = [key for key in keys if "/" not in key.removeprefix(prefix)]
        shown, more = keys[: self.page], len(keys) > self.page
        parts = "".join(map(self._contents, shown))
        token = f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if more else ""
        head = '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        return Reply(
            200, f"{head}<IsTruncated>{str(more).lower()}</IsTruncated>{token}{parts}</ListBucketResult>".encode()
        )

    def _contents(self, key):
        name, content = escape(quote(key, safe="/").replace("%20", "+")), self.files[key]
        etag = escape(self._etag(content))
        facts = f"<Size>{len(content)}</Size><LastModified>{self.modified}</LastModified><ETag>{etag}</ETag>"
        return f"<Contents><Key>{name}</Key>{facts}</Contents>"

    def _problem(self, call):
        parts = AUTHORIZATION.fullmatch(call.headers.get("authorization", ""))
        if parts is None:
            return "AccessDenied"
        key_id, day, region, names, signature = parts.groups()
        if key_id != self.key_id:
            return "InvalidAccessKeyId"
        if region != self.region:
            return "AuthorizationHeaderMalformed"
        query = "&".join(
            f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(call.query.items())
        )
        headers = "".join(f"{name}:{call.headers[name]}\n" for name in names.split(";"))
        canonical = f"GET\n{call.path}\n{query}\n{headers}\n{names}\n{call.headers['x-amz-content-sha256']}"
        scope = f"{day}/{region}/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{call.headers['x-amz-date']}\n{scope}\n{digest}"
        key = f"AWS4{self.secret}".encode()
        for part in [*scope.split("/"), text]:
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return "" if key.hex() == signature else "SignatureDoesNotMatch"

    @staticmethod
    def _error(status, code):
        return Reply(status, f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode())

    @staticmethod
    def _etag(content):
        return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
