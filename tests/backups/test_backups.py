"""Backups: what is written comes back, what is damaged is refused, and what was there is never lost by either."""

import fcntl
import hashlib
import json
import os
import random
import shutil
import stat
import threading
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask
from sqlalchemy import URL
from sqlalchemy.pool import NullPool

from app.backups import archives
from app.backups import programs
from app.backups import restoring
from app.backups.archives import BackupError
from app.backups.taking import backup
from tests.core import warehouse

Make = Callable[..., Flask]
NewDatabase = Callable[[str], URL]
Run = Callable[..., Result]


def execute(url: URL, work: Callable[[sa.Connection], Any]) -> Any:
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        return work(connection)


def rows(url: URL) -> dict[str, list[Any]]:
    """Return all that is in the tests' tables; what is not there, not."""

    def read(connection: sa.Connection) -> dict[str, list[Any]]:
        there = sa.inspect(connection).get_table_names()
        tables = [table for table in warehouse.Base.metadata.sorted_tables if table.name in there]
        return {table.name: sorted(map(repr, connection.execute(table.select()))) for table in tables}

    return execute(url, read)


def fill(url: URL, things: int = 300) -> None:
    def work(connection: sa.Connection) -> None:
        warehouse.Base.metadata.create_all(connection)
        connection.execute(warehouse.Maker.__table__.insert(), [{"id": 1, "name": "Acme (1),(2); 'x'\n\\.\né漢😀"}])
        given = [{"name": f"t{number}", "maker_id": 1, "version": 1, "slot": number} for number in range(things)]
        connection.execute(warehouse.Thing.__table__.insert(), given)
        connection.execute(warehouse.Tag.__table__.insert(), [{"code": "a"}, {"code": "b", "title": "("}])
        outer = {"name": "outer", "maker_id": 1, "version": 1}
        connection.execute(warehouse.Box.__table__.insert(), [{"id": 7, **outer}])
        connection.execute(warehouse.Box.__table__.insert(), [{"id": 8, **outer, "inside_id": 7}])

    execute(url, work)


@pytest.fixture
def source(new_database: NewDatabase, engine_name: str) -> URL:
    """Return a database with rows, on each engine."""
    url = new_database(engine_name)
    fill(url)
    return url


@pytest.fixture
def run_backups(make_app: Make) -> Run:
    """Run ``flask backups …`` on a database: ``command(url, "take", …)``."""

    def run(url: URL, *words: str, **overrides: Any) -> Result:
        app = make_app(url, [warehouse.__name__, "app.backups"], **overrides)
        return app.test_cli_runner().invoke(args=["backups", *words], input=overrides.pop("input", None))

    return run


def test_backup_during_writes_is_consistent(
    source: URL, new_database: NewDatabase, engine_name: str, tmp_path: Path
) -> None:
    fill_up = threading.Event()
    wrote = 0

    def write() -> None:
        nonlocal wrote
        while not fill_up.is_set():
            # Of a maker and its label neither is in the backup without the other.
            wrote += 1
            execute(source, pair)

    def pair(connection: sa.Connection) -> None:
        for table in (warehouse.Maker.__table__, warehouse.Label.__table__):
            connection.execute(table.insert(), [{"id": 1000 + wrote, "name": f"w{wrote}"}])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        path, manifest = backup(source, tmp_path / "folder", rehearsed=True)
    finally:
        fill_up.set()
        writer.join()
    target = new_database(engine_name)
    restoring.restore(target, path, any_revision=True)
    restored = rows(target)

    assert wrote
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert {name: len(found) for name, found in restored.items()} == manifest.tables
    assert len(restored["warehouse_maker"]) == len(restored["warehouse_label"]) + 1
    before = rows(source)
    assert all(set(found) <= set(before[name]) for name, found in restored.items())
    assert restored["warehouse_thing"] == before["warehouse_thing"]
    assert restored["warehouse_box"] == before["warehouse_box"]
    keys = execute(target, lambda connection: sa.inspect(connection).get_foreign_keys("warehouse_box"))
    assert len(keys) == 3


def test_restore_over_rows_needs_option(run_backups: Run, source: URL, tmp_path: Path) -> None:
    before = rows(source)
    taken = run_backups(source, "take", str(tmp_path / "one.zip"))
    assert taken.exit_code == 0, taken.output
    execute(source, lambda connection: connection.execute(warehouse.Box.__table__.delete()))
    execute(source, lambda connection: connection.execute(sa.text("CREATE TABLE later (id integer)")))
    refused = run_backups(source, "restore", str(tmp_path / "one.zip"))

    assert refused.exit_code == 1
    assert "--replace" in refused.output
    assert rows(source)["warehouse_box"] == []
    done = run_backups(source, "restore", "--replace", str(tmp_path / "one.zip"))
    assert done.exit_code == 0, done.output
    assert "alembic upgrade head" in done.output
    assert rows(source) == before
    assert not execute(source, lambda connection: sa.inspect(connection).has_table("later"))


def test_failed_restore_changes_nothing(source: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = backup(source, tmp_path / "one.zip")
    claim(path, tables={"warehouse_maker": 99})
    before = rows(source)
    with pytest.raises(BackupError, match=r"warehouse_maker: 1 instead of 99"):
        restoring.restore(source, path, replace=True, any_revision=True)
    # Also if what reads it before would not have noticed.
    monkeypatch.setattr(restoring, "verify", archives.read_manifest)
    with pytest.raises(BackupError, match=r"warehouse_maker: 1 instead of 99"):
        restoring.restore(source, path, replace=True, any_revision=True)

    assert rows(source) == before
    if source.get_backend_name() == "mysql":
        names = execute(source, lambda connection: connection.scalars(sa.text("SHOW DATABASES")).all())
        assert [name for name in names if name.startswith(f"{source.database}_")] == []


def claim(path: Path, **values: Any) -> None:
    """Let a backup's manifest say something else."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(parts[archives.MANIFEST])
    for name, value in values.items():
        manifest[name] = {**manifest[name], **value} if isinstance(value, dict) else value
    parts[archives.MANIFEST] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)


def test_damaged_backup_is_refused(source: URL, tmp_path: Path) -> None:
    path, manifest = backup(source, tmp_path / "one.zip")
    whole = path.read_bytes()
    before = rows(source)
    chance = random.Random(1)
    places = [chance.randrange(len(whole)) for _ in range(25)]
    damaged = [whole[:cut] for cut in (0, 1, 100, len(whole) // 2, len(whole) - 1)]
    damaged += [whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :] for place in places]
    refused = 0
    for number, content in enumerate(damaged):
        broken = tmp_path / f"{number}.zip"
        broken.write_bytes(content)
        try:
            restoring.restore(source, broken, replace=True, any_revision=True) if number < 5 else restoring.verify(
                broken
            )
        except BackupError:
            refused += 1
        else:
            # A bit that no program reads: a date in the ZIP's own tables.
            assert archives.read_manifest(broken) == manifest
            assert number >= 5

    assert refused >= len(damaged) - 3
    assert rows(source) == before


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is no backup"), (b"GIF89a", "is no backup"), (None, "no backup of this platform"), ("folder", "no file")],
)
def test_foreign_file_is_refused(tmp_path: Path, content: bytes | str | None, message: str) -> None:
    path = tmp_path / "foreign.zip"
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("letter.txt", "Dear reader")
    elif content == "folder":
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(BackupError, match=message):
        restoring.verify(path)


@pytest.mark.parametrize(
    "manifest",
    [{"tables": ["a"]}, {"tables": {"a": "1"}}, {"server": "new"}, {"size": -1}, {"revisions": "0815"}, {"size": 0}],
)
def test_manifest_that_lies_is_a_sentence(sqlite_source: URL, tmp_path: Path, manifest: dict[str, Any]) -> None:
    path, _ = backup(sqlite_source, tmp_path / "one.zip")
    claim(path, **manifest)
    with pytest.raises(BackupError, match="is damaged"):
        restoring.verify(path)


def test_archive_that_grows_is_not_unpacked(sqlite_source: URL, tmp_path: Path) -> None:
    _, manifest = backup(sqlite_source, tmp_path / "one.zip")
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("database.sqlite", bytes(20_000_000))
        archive.writestr("manifest.json", json.dumps(vars(manifest)))
    with pytest.raises(BackupError, match="is damaged"), archives.reading(bomb) as pieces:
        assert sum(map(len, pieces)) <= manifest.size + archives.CHUNK_BYTES
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", bytes(20_000_000))
    with pytest.raises(BackupError, match="too long"):
        restoring.verify(bomb)


@pytest.mark.parametrize("command", ["\\! touch {}", "system touch {}"])
def test_dump_runs_no_program_here(new_database: NewDatabase, tmp_path: Path, command: str) -> None:
    source = new_database("mariadb")
    fill(source, 3)
    path, manifest = backup(source, tmp_path / "one.zip")
    with zipfile.ZipFile(path) as archive:
        dump = f"{command.format(tmp_path / 'mark')}\n".encode() + archive.read("database.sql")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("database.sql", dump)
        lie = {"size": len(dump), "sha256": hashlib.sha256(dump).hexdigest()}
        archive.writestr("manifest.json", json.dumps({**vars(manifest), **lie}))
    target = new_database("mariadb")
    with pytest.raises(BackupError, match="sandbox"):
        restoring.restore(target, path, any_revision=True)

    assert not (tmp_path / "mark").exists()
    assert rows(target) == {}


def test_user_settings_name_no_other_server(
    new_database: NewDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_database("mariadb")
    fill(url, 3)
    (tmp_path / ".my.cnf").write_text("[client]\nport=1\nuser=stranger\npassword=none\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    path, manifest = backup(url, tmp_path / "one.zip", rehearsed=True)

    assert path.exists()
    assert manifest.tables["warehouse_thing"] == 3


@pytest.fixture
def sqlite_source(new_database: NewDatabase) -> URL:
    """Return a SQLite database with rows, where the engine does not matter."""
    url = new_database("sqlite")
    fill(url, 3)
    return url


@pytest.mark.parametrize(
    ("claimed", "message"),
    [
        ({"engine": "postgresql"}, "flask transfer dump"),
        ({"revisions": ["0815"]}, "revision 0815, which this code does not have"),
        ({"format": 2}, "use newer code"),
    ],
)
def test_foreign_backup_refused_with_hint(
    run_backups: Run, sqlite_source: URL, tmp_path: Path, claimed: dict[str, Any], message: str
) -> None:
    path, _ = backup(sqlite_source, tmp_path / "one.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("database.dump", b"")
    claim(path, **claimed)
    before = rows(sqlite_source)
    result = run_backups(sqlite_source, "restore", "--replace", str(path))

    assert result.exit_code == 1
    assert message in result.output
    assert rows(sqlite_source) == before


def test_production_restore_needs_database_name(run_backups: Run, sqlite_source: URL, tmp_path: Path) -> None:
    name = Path(str(sqlite_source.database)).name
    path, _ = backup(sqlite_source, tmp_path / "one.zip")
    words = ["restore", "--replace", "--any-revision", str(path)]

    assert f"production database '{name}'" in run_backups(sqlite_source, *words, APP_ENV="production").output
    assert run_backups(sqlite_source, *words, "--database", "other", APP_ENV="production").exit_code == 2
    assert run_backups(sqlite_source, *words, "--database", name, APP_ENV="production").exit_code == 0


def test_old_backups_deleted_none_overwritten(run_backups: Run, sqlite_source: URL, tmp_path: Path) -> None:
    stem = Path(str(sqlite_source.database)).name.removesuffix(".db")
    old = [f"{stem}-2020010{day}T000000Z.backup.zip" for day in (1, 2, 3)]
    others = [f"{stem}x-20200101T000000Z.backup.zip", f"{stem}-notes.backup.zip", "other-20200101T000000Z.backup.zip"]
    for name in (*old, *others):
        (tmp_path / name).write_text("old")
    left = tmp_path / f".{old[0]}.part"
    left.write_text("left by one that was killed")
    busy = tmp_path / f".{old[1]}.part"
    with closing(busy.open("w")) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert run_backups(sqlite_source, "take", str(tmp_path), "--keep", "2").exit_code == 0

    assert "is not overwritten" in run_backups(sqlite_source, "take", str(tmp_path / others[0])).output
    assert not left.exists()
    assert busy.exists()
    assert {name for name in (*old, *others) if (tmp_path / name).exists()} == {old[2], *others}
    assert run_backups(sqlite_source, "take", str(tmp_path / "one.zip"), "--keep", "2").exit_code == 2
    assert not (tmp_path / "one.zip").exists()


def test_list_shows_backups_by_age(run_backups: Run, sqlite_source: URL, tmp_path: Path) -> None:
    assert "There is no backup" in run_backups(sqlite_source, "list", str(tmp_path)).output
    for name, moment in (("a", "2026-02-01T00:00:00Z"), ("b", "2026-01-01T00:00:00Z")):
        path, manifest = backup(sqlite_source, tmp_path / f"{name}.backup.zip")
        claim(path, created_at=moment)
    (tmp_path / "c.backup.zip").write_text("cut")
    result = run_backups(sqlite_source, "list", str(tmp_path))

    assert result.exit_code == 0
    assert [Path(line.split()[-1]).name for line in result.stdout.splitlines()] == ["b.backup.zip", "a.backup.zip"]
    assert f"{manifest.rows:,} rows" in result.stdout
    assert "c.backup.zip is no backup" in result.stderr


def test_backup_goes_through_a_pipe(
    run_backups: Run, sqlite_source: URL, make_app: Make, new_database: NewDatabase
) -> None:
    before = rows(sqlite_source)
    written = run_backups(sqlite_source, "take", "-")
    assert written.exit_code == 0
    app = make_app(new_database("sqlite"), [warehouse.__name__, "app.backups"])
    read = app.test_cli_runner().invoke(args=["backups", "restore", "-"], input=written.stdout_bytes)

    assert read.exit_code == 0, read.output
    assert rows(app.config["SQLALCHEMY_DATABASE_URI"]) == before


def test_verify_prints_manifest(run_backups: Run, sqlite_source: URL, tmp_path: Path) -> None:
    backup(sqlite_source, tmp_path / "one.zip")
    result = run_backups(sqlite_source, "verify", "--rehearse", str(tmp_path / "one.zip"))

    assert result.exit_code == 0
    assert "warehouse_thing  3" in result.stdout
    assert "was restored on trial" in result.stdout
    assert [path.name for path in Path(str(sqlite_source.database)).parent.glob("*rehearsal*")] == []


# --- the engines' programs ----------------------------------------------------------------------


@pytest.fixture
def wrap_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Let a program note its arguments before it runs; the file with them is returned."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def wrap(name: str) -> Path:
        real = shutil.which(name)
        script = folder / name
        script.write_text(f'#!/bin/sh\necho "$0 $@" >> {folder}/{name}.words\nexec {real} "$@"\n')
        script.chmod(0o755)
        return folder / f"{name}.words"

    return wrap


@pytest.mark.parametrize(
    ("engine", "used"), [("postgresql", ["pg_dump", "pg_restore"]), ("mariadb", ["mariadb-dump", "mariadb"])]
)
def test_password_is_in_no_command_line(
    engine: str, used: list[str], new_database: NewDatabase, wrap_program: Callable[[str], Path], tmp_path: Path
) -> None:
    url = new_database(engine)
    fill(url, 3)
    password = 'gu"ess\\ #me'
    quoted = password.replace("\\", "\\\\")
    statements = {
        "postgresql": ["CREATE ROLE {0} LOGIN SUPERUSER PASSWORD '{1}'"],
        "mariadb": [f"CREATE USER {{0}} IDENTIFIED BY '{quoted}'", "GRANT ALL ON `{2}%`.* TO {0}"],
    }[engine]
    user = f"{url.database}_user"
    for statement in statements:
        said = statement.format(user, password, url.database)
        execute(url, lambda connection, said=said: connection.exec_driver_sql(said.replace("%", "%%")))
    notes = [wrap_program(name) for name in used]
    try:
        path, _ = backup(url.set(username=user, password=password), tmp_path / "one.zip", rehearsed=True)
    finally:
        if engine == "mariadb":
            execute(url, lambda connection: connection.exec_driver_sql(f"DROP USER {user}"))
        else:
            execute(url, lambda connection: connection.exec_driver_sql(f"DROP ROLE {user}"))

    assert path.exists()
    for note in notes:
        assert note.read_text()
        assert "gu" + '"ess' not in note.read_text()


@pytest.mark.parametrize(
    ("engine", "program", "message"),
    [
        ("postgresql", None, "pg_dump is missing: apt install postgresql-client"),
        ("postgresql", "pg_dump (PostgreSQL) 9.6", r"pg_dump 9 is older .* apt install postgresql-client-\d\d"),
        ("mariadb", None, "mariadb-dump is missing: apt install mariadb-client"),
    ],
)
def test_missing_or_old_program_named(
    engine: str,
    program: str | None,
    message: str,
    new_database: NewDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = new_database(engine)
    folder = tmp_path / "bin"
    folder.mkdir()
    if program:
        (folder / "pg_dump").write_text(f"#!/bin/sh\necho '{program}'\n")
        (folder / "pg_dump").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(programs, "POSTGRESQL_FOLDERS", folder)
    with pytest.raises(BackupError, match=message):
        backup(url, tmp_path / "one.zip")

    assert list(tmp_path.glob("*.zip")) == []


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_aborted_program_leaves_no_backup(
    engine: str, new_database: NewDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_database(engine)
    name = {"postgresql": "pg_dump", "mariadb": "mariadb-dump"}[engine]
    script = tmp_path / name
    script.write_text(
        f"#!/bin/sh\n[ $1 = --version ] && exec {shutil.which(name)} $1\necho half; echo lost >&2; exit 3\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(BackupError, match=f"{name} failed: lost"):
        backup(url, tmp_path / "one.zip")

    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_unresponsive_database_is_one_sentence(run_backups: Run, tmp_path: Path) -> None:
    url = sa.make_url("postgresql+psycopg://stranger:secret@127.0.0.1:1/test_nothing")
    result = run_backups(url, "take", str(tmp_path / "one.zip"))

    assert result.exit_code == 1
    assert "The database does not answer" in result.output
    assert "secret" not in result.output
    assert list(tmp_path.iterdir()) == []
