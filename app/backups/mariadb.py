"""MariaDB: mariadb-dump writes SQL, and mariadb reads it into a database beside, whose tables then take the place.

There is no transaction around statements that make tables, so that a restore into the database itself
could stop half-way.
"""

import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import URL
from sqlalchemy import Connection
from sqlalchemy.pool import NullPool

from core import migrations
from core.cli.progress import Advance
from core.cli.progress import progress
from core.migrations import locks

from .archives import CHUNK_BYTES
from .archives import BackupError
from .archives import Manifest
from .archives import Writer
from .archives import reading
from .contents import Contents
from .contents import compare
from .programs import mariadb_options
from .programs import mariadb_program
from .programs import mariadb_sandbox
from .programs import running

_CREATE = re.compile(rb"CREATE TABLE (?:IF NOT EXISTS )?`((?:[^`]|``)+)`")
_INSERT = re.compile(rb"INSERT INTO `((?:[^`]|``)+)` (?:\(.*?\) )?VALUES\s?")
#: A row where several stand in a line; binary values are written in hexadecimal, so that texts alone hold brackets.
_ROW = re.compile(rb"\((?:'(?:[^'\\]|\\.)*'|[^'()])*\)", re.DOTALL)
_END = b"-- Dump completed"

_OTHERS = {
    "views": "SELECT count(*) FROM information_schema.views WHERE table_schema = DATABASE()",
    "triggers": "SELECT count(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
    "routines": "SELECT count(*) FROM information_schema.routines WHERE routine_schema = DATABASE()",
    "events": "SELECT count(*) FROM information_schema.events WHERE event_schema = DATABASE()",
}
_REFERENCES = "SELECT count(*) FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE()"


def take(url: URL, writer: Writer, folder: Path) -> Contents:
    """Write the database as it is at one moment, and return what is in it then."""
    with sa.create_engine(url, poolclass=NullPool).connect() as connection:
        before = _contents(connection)
        _refuse_unsafe(connection)
    words = ["--single-transaction", "--quick", "--hex-blob", "--routines", "--triggers", "--events"]
    words += ["--default-character-set=utf8mb4", "--skip-add-locks", "--no-tablespaces", "--", str(url.database)]
    counter = _Counter()
    with (
        mariadb_options(url) as options,
        progress("Writing the backup", before.rows) as advance,
        running([mariadb_program("mariadb-dump"), options, *words]) as stdout,
    ):
        while lines := stdout.readlines(CHUNK_BYTES):
            writer.write(b"".join(lines))
            advance(sum(map(counter.take, lines)))
    with sa.create_engine(url, poolclass=NullPool).connect() as connection:
        after = _contents(connection)
    if after.revisions != before.revisions:
        raise BackupError("A migration ran meanwhile, so that the tables are not of one moment: take the backup again.")
    return Contents(before.server, before.revisions, counter.finish(), before.others)


def read_back(path: Path, manifest: Manifest, advance: Advance) -> dict[str, int]:
    """Read the whole archive, and count the rows of each table."""
    counter = _Counter()
    with reading(path) as pieces:
        for line in _lines(pieces, advance):
            counter.take(line)
    return counter.finish()


def existing(url: URL) -> list[str]:
    """Return the tables that there are."""
    with sa.create_engine(url, poolclass=NullPool).connect() as connection:
        return _tables(connection)


def restore(url: URL, path: Path, manifest: Manifest, *, replace: bool) -> None:
    """Put the backup's tables in the place of those that there are.

    Into an empty database directly; else by way of ``<name>_restore``, and what was there is in
    ``<name>_replaced`` until the new tables have been counted.
    """
    with locks.exclusive(migrations.make_engine(url)) as connection:
        if not _tables(connection):
            _fill(url, path, manifest)
            return
        _refuse_to_swap(connection, manifest)
        with _Beside(url, "restore") as new, _Beside(url, "replaced", stays=True) as old:
            _fill(url.set(database=new), path, manifest)
            _swap(connection, url, new, old)


def create(url: URL, name: str) -> None:
    """Make a database beside this one."""
    _administer(url, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")


def drop(url: URL, name: str) -> None:
    """Drop a database that :func:`create` has made."""
    _administer(url, f"DROP DATABASE IF EXISTS `{name}`")


def _administer(url: URL, statement: str) -> None:
    with sa.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(statement)


# --- what there is ------------------------------------------------------------------------------


def _contents(connection: Connection) -> Contents:
    tables = {name: _count(connection, name) for name in _tables(connection)}
    history = sorted(migrations.applied(connection))
    server = str(connection.scalar(sa.text("SELECT VERSION()")))
    return Contents(server, history, tables, _others(connection))


def _others(connection: Connection) -> dict[str, int]:
    counts = {name: int(connection.scalar(sa.text(question)) or 0) for name, question in _OTHERS.items()}
    return {name: count for name, count in counts.items() if count}


def _tables(connection: Connection) -> list[str]:
    asked = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
    return list(connection.scalars(sa.text(f"{asked} AND table_type = 'BASE TABLE' ORDER BY 1")))


def _count(connection: Connection, name: str) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(sa.table(name))) or 0)


def _refuse_unsafe(connection: Connection) -> None:
    asked = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
    found = list(connection.scalars(sa.text(f"{asked} AND table_type = 'BASE TABLE' AND engine <> 'InnoDB'")))
    if found:
        raise BackupError(
            f"These tables cannot be read at one moment, because they are not InnoDB: {', '.join(found)}. "
            f"ALTER TABLE {found[0]} ENGINE = InnoDB; then take the backup again."
        )


# --- the output of mariadb-dump -----------------------------------------------------------------


class _Counter:
    """Counts the rows of each table in the lines of a dump: those of its very snapshot."""

    def __init__(self) -> None:
        self._tables: dict[str, int] = {}
        self._table: str | None = None
        self._is_whole = False

    def take(self, line: bytes) -> int:
        """Look at a line, and return how many rows were in it."""
        if line.startswith(b"(") and self._table is not None:
            # MariaDB's own writes a row in a line.
            return self._add(self._table, 1, line)
        found = _INSERT.match(line)
        if found:
            return self._add(_plain(found[1]), len(_ROW.findall(line, found.end())), line)
        made = _CREATE.match(line)
        if made:
            self._tables[_plain(made[1])] = 0
        self._is_whole = line.startswith(_END) or (self._is_whole and not line.strip())
        return 0

    def finish(self) -> dict[str, int]:
        """Return the rows of each table.

        :raises BackupError: if the end is missing
        """
        if not self._is_whole:
            raise BackupError("The dump has no end: mariadb-dump was stopped. Take the backup again.")
        return self._tables

    def _add(self, table: str, rows: int, line: bytes) -> int:
        self._tables[table] = self._tables.get(table, 0) + rows
        self._table = None if line.endswith(b";\n") else table
        return rows


def _plain(name: bytes) -> str:
    return name.decode().replace("``", "`")


def _lines(pieces: Iterable[bytes], advance: Advance) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        advance(len(piece))
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line + b"\n" for line in lines)
    yield rest


# --- the way back -------------------------------------------------------------------------------


def _fill(url: URL, path: Path, manifest: Manifest) -> None:
    """Run the dump in an empty database, and count; it is empty again if that fails."""
    program = mariadb_program("mariadb")
    words = [*mariadb_sandbox(program), "--batch", str(url.database)]
    try:
        with (
            mariadb_options(url) as options,
            progress("Restoring", manifest.size) as advance,
            running([program, options, *words], source=_fed(path, advance)),
        ):
            pass
        with sa.create_engine(url, poolclass=NullPool).connect() as connection:
            compare(manifest.tables, {name: _count(connection, name) for name in _tables(connection)})
    except BaseException:
        _empty(url)
        raise


def _fed(path: Path, advance: Callable[[int], None]) -> Iterator[bytes]:
    with reading(path) as pieces:
        for piece in pieces:
            advance(len(piece))
            yield piece


def _empty(url: URL) -> None:
    with sa.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("SET foreign_key_checks = 0")
        for name in _tables(connection):
            connection.exec_driver_sql(f"DROP TABLE {_quoted(name)}")
        asked = "SELECT table_name FROM information_schema.views WHERE table_schema = DATABASE()"
        for name in list(connection.scalars(sa.text(asked))):
            connection.exec_driver_sql(f"DROP VIEW {_quoted(name)}")


def _refuse_to_swap(connection: Connection, manifest: Manifest) -> None:
    """MariaDB moves tables from one database to another, and nothing else."""
    others = sorted(manifest.others.keys() | _others(connection).keys())
    if others:
        raise BackupError(
            f"There are {' and '.join(others)}, which MariaDB cannot move: make an empty database, set DATABASE_URL "
            "to it, restore there, and leave it so. Nothing was changed."
        )


class _Beside:
    """A database ``<name>_<suffix>`` for a while: made where we may, else one that was made for us.

    :param stays: with what is in it, if anything goes wrong
    """

    def __init__(self, url: URL, suffix: str, *, stays: bool = False) -> None:
        self.url = url
        self.name = f"{url.database}_{suffix}"
        self.stays = stays
        self.made = False

    def __enter__(self) -> str:
        try:
            create(self.url, self.name)
            self.made = True
        except sa.exc.DBAPIError as error:
            self._use_existing(error)
        return self.name

    def _use_existing(self, error: sa.exc.DBAPIError) -> None:
        try:
            left = existing(self.url.set(database=self.name))
        except sa.exc.DBAPIError:
            raise BackupError(
                f"To restore over what is there takes a database {self.name} beside it, which "
                f"{self.url.username} may not make: as an administrator, CREATE DATABASE `{self.name}`; "
                f"GRANT ALL ON `{self.name}`.* TO {self.url.username}. ({error.orig})"
            ) from error
        if left:
            raise BackupError(
                f"{self.name} has tables, which an earlier restore may have left: look at them, "
                f"then DROP DATABASE `{self.name}`. Nothing was changed."
            )

    def __exit__(self, kind: object, *rest: object) -> None:
        there = self.url.set(database=self.name)
        if self.stays and kind is not None and existing(there):
            return
        if self.made:
            drop(self.url, self.name)
        else:
            _empty(there)


def _swap(connection: Connection, url: URL, new: str, old: str) -> None:
    references = _references(url.set(database=new))
    name = _quoted(str(url.database))
    moves = [f"{name}.{_quoted(table)} TO {_quoted(old)}.{_quoted(table)}" for table in _tables(connection)]
    moves += [
        f"{_quoted(new)}.{_quoted(table)} TO {name}.{_quoted(table)}" for table in existing(url.set(database=new))
    ]
    try:
        # One statement: others see all of the old tables, or all of the new.
        connection.exec_driver_sql(f"RENAME TABLE {', '.join(moves)}")
    except sa.exc.DBAPIError as error:
        raise BackupError(f"The tables cannot take the place: {error.orig} Nothing was changed.") from error
    if _references(url) != references:
        raise BackupError(f"MariaDB has lost foreign keys while it moved tables: what was there is in {old}.")


def _references(url: URL) -> int:
    with sa.create_engine(url, poolclass=NullPool).connect() as connection:
        return int(connection.scalar(sa.text(_REFERENCES)) or 0)


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"
