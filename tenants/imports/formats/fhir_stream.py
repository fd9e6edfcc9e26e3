"""Read FHIR resources from files, one after another: NDJSON, Bundles of any size, single resources, zip archives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import count
from typing import IO, TYPE_CHECKING, Any, cast

import ijson

from core.errors import phrase
from tenants.imports.facts import Rejection
from tenants.imports.formats.documents import json_of, members, to_utf8
from tenants.imports.reading.sources import rejected

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator

    from tenants.imports.reading.sources import Source

MAX_RESOURCE = 8 << 20
"""Most bytes of one line or single resource."""
MAX_DEPTH = 100
MAX_EVENTS = 500_000
"""Most values in one resource of a streamed Bundle."""
_BUNDLE = re.compile(rb'"resourceType"\s*:\s*"Bundle"|"entry"\s*:\s*\[')
_NOT_JSON = Rejection("line", "the line is not whole JSON", "export the file again; each line is one resource")
_IN_ENTRIES = 2
"""Depth of the list of entries: the Bundle, then the list."""
_OPENS, _CLOSES = frozenset({"start_map", "start_array"}), frozenset({"end_map", "end_array"})


@dataclass(frozen=True, slots=True)
class Item:
    """One resource of a file.

    Attributes:
        number: rises from resource to resource; in an NDJSON file the line.
        suffix: its place in the file, if the number does not give it.
        content: the resource; None if it is none.
        full_url: its address in a Bundle.
    """

    number: int
    suffix: str = ""
    content: dict[str, Any] | None = None
    full_url: str = ""
    rejection: Rejection | None = None


def items(source: Source, pattern: re.Pattern[bytes] | None = None) -> Iterator[Item]:
    """Yield the resources of a file in their order.

    Args:
        source: the file.
        pattern: in NDJSON, skip lines without a match (numbers stay as they are).

    Raises:
        Invalid: the file is not readable to its end.
    """
    last = 0
    for member in members(source):
        stream = cast("io.BufferedReader", member.stream)
        for place, line, content, full_url, bad in _contents(source, stream, pattern):
            # A line with a Bundle takes several numbers, so later numbers are ahead of their lines.
            last = max(last + 1, line if not member.name else 0)
            where = f"line {line}" if line and line != last else place
            suffix = ", ".join(part for part in (f"in {member.name}" if member.name else "", where) if part)
            if content is None and bad is None:
                continue
            yield Item(last, f" ({suffix})" if suffix else "", content, full_url, bad)


_Content = tuple[str, int, dict[str, Any] | None, str, Rejection | None]


def _contents(source: Source, stream: io.BufferedReader, pattern: re.Pattern[bytes] | None) -> Iterator[_Content]:
    first = stream.readline(MAX_RESOURCE + 1)
    if first[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in first[:4]:
        raise rejected(source.name, "the file is not UTF-8 text", "FHIR is written in UTF-8: export it again")
    first = first.removeprefix(b"\xef\xbb\xbf")
    following = stream.peek(1)[:1]
    if _parse_json(first) is not None or following == b"{":
        yield from _lines(first, stream, pattern)
    elif _BUNDLE.search(first) or _BUNDLE.search(stream.peek(MAX_RESOURCE)[:MAX_RESOURCE]):
        yield from _bundle(source, first, stream)
    elif len(first) > MAX_RESOURCE:
        yield from _lines(first, stream, pattern)
    else:
        tail = stream.read(MAX_RESOURCE + 1)
        single = _parse_json(first + tail) if len(first + tail) <= MAX_RESOURCE else None
        yield from (
            _expanded("", 1, single) if single is not None else [("", 1, None, "", _too_large_or_damaged(first + tail))]
        )


def _too_large_or_damaged(data: bytes) -> Rejection:
    if len(data) > MAX_RESOURCE:
        return Rejection(
            "file",
            phrase("a resource of over {megabytes} MB", megabytes=MAX_RESOURCE >> 20),
            "give FHIR resources, a line each",
        )
    return Rejection("file", "the file is not whole JSON: cut off or damaged", "copy or export it again")


def _parse_json(data: bytes) -> Any:  # noqa: ANN401 - whatever the JSON holds
    """The parsed JSON, or None."""
    try:
        return json_of(to_utf8(data))
    except UnicodeDecodeError:
        return None


def _lines(first: bytes, stream: io.BufferedReader, pattern: re.Pattern[bytes] | None) -> Iterator[_Content]:
    line = first
    for number in count(1):
        if number > 1:
            line = stream.readline(MAX_RESOURCE + 1)
            if not line:
                return
        if len(line) > MAX_RESOURCE:
            while not line.endswith(b"\n") and (line := stream.readline(MAX_RESOURCE)):
                pass
            problem = phrase("the line is over {megabytes} MB", megabytes=MAX_RESOURCE >> 20)
            yield "", number, None, "", Rejection("line", problem, "give FHIR resources, a line each")
        elif not line.strip():
            continue
        elif pattern is not None and not pattern.search(line):
            yield "", number, None, "", None
        else:
            content = _parse_json(line)
            yield from _expanded("", number, content) if content is not None else [("", number, None, "", _NOT_JSON)]


def _expanded(place: str, line: int, content: object) -> Iterator[_Content]:
    """A resource, or the resources of a Bundle on one line."""
    if isinstance(content, dict) and content.get("resourceType") == "Bundle":
        entries = content.get("entry")
        for number, entry in enumerate(entries if isinstance(entries, list) else [], start=1):
            yield _entry(entry, number, line)
    elif isinstance(content, dict):
        yield place, line, content, "", None
    else:
        yield place, line, None, "", Rejection("line", "it is not a FHIR resource", "each line is one resource")


def _entry(entry: object, number: int, line: int = 0) -> _Content:
    content = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(content, dict):
        bad = Rejection("entry", "the entry has no resource", "export with resources; deletions are not taken")
        return f"entry {number}", line, None, "", bad
    full_url = entry.get("fullUrl")
    return f"entry {number}", line, content, full_url if isinstance(full_url, str) else "", None


class _BoundedStream:
    """A stream that begins with bytes already read, with a limit of bytes between one entry and the next."""

    def __init__(self, source: Source, first: bytes, tail: IO[bytes]) -> None:
        self._source, self._first, self._tail = source, first, tail
        self.since = 0

    def read(self, size: int = -1) -> bytes:
        if self.since > MAX_RESOURCE:
            problem = phrase("a resource of the Bundle takes more than {megabytes} MB", megabytes=MAX_RESOURCE >> 20)
            raise rejected(self._source.name, problem, "check where the file comes from")
        if self._first:
            data = self._first if size < 0 else self._first[:size]
            self._first = self._first[len(data) :]
        else:
            data = self._tail.read(size)
        self.since += len(data)
        return data


def _bundle(source: Source, first: bytes, stream: IO[bytes]) -> Iterator[_Content]:
    """Stream the entries of one Bundle."""
    number = 0
    try:
        for number, entry in enumerate(_entries(source, _BoundedStream(source, first, stream)), start=1):
            place, _, content, full_url, bad = _entry(entry, number)
            yield place, 0, content, full_url, bad
    except (ijson.JSONError, UnicodeDecodeError) as error:
        problem = phrase("the Bundle is cut off or damaged after {number} entries", number=number)
        raise rejected(source.name, problem, "copy or export it again") from error


def _entries(source: Source, stream: _BoundedStream) -> Iterator[object]:
    """Yield the entries of a Bundle, each when its last byte has arrived."""
    reading = _Entries(source)
    for event, value in ijson.basic_parse(stream, use_float=True):
        if reading.take(event, value):
            stream.since = 0
            yield reading.entry


class _Entries:
    """Follows the events of a parser through a Bundle; ``entry`` is the last complete entry."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._depth = self._events = 0
        self._key = ""
        self._inside = False
        self._builder: Any = None
        self.entry: object = None

    def take(self, event: str, value: object) -> bool:
        """Process one event; return whether it ended an entry.

        Raises:
            Invalid: the JSON is beyond the limits.
        """
        closes, opens = event in _CLOSES, event in _OPENS
        self._depth -= closes
        is_end = self._build(event, value) if self._builder is not None else self._look(event, value, opens=opens)
        self._depth += opens
        if self._depth > MAX_DEPTH or self._events > MAX_EVENTS:
            problem = "a resource of the Bundle is nested too deeply or too large"
            raise rejected(self._source.name, problem, "check where the file comes from")
        return is_end

    def _build(self, event: str, value: object) -> bool:
        self._events += 1
        self._builder.event(event, value)
        if self._depth != _IN_ENTRIES or event not in _CLOSES:
            return False
        self.entry, self._builder = self._builder.value, None
        return True

    def _look(self, event: str, value: object, *, opens: bool) -> bool:
        if self._depth == 1:
            if event == "map_key":
                self._key = str(value)
            elif opens or event in _CLOSES:
                self._inside = event == "start_array" and self._key == "entry"
        elif self._inside and self._depth == _IN_ENTRIES:
            if not opens:
                self.entry = value
                return True
            self._builder, self._events = ijson.ObjectBuilder(), 0
            self._builder.event(event, value)
        return False
