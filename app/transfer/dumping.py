"""Dump: the rows as they are at one moment, written so that a dump that was killed goes on where it was."""

import fcntl
import os
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy import Connection
from sqlalchemy.exc import StatementError

from core import migrations
from core.cli.progress import Advance
from core.cli.progress import progress

from . import catalog
from .catalog import Source
from .connections import reading
from .faults import TransferError
from .files import UNFINISHED
from .files import Manifest
from .files import TableState
from .files import TableWriter
from .files import read_manifest
from .files import remove
from .files import write_manifest
from .kinds import decoder
from .kinds import encoder
from .kinds import shortest
from .sequences import last_given

#: Rows between two moments at which a dump that is killed then goes on; also what is held in memory.
CHECKPOINT_ROWS = 20_000

#: Rows that are asked of the database at once.
FETCH_ROWS = 1_000


def dump(app: Flask, folder: Path, modules: Sequence[str] = (), tables: Sequence[str] = ()) -> Manifest:
    """Write the rows of these modules and tables, or of all; if such a dump was begun there, go on with it.

    :raises TransferError: what is in the way
    """
    with _folder(folder), reading(app.config["SQLALCHEMY_DATABASE_URI"]) as connection:
        found = catalog.read(app, connection.dialect)
        chosen = found.chosen(modules, tables)
        revisions = _revisions(connection)
        there = set(sa.inspect(connection).get_table_names())
        manifest = _begin(folder, connection, revisions, chosen)
        counts = {source.name: _count(connection, source) for source in chosen}
        missing = sum(counts.values()) - manifest.rows
        with progress("Dumping", max(missing, 0)) as advance:
            for source in chosen:
                if not manifest.tables[source.name].is_whole:
                    _write(connection, folder, manifest, source, advance)
        write_manifest(folder, manifest)
        remove(folder, UNFINISHED)
    _warn_left_out(app, there - {source.name for source in found.sources} - {"alembic_version"})
    return manifest


def _begin(folder: Path, connection: Connection, revisions: list[str], chosen: Sequence[Source]) -> Manifest:
    """Return the manifest of a new dump, or of the one that was begun here."""
    if read_manifest(folder):
        raise TransferError(f"{folder} holds a dump already, which is not overwritten: name another folder.")
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    begun = read_manifest(folder, UNFINISHED)
    if begun is None:
        others = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
        if others:
            raise TransferError(f"{folder} holds something else ({others[0]}): name an empty folder, or a new one.")
        states = {source.name: TableState(source.kinds) for source in chosen}
        begun = Manifest(str(uuid.uuid4()), connection.dialect.name, revisions, [], states)
    kinds = {source.name: source.kinds for source in chosen}
    same = {name: state.kinds for name, state in begun.tables.items()} == kinds and begun.revisions == revisions
    if not same or begun.engine != connection.dialect.name:
        raise TransferError(
            f"{folder} holds the beginning of another dump (other tables, columns, revision or engine): "
            "name another folder, or delete it."
        )
    begun.snapshots.append(moment)
    write_manifest(folder, begun, UNFINISHED)
    return begun


def _write(connection: Connection, folder: Path, manifest: Manifest, source: Source, advance: Advance) -> None:
    state = manifest.tables[source.name]
    state.sequence = last_given(connection, source.table)
    if not source.key:
        # Without a key there is no place to go on from.
        manifest.tables[source.name] = state = TableState(source.kinds, sequence=state.sequence)
    writer = TableWriter(folder, source.name, state)
    encode = _row_encoder(source)
    places = [source.columns.index(column) for column in source.key]
    row: list[Any] = []
    try:
        for number, found in enumerate(connection.execute(_question(source, state)), 1):
            row = encode(found)
            writer.add(row)
            if number % CHECKPOINT_ROWS == 0:
                writer.checkpoint([row[place] for place in places])
                write_manifest(folder, manifest, UNFINISHED)
                advance(CHECKPOINT_ROWS)
        writer.checkpoint(None)
        advance(state.rows % CHECKPOINT_ROWS)
    except StatementError as error:
        raise TransferError(
            f"{source.name} cannot be read: {str(error.orig).strip()}\nThe same command goes on where it was."
        ) from error
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        after = f", after the key {[row[place] for place in places]}" if row else ""
        raise TransferError(f"A row of {source.name} cannot be written{after}: {error}") from error
    finally:
        writer.close()
    state.is_whole = True
    write_manifest(folder, manifest, UNFINISHED)


def _question(source: Source, state: TableState) -> sa.Select[Any]:
    asked = sa.select(*source.selected()).select_from(source.table).order_by(*source.key)
    if state.last is not None:
        asked = asked.where(_after(source, state.last))
    return asked.execution_options(stream_results=True, yield_per=FETCH_ROWS)


def _after(source: Source, last: list[Any]) -> Any:
    """Return the condition that a row comes after this key; written out, as not all engines compare tuples well."""
    values = []
    for column, value in zip(source.key, last, strict=True):
        type_ = source.types[source.columns.index(column)]
        decode = decoder(source.kinds[column.name], type_, source.dialect)
        values.append(sa.literal(decode(value) if decode else value, type_))
    steps = []
    for place, column in enumerate(source.key):
        same = [source.key[before] == values[before] for before in range(place)]
        steps.append(sa.and_(*same, column > values[place]))
    return sa.or_(*steps)


def _row_encoder(source: Source) -> Callable[[Any], list[Any]]:
    found = [encoder(kind) for kind in source.kinds.values()]
    if source.dialect.name in ("mysql", "mariadb"):
        # It was read as a number of 8 bytes, so that no digit is lost.
        found = [
            shortest if kind == "single" else encode for kind, encode in zip(source.kinds.values(), found, strict=True)
        ]
    encoders = [(place, encode) for place, encode in enumerate(found) if encode is not None]

    def encode_row(values: Any) -> list[Any]:
        row = list(values)
        for place, encode in encoders:
            if row[place] is not None:
                row[place] = encode(row[place])
        return row

    return encode_row


def encoded_rows(connection: Connection, source: Source) -> Iterator[list[Any]]:
    """Yield all rows of a table as they are written."""
    encode = _row_encoder(source)
    asked = sa.select(*source.selected()).select_from(source.table)
    for found in connection.execute(asked.execution_options(stream_results=True, yield_per=FETCH_ROWS)):
        yield encode(found)


def _count(connection: Connection, source: Source) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(source.table)) or 0)


def _revisions(connection: Connection) -> list[str]:
    distance = migrations.distance(connection)
    if distance.unknown:
        raise TransferError(f"{distance} {distance.hint}")
    if distance.pending:
        raise TransferError("The database is behind the models: run `alembic upgrade head`, then dump.")
    return [*distance.applied]


def _warn_left_out(app: Flask, names: set[str]) -> None:
    if names:
        listed = ", ".join(sorted(names))
        app.logger.warning("Left out, because no installed module has them: %s", listed)


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Make the folder, and hold it alone."""
    if folder.exists() and not folder.is_dir():
        raise TransferError(f"{folder} is a file: name a folder.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
        os.fsync(handle)
    except BlockingIOError as error:
        raise TransferError(f"Another dump is just being written to {folder}.") from error
    finally:
        os.close(handle)
