"""Static files of features. An address changes with its file's content, so a browser never requests it twice.

The digest in an address is that of the whole folder, so that relative paths between style sheets and modules stay
valid. Files are read and compressed when the application is made.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from core.errors import NotFound
from core.web.compression import takes_gzip

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PATH = "/assets/"
PACKAGES = "packages"
FOREVER = "public, max-age=31536000, immutable"
_DIGEST_BYTES = 10
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml"}
"""Types of files whose ending some machines map to another type, or to none."""

_TEXT = ("text/", "image/svg+xml", "application/json", "application/manifest+json")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its type, its bytes, and the compressed bytes if they are shorter."""

    media_type: str
    content: bytes
    compressed: bytes | None


class Assets:
    """The static files of all features.

    Args:
        folders: prefix -> folder.
        base: address before every path, such as that of a CDN; empty where this server serves them.
        packages: name -> file of those with the prefix ``packages``, from npm packages.
    """

    def __init__(self, folders: Mapping[str, Path], base: str = "", packages: Mapping[str, Path] | None = None) -> None:
        self._base = base.rstrip("/")
        self._digests: dict[str, str] = {}
        self._assets: dict[str, Asset] = {}
        listed = {
            prefix: {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
            for prefix, folder in folders.items()
        }
        if packages:
            listed[PACKAGES] = dict(packages)
        for prefix, files in listed.items():
            contents = {name: file.read_bytes() for name, file in files.items()}
            contents |= {name: _bundled(name, contents) for name in contents if name.endswith(".css")}
            digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
            for name, content in contents.items():
                digest.update(f"{name}\0{len(content)}\0".encode() + content)
            self._digests[prefix] = digest.hexdigest()
            for name, content in contents.items():
                self._assets[f"{prefix}/{self._digests[prefix]}/{name}"] = _asset(name, content)

    def address(self, name: str) -> str:
        """The address of ``prefix/path/of/file``.

        Raises:
            LookupError: no feature has such a file.
        """
        prefix, _, rest = name.partition("/")
        key = f"{prefix}/{self._digests.get(prefix, '')}/{rest}"
        if key not in self._assets:
            message = f"no feature has the asset {name!r}: add the file to the folder of {prefix!r}"
            raise LookupError(message)
        return f"{self._base}{PATH}{key}"

    def read(self, key: str) -> Asset:
        """The file at ``prefix/digest/path``.

        Raises:
            NotFound: there is none (404).
        """
        stored = self._assets.get(key)
        if stored is None:
            detail = "there is no such file"
            raise NotFound(detail, remedy="Reload the page: its files have changed.")
        return stored


_IMPORT = re.compile(rb'^@import "([\w.-]+\.css)";\n', re.MULTILINE)


def _bundled(name: str, contents: Mapping[str, bytes]) -> bytes:
    """Return a style sheet with its imports from the same folder included: one request on a slow line, not ten.

    Raises:
        LookupError: it imports a file that is not there.
    """

    def imported(line: re.Match[bytes]) -> bytes:
        neighbour = line[1].decode()
        if neighbour not in contents:
            message = f"{name} imports {neighbour}, which is not in its folder"
            raise LookupError(message)
        return contents[neighbour]

    return _IMPORT.sub(imported, contents[name])


def _asset(name: str, content: bytes) -> Asset:
    suffix = name[name.rfind(".") :] if "." in name else ""
    media_type = _TYPES.get(suffix) or mimetypes.types_map.get(suffix) or "application/octet-stream"
    if not media_type.startswith(_TEXT):
        return Asset(media_type, content, None)
    compressed = gzip.compress(content, 9, mtime=0)
    media_type = media_type if media_type.startswith("image/") else f"{media_type}; charset=utf-8"
    return Asset(media_type, content, compressed if len(compressed) < len(content) else None)


router = APIRouter(include_in_schema=False)


@router.api_route(PATH + "{key:path}", methods=["GET", "HEAD"])
async def asset(request: Request, key: str) -> Response:
    """Return a static file of a feature. It waits for nothing, so it needs neither a thread nor a slot."""
    stored: Asset = request.app.state.site.assets.read(key)
    headers = {
        "Cache-Control": FOREVER,
        "Vary": "Accept-Encoding",
        # A CDN has another origin: modules and fonts come from it only with these.
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    content = stored.content
    if stored.compressed is not None and takes_gzip(request.headers.get("accept-encoding", "")):
        content = stored.compressed
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=stored.media_type, headers=headers)
