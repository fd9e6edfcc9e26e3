"""Pages of a list: ``page`` and ``page_size``, ``sort``, ``after``, and one shape of answer for every list.

A route says what its list takes by the type of its parameter::

    Paging                                                   # page, page_size
    Annotated[PageRequest, Depends(sorted_pages({"name": str}))]                       # and sort
    Annotated[PageRequest, Depends(long_pages({"date_started": date}, "-date_started"))]  # and sort, after

``core.web.keyset`` makes the SQL of the last one.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Generic, Literal, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

from core.errors import FieldError, Invalid
from core.web.cursors import Cursor, Key, Sort, decode

PAGE_SIZE = 50
PAGE_SIZE_MAX = 500
PAGE_MAX = 1_000_000
_OWN = frozenset({"page", "page_size", "after"})

Item = TypeVar("Item")
PageDependency = Callable[..., Awaitable["PageRequest"]]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The page that the caller asks for; pages count from 1.

    Attributes:
        path: the path of the list, for the links to the next and the previous page.
        query: the caller's other parameters, which those links repeat.
        sort: the order, if the list offers a choice.
        key: the last row of the previous page, if the caller sent a cursor; the page begins after it.
        keyed: whether the list has cursors, so that ``next`` contains one.
    """

    page: int = 1
    page_size: int = PAGE_SIZE
    path: str = ""
    query: tuple[tuple[str, str], ...] = ()
    sort: Sort | None = None
    key: Key | None = None
    keyed: bool = field(default=False, kw_only=True)

    @property
    def limit(self) -> int:
        """Rows at most."""
        return self.page_size

    @property
    def offset(self) -> int:
        """Rows to skip."""
        return 0 if self.key is not None else (self.page - 1) * self.page_size

    def at(self, path: str, sort: Sort) -> "PageRequest":
        """Return the same request for a list with cursors under another path, without the caller's other parameters.

        For the first page of a list that this request creates; ``sort`` is the default order under that path.
        """
        return replace(self, path=path, query=(), sort=sort, keyed=True)

    def head(self, total: int, last: Key | None = None) -> dict[str, Any]:
        """Return the facts of an answer beside its rows: ``page``, ``page_size``, ``total`` and the links.

        Args:
            total: rows in all.
            last: key of the page's last row where more rows follow, for lists that give cursors.
        """
        pages = max(1, -(-total // self.page_size))
        if self.keyed:
            following = None if last is None else self._link_after(last)
        else:
            following = self._link(self.page + 1) if self.page < pages else None
        return {
            "page": self.page,
            "page_size": self.page_size,
            "total": total,
            "next": following,
            "previous": self._link(min(self.page - 1, pages)) if self.page > 1 else None,
        }

    def _link(self, page: int) -> str:
        return f"{self.path}?{urlencode([*self.query, ('page', page), ('page_size', self.page_size)])}"

    def _link_after(self, last: Key) -> str:
        cursor = Cursor(self.sort or Sort(""), self.page + 1, last).encode()
        return f"{self.path}?{urlencode([*self.query, ('page_size', self.page_size), ('after', cursor)])}"


PageNumber = Annotated[int, Query(ge=1, le=PAGE_MAX, description="Page, counted from 1.", examples=[1])]
PageSize = Annotated[int, Query(ge=1, le=PAGE_SIZE_MAX, description="Rows per page.", examples=[PAGE_SIZE])]


async def page_request(request: Request, page: PageNumber = 1, page_size: PageSize = PAGE_SIZE) -> PageRequest:
    """Return the page that the query asks for."""
    return PageRequest(page, page_size, request.url.path, _others(request))


Paging = Annotated[PageRequest, Depends(page_request)]
"""In a route's signature: the page that the caller asks for."""


def sorted_pages(fields: Mapping[str, type], default: str = "") -> PageDependency:
    """Return the page and the order that the query names. Use it with ``Depends``.

    Args:
        fields: the fields by which the list can be sorted, as the API names them, with the type of their values.
        default: the order without ``sort``; the first field ascending when empty.
    """
    kind, first = _sorts(fields, default)

    async def requested(
        request: Request,
        page: PageNumber = 1,
        page_size: PageSize = PAGE_SIZE,
        sort: Annotated[kind, Query(description=_SORT)] = first,  # type: ignore[valid-type]  # the list's own orders
    ) -> PageRequest:
        return PageRequest(page, page_size, request.url.path, _others(request), Sort.parse(sort))

    return requested


def long_pages(fields: Mapping[str, type], default: str = "", *, identity: type = UUID) -> PageDependency:
    """Return the page and the order of a list with cursors. Use it with ``Depends``.

    Args:
        fields: the fields by which the list can be sorted, as the API names them, with the type of their values, which
        are never null.
        default: the order without ``sort``; the first field ascending when empty.
        identity: type of the rows' identifiers, which decide between rows of the same value.
    """
    kind, first = _sorts(fields, default)

    async def requested(
        request: Request,
        page: PageNumber = 1,
        page_size: PageSize = PAGE_SIZE,
        sort: Annotated[kind, Query(description=_SORT)] = first,  # type: ignore[valid-type]  # the list's own orders
        after: Annotated[str | None, Query(description=_AFTER)] = None,
    ) -> PageRequest:
        order = Sort.parse(sort)
        begin = PageRequest(page, page_size, request.url.path, _others(request), order, keyed=True)
        if after is None:
            return begin
        if page > 1:  # page=1 is the default, which generated clients send
            problem = FieldError("query.page", "is sent together with after", "Send `page` or `after`, not both.")
            detail = "not valid: query.page"
            raise Invalid(detail, errors=[problem])
        cursor = decode(after, order, fields, identity, PAGE_MAX)
        return replace(begin, page=cursor.page, key=cursor.key)

    return requested


_SORT = "Order of the rows: a field, `-` before it for descending."
_AFTER = (
    "Where the page begins: the opaque cursor in the `next` link of the page before, instead of `page`."
    " Page 10,000 then takes no longer than page 1."
)


def _sorts(fields: Mapping[str, type], default: str) -> tuple[Any, str]:
    names = tuple(name for field_name in fields for name in (field_name, f"-{field_name}"))
    return Literal[names], default or names[0]


def _others(request: Request) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in request.query_params.multi_items() if pair[0] not in _OWN)


class Page(BaseModel, Generic[Item]):
    """One page of a list, and the total of rows."""

    items: list[Item] = Field(description="The rows of this page.")
    page: int = Field(description="This page, counted from 1.", examples=[1])
    page_size: int = Field(description="Rows per page.", examples=[PAGE_SIZE])
    total: int = Field(description="Rows in all.")
    next: str | None = Field(description="Path and query of the next page; null on the last one.", examples=[None])
    previous: str | None = Field(
        description="Path and query of the page before; null on the first one.", examples=[None]
    )

    @classmethod
    def of(cls, items: Sequence[Item], paging: PageRequest, total: int, last: Key | None = None) -> "Page[Item]":
        """Return the page that ``paging`` asked for. For ``last``, see ``PageRequest.head``."""
        return cls(items=list(items), **paging.head(total, last))
