"""Parameters of a list: search, filters, sort, page or cursor; read, checked, made into SQL.

A list is declared by the names it understands; anything else in the query string is refused with
the names of all parameters at fault. Each question has a shape (which filters, which order) and
values; the SQL depends on the shape only, so that it can be prepared once and used again.

A cursor names the last row seen by its sort values, so that the cost of a page does not grow with
its depth, and rows that come or go in between shift nothing.
"""

import base64
import binascii
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import orjson
import sqlalchemy as sa
from flask_babel import format_decimal
from flask_babel import gettext
from marshmallow import ValidationError
from sqlalchemy.sql.elements import ColumnElement

import settings
from services import db

from ..access import hidden_attributes
from ..exceptions import BadQuery
from ..exceptions import unknown_parameters
from . import readers
from . import texts
from .conditions import MAX_SEARCH
from .conditions import Args
from .conditions import Filter
from .conditions import given_values
from .conditions import joined
from .conditions import read_filters
from .conditions import read_flag
from .conditions import separate
from .keyset import SortKey
from .keyset import after
from .names import Names

#: Parameters that are not filters.
RESERVED = ("q", "sort", "limit", "page", "cursor", "count")

_NO_NAMES: frozenset[str] = frozenset()
_NONE: Mapping[str, list[str]] = MappingProxyType({})

MAX_CURSOR = 3000


@dataclass(frozen=True)
class Cursor:
    """A place between two rows.

    :param values: of the sort keys of the row it is next to
    :param back: whether the rows before it are meant
    """

    values: tuple[Any, ...]
    back: bool = False


@dataclass(frozen=True)
class Query:
    """One question to a list, checked.

    :param sort: names of columns, with ``-`` in front for descending; always ends with the key
    :param searched: the columns in which ``q`` is looked for; ``None`` for all that the current identity may read
    :param page: a page by number, or ``None`` where the cursor says the place
    :param count: whether the total is wanted
    :param count_limit: count no further, so that a long list costs no more than a short one
    """

    sort: tuple[str, ...]
    limit: int
    q: str = ""
    searched: tuple[str, ...] | None = None
    filters: tuple[Filter, ...] = ()
    page: int | None = None
    cursor: Cursor | None = None
    count: bool = False
    count_limit: int | None = None

    @property
    def shape(self) -> tuple[Any, ...]:
        """Shape of the SQL."""
        conditions = tuple(item.shape for item in self.filters)
        cursor = self.cursor and (self.cursor.back, tuple(value is None for value in self.cursor.values))
        return (bool(self.q) and self.searched, conditions, self.sort, self.limit, cursor, self.page is None)

    @property
    def names(self) -> set[str]:
        """The names of columns that it filters or sorts by."""
        return {item.name for item in self.filters} | {name.removeprefix("-") for name in self.sort}


@dataclass
class Listing(Names):
    """Listing of the rows of one model: reads questions, and makes them into SQL.

    Search and filters ask whether there is such a related row, sorting needs a relation to one.

    :param page_size: rows a page, where the caller does not say
    :param fold: brings the words of a search into the form in which the columns hold them
    """

    page_size: int = settings.PAGE_SIZE
    fold: Callable[[str], str] = str

    def hidden(self) -> frozenset[str]:
        """Return the names of columns that the current identity may not read."""
        if not self.guarded:
            return _NO_NAMES
        return frozenset(name for name, (model, step) in self.guarded.items() if step in hidden_attributes(model))

    # --- reading the question ---

    def parse(self, args: Args, *, by_page: bool = False, read: Mapping[str, list[str]] = _NONE) -> Query:
        """Read a query string.

        :param args: parameter to text, a filter also to several; empty texts are the same as none, as forms send them
        :param by_page: whether pages are meant where neither ``page`` nor ``cursor`` is given
        :param read: the parameters that the caller has read itself, each with what is wrong with it
        :raises BadQuery: naming every parameter that is unknown or malformed
        """
        errors = {name: messages for name, messages in read.items() if messages}
        given, asked = separate(args, (*RESERVED, *read))
        hidden = self.hidden()
        searched = tuple(name for name in self.search if name not in hidden)
        sort = self._read(errors, "sort", partial(self._sort, hidden), given.get("sort"), self.default_order())
        limit = self._read(errors, "limit", _limit, given.get("limit"), self.page_size)
        q = self._read(errors, "q", _search, given.get("q"), "")
        filters, unknown = read_filters(self, asked, hidden, errors)
        if unknown:
            errors |= unknown_parameters(unknown, self._known(read, hidden))
        page = self._read(errors, "page", _page, given.get("page"), 1 if by_page else None)
        count = self._read(errors, "count", read_flag, given.get("count"), False)
        cursor = None
        if "q" in given and not searched:
            errors["q"] = [gettext("This list cannot be searched.")]
        if "page" in given and "cursor" in given:
            errors["cursor"] = [gettext("Use either page or cursor.")]
        elif "cursor" in given and not errors:
            cursor = self._read(errors, "cursor", lambda text: self._cursor(text, sort), given["cursor"], None)
            page = None
        if page and (page - 1) * limit > settings.MAX_OFFSET:
            errors["page"] = [
                gettext(
                    "Pages by number end after %(max_offset)s rows.", max_offset=format_decimal(settings.MAX_OFFSET)
                )
            ]
        if errors:
            raise BadQuery(errors)
        return Query(sort, limit, q, searched, filters, page, cursor, count)

    def _read(self, errors: dict[str, list[str]], name: str, read: Any, text: str | None, default: Any) -> Any:
        if text is None:
            return default
        try:
            return read(text)
        except ValidationError as error:
            errors[name] = [str(message) for message in error.messages]
            return default

    def _known(self, others: Iterable[str], hidden: frozenset[str]) -> str:
        names = [
            joined(name, operator)
            for name, operators in self.filters.items()
            for operator in operators
            if name not in hidden
        ]
        known = [*(["q"] if self.search else []), *RESERVED[1:], *others, *names]
        return gettext("This list knows %(names)s.", names=", ".join(known))

    def _sort(self, hidden: frozenset[str], text: str) -> tuple[str, ...]:
        names = text.split(",")
        plain = [name.removeprefix("-") for name in names]
        known = [name for name in self.sorts if name not in hidden]
        unknown = [name for name in plain if name not in known]
        if unknown or len(set(plain)) < len(plain):
            raise ValidationError(
                gettext("Sort by one or more of %(names)s, with - in front for descending.", names=", ".join(known))
            )
        return self.with_key(names)

    def default_order(self) -> tuple[str, ...]:
        """Return the order where none is asked for, by columns that the current identity may read."""
        hidden = self.hidden()
        if not hidden:
            return tuple(self.order)
        return self.with_key([name for name in self.order if name.removeprefix("-") not in hidden])

    def asked_of_others(self, query: Query) -> dict[str, Any]:
        """Return the relationships to other rows by whose columns a question filters or sorts, by name."""
        if not self.relations:
            return {}
        return {name: self.relations[name] for name in query.names if name in self.relations}

    def depends_on_caller(self, query: Query) -> bool:
        """Return whether a related row's visibility in a filter or search depends on the caller."""
        if not self.relations:
            return False
        names = {*query.names, *(self.search if query.q else ())}
        return any(self._bound(name) is not None for name in names if name in self.relations)

    def _bound(self, name: str) -> ColumnElement[bool] | None:
        """Return the condition for the related rows by which the current identity may ask."""
        path, relation = self.paths[name], self.relations[name]
        return readers.bound(relation.mapper.class_, "list" if relation.uselist else "get", path.target)

    # --- cursors ---

    def cursor_text(self, sort: tuple[str, ...], values: Sequence[Any], *, back: bool) -> str:
        """Write the cursor next to a row, as a word for a URL.

        :param values: the row's values of the columns of ``sort``
        """
        # As JSON shows them, so that their fields read them again.
        plain = [
            self.fields[name.removeprefix("-")]._serialize(value, None, None)
            for name, value in zip(sort, values, strict=True)
        ]
        raw = orjson.dumps([",".join(sort), back, *plain])
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    def _cursor(self, text: str, sort: tuple[str, ...]) -> Cursor:
        try:
            if len(text) > MAX_CURSOR:
                raise ValueError
            made_for, back, *values = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            if made_for != ",".join(sort) or not isinstance(back, bool) or len(values) != len(sort):
                raise ValueError
            return Cursor(tuple(map(self._cursor_value, sort, values)), back)
        except (ValueError, TypeError, binascii.Error, ValidationError):
            message = gettext("Not a cursor of this list in this order: take it from a link of an answer.")
            raise ValidationError(message) from None

    def _cursor_value(self, name: str, value: Any) -> Any:
        if value is None and self._sort_key(name, back=False).nullable:
            return None
        return self.fields[name.removeprefix("-")].deserialize(value)

    # --- making SQL ---

    def where(self, select: sa.Select[Any], query: Query) -> sa.Select[Any]:
        """Add the search and the filters, as parameters to be given by :meth:`values`."""
        dialect = db.engine.dialect
        if query.q:
            pattern = sa.bindparam("q", type_=sa.String)
            found = {name: texts.contains(self.paths[name].column, pattern, dialect) for name in self._searched(query)}
            select = select.where(sa.or_(*(self._related(name, like) for name, like in found.items())))
        for number, item in enumerate(query.filters):
            condition = texts.compare(self.paths[item.name].column, item.operator, f"f{number}", item.values, dialect)
            select = select.where(self._related(item.name, condition))
        return select

    def _searched(self, query: Query) -> Iterable[str]:
        if query.searched is not None:
            return query.searched
        hidden = self.hidden()
        return [name for name in self.search if name not in hidden]

    def _related(self, name: str, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        """Turn a condition on a related row into: there is one that the current identity may read, and it is true."""
        path = self.paths[name]
        if path.relation is None:
            return condition
        own = self._bound(name)
        condition = condition if own is None else sa.and_(condition, own)
        relation = path.relation.of_type(path.target)
        return relation.any(condition) if path.relation.property.uselist else relation.has(condition)  # type: ignore[no-any-return]  # Any there

    def paginate(self, select: sa.Select[Any], query: Query) -> sa.Select[Any]:
        """Add the order, the place and the limit: one row more than asked for shows if more follow."""
        back = query.cursor is not None and query.cursor.back
        keys = [self._sort_key(name, back) for name in query.sort]
        for name, path in ((name, self.paths[name]) for name in (name.removeprefix("-") for name in query.sort)):
            if path.relation is not None:
                own = self._bound(name)
                related = path.relation.of_type(path.target)
                select = select.join(related if own is None else related.and_(own), isouter=True)
        if query.cursor is not None:
            select = select.where(after(keys, query.cursor.values, db.engine.dialect.name))
        select = select.order_by(*(part for key in keys for part in key.order))
        # As a number, not a parameter: PostgreSQL would take a tenth of the table for it, and plan each time again.
        select = select.limit(sa.literal_column(str(query.limit + 1)))
        if query.page is not None:
            select = select.offset(sa.bindparam("offset", type_=sa.Integer))
        return select

    def _sort_key(self, name: str, back: bool) -> SortKey:
        path = self.paths[name.removeprefix("-")]
        # A related row may be missing, and with it all its columns.
        missing = path.relation is not None and (
            any(c.nullable for c in path.relation.property.local_columns)
            or self._bound(name.removeprefix("-")) is not None
        )
        return SortKey(
            texts.ordered(path.column, db.engine.dialect),
            name.startswith("-") != back,
            back,
            path.column.nullable or missing,
        )

    def values(self, query: Query) -> dict[str, Any]:
        """Return the values for the parameters of :meth:`where` and :meth:`paginate`."""
        values: dict[str, Any] = {}
        if query.page is not None:
            values["offset"] = (query.page - 1) * query.limit
        if query.q:
            values["q"] = texts.part(self.fold(query.q))
        if query.filters:
            values |= given_values(query.filters, db.engine.dialect)
        for number, value in enumerate(query.cursor.values if query.cursor else ()):
            if value is not None:
                values[f"c{number}"] = value
        return values


def _limit(text: str) -> int:
    return _whole(text, 1, settings.MAX_PAGE_SIZE)


def _page(text: str) -> int:
    return _whole(text, 1, settings.MAX_OFFSET + 1)


def _whole(text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not low <= int(text) <= high:
        raise ValidationError(gettext("A whole number from %(low)s to %(high)s.", low=low, high=high))
    return int(text)


def _search(text: str) -> str:
    if len(text) > MAX_SEARCH:
        raise ValidationError(gettext("At most %(max_search)s characters.", max_search=MAX_SEARCH))
    return text
