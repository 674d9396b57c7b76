"""A ledger whose rows have a history, on each engine, and people who write in it."""

import threading
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from app.history.models import Change
from core.access import ANONYMOUS
from core.access import Identity
from core.access import acting_as
from core.access import set_identity_loader
from core.api.idempotency import idempotency_keys
from services import db
from tests.history import bank
from tests.history import ledger

ALL = frozenset({"ledger.entry.add", "ledger.entry.edit", "ledger.group.edit", "history.change.read"})

#: The users. Ana and Ben add entries, which are theirs; Eva edits all; Rut only reads the history.
ANA = Identity("ana-key", "Ana", frozenset({"ledger.entry.add"}), via="session")
BEN = Identity("ben-key", "Ben", frozenset({"ledger.entry.add"}), via="session")
EVA = Identity("eva-key", "Eva", ALL, via="session")
RUT = Identity("rut-key", "Rut", frozenset({"history.change.read"}), via="session")


class Office:
    """The ledger of one application, and the people at its desks."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.who = ANONYMOUS
        set_identity_loader(app, lambda: self.who)

    def client(self, who: Identity = ANONYMOUS) -> FlaskClient:
        """Return a client; from now on all that is asked is asked by this person."""
        self.who = who
        return self.app.test_client()

    def write(self, work: Callable[[], Any], who: Identity = EVA) -> Any:
        """Do something as an identity, and commit it; what it gives is not of the session any more."""
        with self.app.app_context(), acting_as(who):
            found = work()
            db.session.commit()
            return found.id if hasattr(found, "__mapper__") else found

    def add(self, model: type[Any] = ledger.Entry, who: Identity = EVA, **values: Any) -> int:
        """Add a row with the verbs, and return its key."""
        verbs = next(verbs for verbs in VERBS if verbs.model is model)
        key: int = self.write(lambda: verbs.create(values), who)
        return key

    def change(self, key: int, model: type[Any] = ledger.Entry, who: Identity = EVA, **values: Any) -> None:
        """Update a row with the verbs."""
        verbs = next(verbs for verbs in VERBS if verbs.model is model)
        self.write(lambda: verbs.update(verbs.get(key), values), who)

    def delete(self, key: int, model: type[Any] = ledger.Entry, who: Identity = EVA) -> None:
        """Delete a row with the verbs."""
        verbs = next(verbs for verbs in VERBS if verbs.model is model)
        self.write(lambda: verbs.delete(verbs.get(key)), who)

    def read(self, key: int, model: type[Any] = ledger.Entry) -> dict[str, Any] | None:
        """Return a row as it is stored, with the names of its labels."""
        with self.app.app_context():
            item = db.session.get(model, key)
            if item is None:
                return None
            found = {attribute.key: getattr(item, attribute.key) for attribute in sa.inspect(model).column_attrs}
            return {**found, "labels": [label.name for label in item.labels]} if model is ledger.Entry else found

    def changes(self) -> Sequence[Change]:
        """Return the whole history, the oldest first."""
        with self.app.app_context():
            found = db.session.scalars(sa.select(Change).order_by(Change.id)).all()
            db.session.expunge_all()
            return found

    def last(self) -> Change:
        """Return the newest change."""
        return self.changes()[-1]


VERBS = (ledger.entries, ledger.groups, ledger.labels, ledger.drafts, bank.accounts, bank.contracts, bank.parcels)
TABLES = (Change.__table__, idempotency_keys, *ledger.Base.metadata.sorted_tables)


@pytest.fixture(scope="session")
def database_urls(databases: Any) -> Iterator[dict[str, URL]]:
    """Keep the database of the ledger, one an engine."""
    urls: dict[str, URL] = {}
    yield urls
    for url in urls.values():
        databases.drop(url)


@pytest.fixture
def make_office(
    make_app: Callable[..., Flask], database_urls: dict[str, URL], databases: Any
) -> Iterator[Callable[..., Office]]:
    """Make offices: ``make_office("postgresql")``; their databases are emptied after the test."""
    used = set()

    def make(
        engine_name: str, modules: Sequence[str] = ("app.bulk", "app.history", ledger.__name__, bank.__name__)
    ) -> Office:
        if engine_name not in database_urls:
            database_urls[engine_name] = databases.make(engine_name)
            _execute(database_urls[engine_name], lambda connection: [table.create(connection) for table in TABLES])
        used.add(engine_name)
        return Office(make_app(database_urls[engine_name], [*modules]))

    yield make
    for engine_name in used:
        _execute(database_urls[engine_name], _empty)


@pytest.fixture
def office(make_office: Callable[..., Office], engine_name: str) -> Office:
    """Return an office on each engine."""
    return make_office(engine_name)


@pytest.fixture
def sqlite_office(make_office: Callable[..., Office]) -> Office:
    """Return an office on SQLite, where the engine does not matter."""
    return make_office("sqlite")


def _execute(url: URL, work: Callable[[sa.Connection], Any]) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        work(connection)


def _empty(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        # A test that left a transaction open shall fail here, not hang.
        connection.execute(sa.text("SET lock_timeout = '5s'"))
    for table in reversed(TABLES):
        connection.execute(table.delete())


@pytest.fixture
def run_in_threads() -> Callable[..., list[Any]]:
    """Run functions at the same time, and return what they give."""

    def run(*works: Callable[[], Any]) -> list[Any]:
        gate = threading.Barrier(len(works))

        def begin(work: Callable[[], Any]) -> Any:
            gate.wait(5)
            return work()

        with ThreadPoolExecutor(len(works)) as pool:
            return list(pool.map(begin, works))

    return run
