"""The verbs over a model: list, get, create, update, delete. No HTTP.

A module writes ``class Products(Crud)`` with a ``model`` and what its list understands, makes one
object of it, and every face (REST, pages, RPC) calls that. The verbs write into the session and
flush; :func:`core.crud.transaction` commits, so that a request is one transaction. What these do not cover is met by
overriding :meth:`Crud.select`, :meth:`Crud.check` or :meth:`Crud.fold`, or by writing the verb out.

Each verb checks its policy in :attr:`Crud.access`, so that all faces agree.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace
from typing import Any
from typing import ClassVar
from typing import final

import sqlalchemy as sa
from flask_babel import gettext
from marshmallow import ValidationError
from sqlalchemy.orm.interfaces import MANYTOMANY
from sqlalchemy.sql.base import ExecutableOption

import settings
from services import db

from .. import signals
from ..access import PUBLIC
from ..access import Policy
from ..access import allowed
from ..access import column_policies
from ..access import condition
from ..access import identity
from ..access import require
from ..data.models import Owned
from ..exceptions import Forbidden
from ..exceptions import Invalid
from ..exceptions import NotFound
from ..fields.words import noun
from ..fields.words import words
from . import readers
from . import writing
from .keys import Key
from .listing import Listing
from .listing import Query
from .strategies import Entities
from .strategies import Strategy

#: Verbs that a face may be allowed.
VERBS = ("list", "get", "create", "update", "delete")


@dataclass(frozen=True)
class Page:
    """Some rows of a list and where they stand in it.

    :param items: the rows, in order
    :param previous: cursor of the page before, if there is one
    :param next: cursor of the next page, if there is one
    :param total: how many rows the whole list has, if that was asked for
    """

    items: list[Any]
    query: Query
    previous: str | None
    next: str | None
    total: int | None = None


class Crud:
    """The verbs of one model."""

    model: ClassVar[type[Any]]
    #: Columns in which ``q`` is looked for.
    search: ClassVar[Sequence[str]] = ()
    #: Columns to filter by, each with its operators: ``{"price": ("eq", "gte", "lte")}``.
    filters: ClassVar[Mapping[str, Iterable[str]]] = {}
    #: Columns that ``sort`` may name.
    sorts: ClassVar[Sequence[str]] = ()
    #: The order where none is asked for; the key is added, so that it is total.
    order: ClassVar[Sequence[str]] = ()
    #: Rows a page, where the caller does not say.
    page_size: ClassVar[int] = settings.PAGE_SIZE
    #: Policies of the verbs: ``{"create": permission("shop.order.add")}``; others are open to everyone.
    access: ClassVar[Mapping[str, Policy]] = {}

    def __init__(self) -> None:
        self._check_access()
        self.listing = Listing(self.model, self.search, self.filters, self.sorts, self.order, self.page_size, self.fold)
        mapper = sa.inspect(self.model)
        self.key = Key(self.model)
        self.relations = frozenset(mapper.relationships.keys())
        self.linked = {relation.key for relation in mapper.relationships if relation.direction is MANYTOMANY}
        self.version_key = mapper.version_id_col.key if mapper.version_id_col is not None else None
        writing.store_null(mapper.local_table)
        self.attributes = set(mapper.all_orm_descriptors.keys())
        #: True if the rows that exist depend on more than the policies of access.
        self.has_own_select = self._overrides("select", "visible")
        #: True if only a call of :meth:`get` knows which rows it gives.
        self.has_own_get = self._overrides("get")
        #: True if ``list`` and ``get`` are those of this class, and their statements the same for every caller: only
        #: then may a strategy of a face read the rows, and keep the statements.
        self.has_fixed_reads = not self._overrides("list", "get", "select", "visible", "statement") and not any(
            self.access.get(verb, PUBLIC).knows_owners for verb in ("list", "get")
        )
        readers.add(self)

    def _overrides(self, *names: str) -> bool:
        return any(getattr(type(self), name) is not getattr(Crud, name) for name in names)

    def _check_strategy(self, strategy: Strategy) -> None:
        if not self.has_fixed_reads and type(strategy) is not Entities:
            raise TypeError(f"{type(self).__name__} says itself which rows there are: read them by list() and get()")

    def _check_access(self) -> None:
        name = type(self).__name__
        unknown = sorted(set(self.access) - set(VERBS))
        if unknown:
            raise TypeError(f"{name}.access names {', '.join(unknown)}: use {', '.join(VERBS)}")
        for verb, policy in self.access.items():
            try:
                policy.check(self.model)
            except TypeError as error:
                raise TypeError(f"{name}.access[{verb!r}]: {error}") from None
        column_policies(self.model)

    # --- who may ---

    def require(self, verb: str, item: Any = None) -> None:
        """Raise unless the current identity satisfies the policy of a verb.

        :raises Unauthenticated: if it is not known who they are
        :raises Forbidden: if it is known, and they may not
        """
        policy = self.access.get(verb, PUBLIC)
        if policy is not PUBLIC:
            require(policy, item)

    def require_asked(self, query: Query) -> None:
        """Raise unless the current identity may read the rows by whose columns a list is filtered or sorted.

        The condition is asked of the rows that exist for the caller only. A search looks no further either, and is
        never refused.

        :raises Unauthenticated: as for :meth:`require`
        :raises Forbidden: as for :meth:`require`
        """
        for relation in self.listing.asked_of_others(query).values():
            policy = readers.policy_of(relation.mapper.class_, "list" if relation.uselist else "get")
            if policy is not None:
                require(policy)
        if query.names & self.listing.hidden():
            raise Forbidden

    def may(self, verb: str, item: Any = None) -> bool:
        """Return whether the current identity may use a verb, on a row if one is given."""
        return allowed(self.access.get(verb, PUBLIC), item)

    def visible(self, verb: str) -> sa.Select[Any]:
        """Select the rows that the current identity may read: all, or where that is declared so, their own."""
        own = condition(self.access.get(verb, PUBLIC), self.model)
        return self.select() if own is None else self.select().where(own)

    # --- seams ---

    def select(self) -> sa.Select[Any]:
        """Choose the rows that exist for this caller; every verb starts from here."""
        return sa.select(self.model)

    def check(self, item: Any) -> None:
        """Check rules beyond single columns, before a row is written.

        :raises Invalid: naming the fields
        """

    def fold(self, text: str) -> str:
        """Bring the words of a search into the form in which the columns hold them."""
        return text

    # --- verbs ---

    def list(self, query: Query | None = None, options: Sequence[ExecutableOption] = ()) -> Page:
        """Return one page of the rows.

        :param query: what ``listing.parse`` gives; without it, the first page of all rows
        :param options: what else to read at once, ``joinedload(Product.category)``
        :raises NotFound: if the page is past the end
        """
        return self.list_by(Entities(options), query)

    @final
    def list_by(self, strategy: Strategy, query: Query | None = None) -> Page:
        """Return one page of the rows as a strategy reads them; :meth:`list` reads entities.

        :raises TypeError: if the verbs do not have :attr:`has_fixed_reads`, and the strategy does not read entities
        """
        self._check_strategy(strategy)
        self.require("list")
        query = self.listing.parse({}) if query is None else query
        self.require_asked(query)
        found = strategy.many(self, query)
        page = self.page(query, found.rows, found.sort_values)
        return replace(page, items=found.items(page.items))

    def get(self, key: object, options: Sequence[ExecutableOption] = ()) -> Any:
        """Return one row.

        :param key: its primary key, as a value or as text
        :param options: as for :meth:`list`
        :raises NotFound: if no row has this key
        """
        return self.get_by(Entities(options), key)

    @final
    def get_by(self, strategy: Strategy, key: object) -> Any:
        """Return one row as a strategy reads it; :meth:`get` reads an entity.

        :raises TypeError: as for :meth:`list_by`
        :raises NotFound: as for :meth:`get`
        """
        self._check_strategy(strategy)
        self.require("get")
        found = strategy.one(self, self.parse_key(key))
        if found is None:
            raise self.missing(key)
        return found

    def find(self, keys: Iterable[Any], options: Sequence[ExecutableOption] = ()) -> dict[Any, Any]:
        """Return by key those rows that :meth:`get` gives.

        :param keys: values of the primary key
        """
        if not self.has_own_get:
            self.require("get")
            select = self.visible("get").where(self.key.among(keys)).options(*options)
            return {self.key.of(item): item for item in db.session.scalars(select).unique()}
        found = {}
        for key in keys:
            with suppress(NotFound):
                found[key] = self.get(key, options)
        return found

    def create(self, data: Mapping[str, Any]) -> Any:
        """Add a row.

        :param data: attribute to value, already validated by a schema or a form
        :raises Invalid: if it breaks a rule of the database, such as a unique name
        :raises TypeError: if it names what is no attribute of the model
        """
        self.require("create")
        item = self.model()
        if isinstance(item, Owned):
            item.owner_key = identity().key
        self._assign(item, data)
        writing.refuse_unnameable(self, item)
        db.session.add(item)
        writing.flush(self.model, data)
        signals.row_created.send(self.model, item=item)
        return item

    def update(self, item: Any, data: Mapping[str, Any], version: int | None = None) -> Any:
        """Change a row.

        :param version: the one that the caller has seen
        :raises Stale: if the row has another version by now
        :raises Invalid: as for :meth:`create`
        :raises TypeError: as for :meth:`create`
        """
        self.require("update", item)
        writing.refuse_stale(self, item, version)
        for name in self.key.changed(item, data):
            raise Invalid({name: [gettext("The key of a row cannot be changed.")]})
        self._assign(item, data)
        writing.flush(self.model, data)
        signals.row_updated.send(self.model, item=item)
        return item

    def delete(self, item: Any, version: int | None = None) -> None:
        """Remove a row.

        :raises Stale: if the row has another version by now
        :raises InUse: if other rows point to it
        """
        self.require("delete", item)
        writing.refuse_stale(self, item, version)
        db.session.delete(item)
        writing.flush(self.model, {}, deleting=True)
        signals.row_deleted.send(self.model, item=item)

    def count(self, query: Query | None = None, limit: int | None = None) -> int:
        """Count the rows that the query matches, without one all rows.

        :param limit: stop there, so that a long list costs no more than a short one
        """
        self.require("list")
        query = self.listing.parse({}) if query is None else query
        self.require_asked(query)
        rows = self.listing.where(self.visible("list"), query).with_only_columns(*self.key.columns).order_by(None)
        if limit is not None:
            rows = rows.limit(limit)
        values = self.listing.values(query)
        return db.session.scalar(sa.select(sa.func.count()).select_from(rows.subquery()), values) or 0

    # --- what the faces share ---

    @property
    def noun(self) -> str:
        """The model in words: ``product``."""
        return words(self.model.__name__)

    def statement(self, query: Query) -> sa.Select[Any]:
        """Return the SELECT of one page, its parameters to be given by ``listing.values(query)``."""
        return self.listing.paginate(self.listing.where(self.visible("list"), query), query)

    def missing(self, key: object) -> NotFound:
        """Return what to raise where no row has this key."""
        name = self.key.write(key) if isinstance(key, tuple) else key
        return NotFound(gettext("There is no %(noun)s %(key)s.", noun=noun(self.model), key=name))

    def parse_key(self, key: object) -> Any:
        """Read a primary key from a URL.

        :raises NotFound: if the text can be no row's key
        """
        if not isinstance(key, str):
            return key
        try:
            return self.key.read(key)
        except ValidationError:
            raise self.missing(key) from None

    def address(self, item: Any) -> str:
        """Return the text that names a row in an address: what :meth:`parse_key` reads."""
        return self.key.write(self.key.of(item))

    def version(self, item: Any) -> int | None:
        """Return the version of a row; ``None`` if the model has none."""
        return getattr(item, self.version_key) if self.version_key else None

    def page(self, query: Query, read: Sequence[Any], sort_values: Callable[[Any], Sequence[Any]]) -> Page:
        """Cut what was read to one page and find its neighbours.

        :param read: the rows, at most one more than the page holds
        :param sort_values: gives the values of a row by which the list is sorted
        """
        more = len(read) > query.limit
        rows = [*read[: query.limit]]
        back = query.cursor is not None and query.cursor.back
        if back:
            rows.reverse()
        if query.page is not None and query.page > 1 and not rows:
            raise NotFound(gettext("Page %(page)s is past the end.", page=query.page))
        has_next = back or more
        has_previous = more if back else query.cursor is not None or (query.page or 1) > 1
        mark = self.listing.cursor_text
        return Page(
            items=rows,
            query=query,
            next=mark(query.sort, sort_values(rows[-1]), back=False) if rows and has_next else None,
            previous=mark(query.sort, sort_values(rows[0]), back=True) if rows and has_previous else None,
            total=self.count(query, query.count_limit) if query.count else None,
        )

    def _assign(self, item: Any, data: Mapping[str, Any]) -> None:
        writing.assign(self, item, data)
        with db.session.no_autoflush:
            self.check(item)


def check_allow(face: Any) -> None:
    """Check that a face allows verbs only.

    :raises TypeError: naming what is none
    """
    unknown = sorted(set(face.allow) - set(VERBS))
    if unknown:
        raise TypeError(f"{face.__name__}.allow names {', '.join(unknown)}: use {', '.join(VERBS)}")
