"""Load: the rows of a dump into tables that are there and empty, then compared with what was dumped.

Nothing of the models runs: no signals, no history, no counting of versions; rows come as they were.
"""

import itertools
import json
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy import Connection
from sqlalchemy.exc import StatementError

from core import migrations
from core.cli.progress import Advance
from core.cli.progress import progress
from core.data.models import key_fault
from core.migrations import locks

from . import catalog
from . import journal
from . import references
from . import sequences
from .catalog import Catalog
from .catalog import Source
from .connections import writing
from .digests import Digest
from .dumping import encoded_rows
from .faults import TransferError
from .files import Manifest
from .files import read_manifest
from .files import read_rows
from .kinds import decoder
from .room import Room
from .uniqueness import Rehearsal

#: Rows of one transaction: what is done again, at most, after a load was killed.
BATCH_ROWS = 5_000

#: Rows of one statement.
STATEMENT_ROWS = 1_000

#: Values that are named, where there is no room for them.
NAMED = 5


def load(app: Flask, folder: Path, *, replace: bool = False) -> Manifest:
    """Load a dump; if that was begun in this database and broken off, go on with it.

    :param replace: whether rows that are in its tables may go
    :raises TransferError: what is in the way; before anything is written, unless it says otherwise
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise TransferError(f"{folder} holds no dump that is whole: run `flask transfer dump {folder}` to its end.")
    try:
        url = app.config["SQLALCHEMY_DATABASE_URI"]
        with locks.exclusive(migrations.make_engine(url)), writing(url) as connection:
            _Load(app, folder, manifest, connection).run(replace=replace)
    except StatementError as error:
        raise TransferError(
            f"The database did not take it: {str(error.orig).strip()}\nThe same command goes on where it was."
        ) from error
    except migrations.CommandError as error:
        raise TransferError(str(error)) from error
    return manifest


class _Load:
    """One run of a load, on one connection."""

    def __init__(self, app: Flask, folder: Path, manifest: Manifest, connection: Connection) -> None:
        self.app = app
        self.folder = folder
        self.manifest = manifest
        self.connection = connection
        self.catalog: Catalog = catalog.read(app, connection.dialect)
        known = {source.name for source in self.catalog.sources}
        strangers = sorted(manifest.tables.keys() - known)
        if strangers:
            raise TransferError(
                f"No installed module has the tables {', '.join(strangers)}: install it in settings.py."
            )
        self.sources = [source for source in self.catalog.sources if source.name in manifest.tables]

    def run(self, *, replace: bool) -> None:
        """Check, empty, write, prove, compare; each step may have been done by an earlier run."""
        if not journal.is_there(self.connection):
            self._check_tables()
            self._refuse_rows(replace)
            self._check_values()
            journal.begin(self.connection, self.manifest.id)
        elif journal.noted(self.connection, "dump") != self.manifest.id:
            if not replace:
                raise TransferError(
                    "The load of another dump was broken off in this database: finish that one, or begin with this "
                    "one by --replace."
                )
            self._forget()
            return self.run(replace=True)
        if journal.noted(self.connection, "step") is None:
            self._empty()
        with progress("Loading", self.manifest.rows) as advance:
            for source in self.sources:
                self._write(source, advance)
        self._finish()
        self._compare()
        journal.end(self.connection)

    def _forget(self) -> None:
        references.bring_back(self.connection, journal.noted(self.connection, "aside") or [])
        journal.end(self.connection)

    # --- before anything is written -------------------------------------------------------------

    def _check_tables(self) -> None:
        distance = migrations.distance(self.connection)
        if distance.unknown:
            raise TransferError(f"{distance} {distance.hint}")
        if distance.pending:
            raise TransferError("The database is behind the models: run `alembic upgrade head`, then load.")
        found = [*distance.applied]
        if found != self.manifest.revisions:
            raise TransferError(
                f"The dump is of revision {', '.join(self.manifest.revisions)}, the database at {', '.join(found)}: "
                "bring where it is from to that revision and dump again, or load it with the code that it is from."
            )
        catalog.refuse_missing_types(self.sources)
        for source in self.sources:
            theirs, ours = self.manifest.tables[source.name].kinds.keys(), source.kinds.keys()
            if theirs != ours:
                raise TransferError(
                    f"The columns of {source.name} are others than the dump's: {', '.join(sorted(theirs ^ ours))}. "
                    "Load it with the code that it is from."
                )

    def _refuse_rows(self, replace: bool) -> None:
        full = [source.name for source in self.sources if self._has_rows(source)]
        if full and not replace:
            raise TransferError(
                f"There are rows in {', '.join(full[:5])}{' …' if full[5:] else ''}: load into a database that was "
                "just made, or let them go with --replace. (Revisions may have written rows: those go as well.)"
            )

    def _has_rows(self, source: Source) -> bool:
        found = self.connection.execute(sa.select(sa.literal(1)).select_from(source.table).limit(1)).first()
        self.connection.rollback()
        return found is not None

    def _check_values(self) -> None:
        """Read the whole dump: it is what was written, and there is room for all of it."""
        refused: list[str] = []
        count = 0
        with progress("Checking", self.manifest.rows) as advance:
            for source in self.sources:
                for message in self._check_rows(source, advance):
                    count += 1
                    if len(refused) < NAMED:
                        refused.append(message)
        if refused:
            more = f"\n… and {count - NAMED:,} more" if count > NAMED else ""
            raise TransferError(
                f"{self.connection.dialect.name} has no room for {count:,} values; nothing was written.\n"
                + "\n".join(refused)
                + more
            )

    def _check_rows(self, source: Source, advance: Advance) -> Iterator[str]:
        """Read the dump of one table, and yield why a row cannot be written."""
        state = self.manifest.tables[source.name]
        room, digest, rows = Room(source, state.kinds), Digest(state.kinds), 0
        rehearsal = Rehearsal(self.connection, source, state.kinds)
        unnameable = Unnameable(source, state.kinds)
        for row, line in read_rows(self.folder, source.name):
            if len(row) != len(state.kinds):
                raise TransferError(f"{source.name} in {self.folder} has a broken row {rows + 1}: dump again.")
            digest.add(row, line)
            rows += 1
            unnameable.add(rows, row)
            found = room.refusal(row)
            if found:
                yield f"{source.name}.{found[0]} of row {rows}: {found[1]}"
            else:
                rehearsal.add(rows, row)
            if rows % STATEMENT_ROWS == 0:
                advance(STATEMENT_ROWS)
        advance(rows % STATEMENT_ROWS)
        if rows != state.rows or str(digest) != state.digest:
            raise TransferError(f"{source.name} in {self.folder} is not what was dumped: dump again.")
        yield from rehearsal.twice()
        unnameable.warn(self.app)

    # --- writing --------------------------------------------------------------------------------

    def _empty(self) -> None:
        """Take away what is in the way: rows, children first, and the keys that no order satisfies."""
        aside: list[list[str]] = []
        if self.connection.dialect.name == "postgresql":
            names = {source.name for source in self.sources}
            aside = references.put_aside(self.connection, [key for key in self.catalog.late if key.table.name in names])
        for source in reversed(self.sources):
            self.connection.execute(source.table.delete())
        journal.note(self.connection, "aside", aside)
        journal.note(self.connection, "step", "loading")
        self.connection.commit()

    def _write(self, source: Source, advance: Advance) -> None:
        kinds = self.manifest.tables[source.name].kinds
        place = f"rows:{source.name}"
        done = journal.noted(self.connection, place) or 0
        self.connection.rollback()
        advance(done)
        write = _copier(self.connection, source, kinds) if self._copies else _inserter(self.connection, source, kinds)
        rows = (row for row, _ in read_rows(self.folder, source.name, skip=done))
        while batch := list(itertools.islice(rows, BATCH_ROWS)):
            write(batch)
            done += len(batch)
            journal.note(self.connection, place, done)
            self.connection.commit()
            advance(len(batch))

    @property
    def _copies(self) -> bool:
        return self.connection.dialect.name == "postgresql"

    # --- after ----------------------------------------------------------------------------------

    def _finish(self) -> None:
        for source in self.sources:
            sequences.advance(self.connection, source.table, self.manifest.tables[source.name].sequence)
        references.prove(self.connection, self.sources)
        references.bring_back(self.connection, journal.noted(self.connection, "aside") or [])
        self.connection.commit()

    def _compare(self) -> None:
        """Read all of it again, as a dump would."""
        with progress("Comparing", self.manifest.rows) as advance:
            for source in self.sources:
                state = self.manifest.tables[source.name]
                digest, rows = Digest(state.kinds), 0
                align = _aligner(source, state.kinds)
                for row in encoded_rows(self.connection, source):
                    digest.add(align(row))
                    rows += 1
                    if rows % STATEMENT_ROWS == 0:
                        advance(STATEMENT_ROWS)
                advance(rows % STATEMENT_ROWS)
                if rows != state.rows or str(digest) != state.digest:
                    raise TransferError(
                        f"{source.name} has {rows:,} rows that are not the {state.rows:,} of the dump: something has "
                        "written to it meanwhile, or there is a fault in this code. Load again with --replace, and the "
                        "site stopped."
                    )
        self.connection.rollback()


class Unnameable:
    """Text keys that no address can name: they are loaded, and named in the log."""

    def __init__(self, source: Source, kinds: dict[str, str]) -> None:
        is_text = len(source.key) == 1 and isinstance(source.key[0].type, sa.String)
        self._place = list(kinds).index(source.key[0].name) if is_text else None
        self._name = source.name
        self._count = 0
        self._first = ""

    def add(self, number: int, row: list[Any]) -> None:
        """Take a row."""
        key = None if self._place is None else row[self._place]
        if isinstance(key, str) and key_fault(key):
            self._count += 1
            self._first = self._first or f"row {number}, {key!r}"

    def warn(self, app: Flask) -> None:
        """Warn of the rows without an address."""
        if self._count:
            app.logger.warning(
                "%s: no address can name %s of the keys, the first is %s: no page and no API will show these rows",
                self._name,
                f"{self._count:,}",
                self._first,
            )


def _row_decoder(source: Source, kinds: dict[str, str]) -> Callable[[list[Any]], list[Any]]:
    types = dict(zip((column.name for column in source.columns), source.types, strict=True))
    found = [decoder(kind, types[name], source.dialect) for name, kind in kinds.items()]
    decoders = [(place, decode) for place, decode in enumerate(found) if decode is not None]

    def decode_row(row: list[Any]) -> list[Any]:
        for place, decode in decoders:
            if row[place] is not None:
                row[place] = decode(row[place])
        return row

    return decode_row


def _inserter(connection: Connection, source: Source, kinds: dict[str, str]) -> Callable[[list[list[Any]]], None]:
    decode = _row_decoder(source, kinds)
    types = dict(zip((column.name for column in source.columns), source.types, strict=True))
    texts = {name: sa.Text() if source.kinds[name] == "json" else types[name] for name in kinds}
    # Not by the columns' keys, which another attribute may have; and without a decorator of a module.
    plain = sa.table(source.name, *(sa.column(name, type_) for name, type_ in texts.items()))
    statement = plain.insert()

    def write(batch: list[list[Any]]) -> None:
        for start in range(0, len(batch), STATEMENT_ROWS):
            rows = [dict(zip(kinds, decode(row), strict=True)) for row in batch[start : start + STATEMENT_ROWS]]
            connection.execute(statement, rows)

    return write


def _copier(connection: Connection, source: Source, kinds: dict[str, str]) -> Callable[[list[list[Any]]], None]:
    """PostgreSQL's COPY: six times as many rows a second as INSERT."""
    decode = _row_decoder(source, kinds)
    types = dict(zip((column.name for column in source.columns), source.types, strict=True))
    bound = [None if source.kinds[name] == "json" else _bound(types[name], source) for name in kinds]
    binders = [(place, bind) for place, bind in enumerate(bound) if bind is not None]
    quote = connection.dialect.identifier_preparer
    head = f"COPY {quote.format_table(source.table)} ({', '.join(map(quote.quote, kinds))}) FROM STDIN"

    def values(row: list[Any]) -> Iterator[Any]:
        row = decode(row)
        for place, bind in binders:
            if row[place] is not None:
                row[place] = bind(row[place])
        return iter(row)

    def write(batch: list[list[Any]]) -> None:
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(head) as copy:
            for row in batch:
                copy.write_row(tuple(values(row)))

    return write


def _bound(type_: Any, source: Source) -> Callable[[Any], Any] | None:
    bind: Callable[[Any], Any] | None = type_.dialect_impl(source.dialect).bind_processor(source.dialect)
    return bind


def _aligner(source: Source, kinds: dict[str, str]) -> Callable[[list[Any]], list[Any]]:
    """Return what puts a row in the order and the spelling of the dump."""
    names = list(source.kinds)
    places = [names.index(name) for name in kinds]
    spell: dict[int, Callable[[Any], Any]] = {}
    for place, (name, kind) in enumerate(kinds.items()):
        if (source.kinds[name] == "json") != (kind == "json"):
            spell[place] = json.dumps if kind == "json" else json.loads

    def align(row: list[Any]) -> list[Any]:
        found = [row[place] for place in places]
        for place, change in spell.items():
            if found[place] is not None:
                found[place] = change(found[place])
        return found

    return align
