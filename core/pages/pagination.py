"""The way through a list by page numbers, for people."""

from dataclasses import dataclass

from flask_babel import format_decimal
from flask_babel import gettext

import settings

from ..crud.listing import Query
from ..crud.verbs import Page
from ..http.links import query_url


@dataclass(frozen=True)
class Pagination:
    """The way through a list, by page numbers.

    :param numbers: (number, URL) of some pages, ``None`` for a gap
    :param total_text: how many rows there are, in words
    """

    current: int
    total: int
    total_text: str
    previous: str | None
    next: str | None
    numbers: list[tuple[int, str] | None]


def paginate(query: Query, page: Page, total: int, nouns: tuple[str, str]) -> Pagination:
    """Return the links to the pages around the current one.

    :param total: rows of the list, counted up to ``settings.MAX_COUNT`` and one more
    :param nouns: for one row, for several
    """
    current = query.page or 1
    over = total > settings.MAX_COUNT
    in_reach = current * query.limit <= settings.MAX_OFFSET
    last = max(1, -(-min(total, settings.MAX_COUNT) // query.limit))
    near = [number for number in range(1, last + 1) if number in (1, last) or abs(number - current) <= 2]
    numbers: list[tuple[int, str] | None] = []
    for before, number in zip([0, *near], near, strict=False):
        if number - before > 1:
            numbers.append(None)
        numbers.append((number, query_url(page=number, cursor=None)))
    return Pagination(
        current=current,
        total=last,
        total_text=_total_text(total, nouns, over=over),
        previous=query_url(page=current - 1, cursor=None) if current > 1 else None,
        next=query_url(page=current + 1, cursor=None) if page.next and in_reach else None,
        numbers=numbers,
    )


def _total_text(total: int, nouns: tuple[str, str], *, over: bool) -> str:
    if over:
        return gettext("over %(number)s %(nouns)s", number=format_decimal(settings.MAX_COUNT), nouns=nouns[1])
    return f"{format_decimal(total)} {nouns[total != 1]}"
