"""PostgreSQL: pg_dump writes, pg_restore reads, and its SQL is run in one transaction of the application."""

import re
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import URL
from sqlalchemy import Connection
from sqlalchemy.pool import NullPool

from core import migrations
from core.cli.progress import Advance
from core.cli.progress import progress
from core.migrations import locks

from .archives import BackupError
from .archives import Manifest
from .archives import Writer
from .archives import reading
from .contents import Contents
from .contents import compare
from .programs import postgresql_environment
from .programs import postgresql_program
from .programs import running

#: Rows go to the server in pieces of about so many bytes.
PIECE_BYTES = 256 * 1024

_NAME = rb'(?:"(?:[^"]|"")*"|[\w$]+)'
_COPY = re.compile(rb"COPY (" + _NAME + rb")\.(" + _NAME + rb") (?:\(.*\) )?FROM stdin;\n")

#: Without what belongs to the server or to an extension.
_OURS = """
    n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = o.oid AND d.deptype = 'e')
"""
_RELATIONS = f"pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace AND {_OURS}"
_TABLES = sa.text(f"SELECT n.nspname, o.relname FROM {_RELATIONS} WHERE o.relkind = 'r' ORDER BY 1, 2")  # noqa: S608
_OTHERS = {
    "views": f"SELECT count(*) FROM {_RELATIONS} WHERE o.relkind IN ('v', 'm')",  # noqa: S608
    "triggers": f"SELECT count(*) FROM pg_trigger t JOIN {_RELATIONS} ON t.tgrelid = o.oid"  # noqa: S608
    " WHERE NOT t.tgisinternal",
    "routines": f"SELECT count(*) FROM pg_proc o JOIN pg_namespace n ON n.oid = o.pronamespace AND {_OURS}",  # noqa: S608
}

#: Statements that drop everything that the application owns.
_DROPS = sa.text(
    f"""
    SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', o.nspname), 0 FROM pg_namespace o
    JOIN pg_namespace n ON n.oid = o.oid AND {_OURS} WHERE o.nspname <> 'public'
    UNION ALL
    SELECT format('DROP %s IF EXISTS %I.%I CASCADE', CASE o.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE'
        WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, n.nspname, o.relname), 1
    FROM {_RELATIONS} WHERE n.nspname = 'public' AND o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', o.oid::regprocedure), 2
    FROM pg_proc o JOIN pg_namespace n ON n.oid = o.pronamespace AND {_OURS} WHERE n.nspname = 'public'
    UNION ALL
    SELECT format('DROP TYPE IF EXISTS %I.%I CASCADE', n.nspname, o.typname), 3
    FROM pg_type o JOIN pg_namespace n ON n.oid = o.typnamespace AND {_OURS}
    WHERE n.nspname = 'public' AND o.typtype IN ('e', 'd', 'r')
    ORDER BY 2
    """  # noqa: S608 - our own text
)


def take(url: URL, writer: Writer, folder: Path) -> Contents:
    """Write the database as it is at one moment, and return what is in it then."""
    engine = sa.create_engine(url, poolclass=NullPool, isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        snapshot = connection.scalar(sa.text("SELECT pg_export_snapshot()"))
        contents = _contents(connection)
        program = postgresql_program("pg_dump", int(contents.server.partition(".")[0]))
        # Compressed by the archive: there the rows can be counted while they pass.
        words = [
            "--format=custom",
            "--compress=0",
            f"--snapshot={snapshot}",
            "--lock-wait-timeout=30s",
            "--no-password",
        ]
        with (
            postgresql_environment(url) as environment,
            progress("Writing the backup", contents.rows) as advance,
            running([program, *words], env=environment) as stdout,
        ):
            while piece := stdout.read(PIECE_BYTES):
                writer.write(piece)
                # A row is a line, whatever is in it.
                advance(piece.count(b"\n"))
    return contents


def read_back(path: Path, manifest: Manifest, advance: Advance) -> dict[str, int]:
    """Read the whole archive as a restore would, and count the rows of each table."""
    tables: dict[str, int] = {}
    with _restoring(path, manifest, advance) as stdout:
        for part in _parts(stdout):
            if isinstance(part, _Copy):
                tables[part.table] = sum(1 for _ in part.rows)
    return tables


def existing(url: URL) -> list[str]:
    """Return the tables that there are."""
    with sa.create_engine(url, poolclass=NullPool).connect() as connection:
        return _tables(connection)


def restore(url: URL, path: Path, manifest: Manifest, *, replace: bool) -> None:
    """Put the backup's tables in the place of all that there is; all of it, or nothing is changed."""
    with locks.exclusive(migrations.make_engine(url)) as connection:
        driver: Any = connection.connection.driver_connection
        try:
            with progress("Restoring", manifest.size) as advance:
                if replace:
                    for statement, _ in connection.execute(_DROPS).all():
                        connection.exec_driver_sql(statement)
                with _restoring(path, manifest, advance) as stdout:
                    _run(driver, stdout)
            compare(manifest.tables, {name: _count(connection, name) for name in _tables(connection)})
            connection.commit()
        except (psycopg.Error, sa.exc.DBAPIError) as error:
            cause = getattr(error, "orig", None) or error
            raise BackupError(_explain(cause)) from error


def create(url: URL, name: str) -> None:
    """Make a database beside this one."""
    _administer(url, f'CREATE DATABASE "{name}" TEMPLATE template0')


def drop(url: URL, name: str) -> None:
    """Drop a database that :func:`create` has made."""
    _administer(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _administer(url: URL, statement: str) -> None:
    with sa.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(statement)


def _explain(cause: Any) -> str:
    if getattr(cause, "sqlstate", None) == "55P03":
        return "Others are using the tables: stop the site, then run this again. Nothing was changed."
    return f"PostgreSQL did not take it: {str(cause).strip()}\nNothing was changed."


# --- what there is ------------------------------------------------------------------------------


def _contents(connection: Connection) -> Contents:
    tables = {name: _count(connection, name) for name in _tables(connection)}
    history = sorted(migrations.applied(connection))
    others = {name: int(connection.scalar(sa.text(question)) or 0) for name, question in _OTHERS.items()}
    server = str(connection.scalar(sa.text("SHOW server_version"))).split()[0]
    return Contents(server, history, tables, {name: count for name, count in others.items() if count})


def _tables(connection: Connection) -> list[str]:
    return [_qualified(schema, table) for schema, table in connection.execute(_TABLES)]


def _count(connection: Connection, name: str) -> int:
    schema, _, table = name.rpartition(".")
    counted = sa.select(sa.func.count()).select_from(sa.table(table, schema=schema or "public"))
    return int(connection.scalar(counted) or 0)


def _qualified(schema: str, table: str) -> str:
    return table if schema == "public" else f"{schema}.{table}"


# --- the output of pg_restore -------------------------------------------------------------------


class _Copy:
    """The rows of a table, as COPY takes them."""

    def __init__(self, head: bytes, table: str, rows: Iterator[bytes]) -> None:
        self.head = head
        self.table = table
        self.rows = rows


def _restoring(path: Path, manifest: Manifest, advance: Advance) -> Any:
    program = postgresql_program("pg_restore", int(manifest.server.partition(".")[0]))
    words = ["--file=-", "--no-owner", "--no-privileges", "--no-tablespaces"]
    return running([program, *words], source=_fed(path, advance))


def _fed(path: Path, advance: Advance) -> Iterator[bytes]:
    with reading(path) as pieces:
        for piece in pieces:
            advance(len(piece))
            yield piece


def _parts(lines: Iterable[bytes]) -> Iterator[bytes | _Copy]:
    """Yield the statements between two tables' rows, and the rows."""
    text: list[bytes] = []
    lines = iter(lines)
    for line in lines:
        found = _COPY.fullmatch(line)
        if found:
            yield b"".join(text)
            text = []
            yield _Copy(line, _qualified(_plain(found[1]), _plain(found[2])), _rows(lines))
        elif not line.startswith((b"\\restrict", b"\\unrestrict")):
            # Those are for psql, which would run commands that stand in the rows; here nothing does.
            text.append(line)
    yield b"".join(text)


def _rows(lines: Iterator[bytes]) -> Iterator[bytes]:
    for line in lines:
        if line == b"\\.\n":
            return
        yield line


def _plain(name: bytes) -> str:
    text = name.decode()
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def _run(driver: Any, stdout: IO[bytes]) -> None:
    with driver.cursor() as cursor:
        for part in _parts(stdout):
            if isinstance(part, _Copy):
                with cursor.copy(part.head) as copy:
                    for piece in _pieces(part.rows):
                        copy.write(piece)
            elif part.strip():
                cursor.execute(part)


def _pieces(rows: Iterable[bytes]) -> Iterator[bytes]:
    held, size = [], 0
    for row in rows:
        held.append(row)
        size += len(row)
        if size >= PIECE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
