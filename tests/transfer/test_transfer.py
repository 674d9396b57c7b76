"""Dumps: every value arrives as it was on every engine, or is named before anything is written."""

import datetime as dt
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import URL
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.pool import NullPool

from app.transfer.dumping import dump
from app.transfer.faults import TransferError
from app.transfer.loading import load
from config import ROOT
from core import migrations
from core.api.idempotency import idempotency_keys
from tests.core import column_types
from tests.dialects import postgres_rows
from tests.transfer import shipments

Make = Callable[..., Flask]
NewDatabase = Callable[[str], URL]
ENGINES = ("sqlite", "postgresql", "mariadb")
PAIRS = [(one, other) for one in ENGINES for other in ENGINES if one != other]

CRATE, PALLET, PLACE = shipments.Crate.__table__, shipments.Pallet.__table__, shipments.Place.__table__

LOCAL = dt.datetime(2026, 1, 31, 12, 0, 0, 123456)
MOMENT = dt.datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=dt.UTC)

FULL = {
    **{"id": 1, "name": "é漢😀 'x'\n\\.\t", "text": "x" * 60_000, "mint": "ab", "small": -32768, "big": 2**63 - 1},
    **{
        "live": True,
        "metal": shipments.Metal.LEAD,
        "size": "M",
        "uid": uuid.UUID(int=5),
        "uid_text": str(uuid.UUID(int=7)),
    },
    **{"image": bytes(range(256)), "day": dt.date(2026, 2, 28), "clock": dt.time(23, 59, 59)},
    "local": dt.datetime(2026, 1, 31, 12, 0, 0, 123456),
    "moment": dt.datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=dt.UTC),
    "zoned": dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC),
    **{"span": dt.timedelta(days=-3, hours=5), "price": Decimal("-123456789.10"), "amount": Decimal("0.5000")},
    **{"weight": 0.1 + 0.2, "single": 0.1, "sealed": "secret", "version": 7, "inside_id": 3, "pallet_id": 1},
    "data": {"b": [1, None, 1.5, 10**15, "é\\"], "a": {}},
    "numbers": [3, 1, 2],
}
EMPTY = {"id": 2, "name": "", "version": 1, "live": False, "text": "", "image": b"", "numbers": []}
INNER = {"id": 3, "name": "null", "version": 1, "live": False, "data": None, "inside_id": 2}


def execute(url: URL, work: Callable[[sa.Connection], Any]) -> Any:
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        return work(connection)


@pytest.fixture
def make_shipments(
    new_database: NewDatabase,
    make_app: Make,
    write_module: Callable[..., str],
    write_revision: Callable[[str], None],
) -> Callable[[str], tuple[Flask, URL]]:
    """Make an application of the module, on an engine, with its tables."""
    init = "from flask import Blueprint\nbp = Blueprint('shipments', __name__)\n"
    name = write_module("shipments", init=init, models="from tests.transfer.shipments import Base\n")
    write_revision("pass")

    def make(engine_name: str) -> tuple[Flask, URL]:
        url = new_database(engine_name)
        migrations.upgrade(url, installed_apps=[name])
        execute(url, shipments.Base.metadata.create_all)
        execute(url, idempotency_keys.create)
        return make_app(url, [name, "app.transfer"]), url

    return make


def fill(url: URL) -> None:
    def work(connection: sa.Connection) -> None:
        if connection.dialect.name in ("mysql", "sqlite"):
            off = {"mysql": "SET foreign_key_checks = 0", "sqlite": "SELECT 1"}[connection.dialect.name]
            connection.exec_driver_sql(off)
        rows = [{**row, "inside_id": None, "pallet_id": None} for row in (FULL, EMPTY, INNER)]
        for row in rows:
            if connection.dialect.name == "sqlite" or "zoned" not in row:
                row = {name: value for name, value in row.items() if name != "zoned"} | (
                    {"zoned": row["zoned"].replace(tzinfo=None)} if "zoned" in row else {}
                )
            connection.execute(CRATE.insert(), row)
        connection.execute(PALLET.insert(), [{"id": 1, "first_id": 1}])
        for row in (FULL, INNER):
            changed = {"inside_id": row["inside_id"], "pallet_id": row.get("pallet_id")}
            connection.execute(CRATE.update().where(CRATE.c.id == row["id"]).values(**changed))
        places = [{"aisle": f"a{number % 3} ", "level": number, "pallet_id": 1} for number in range(20)]
        connection.execute(PLACE.insert(), places)
        connection.execute(shipments.notes.insert(), [{"text": "twice"}, {"text": "twice"}, {"text": None}])
        # The last number was given, and its row is gone.
        connection.execute(CRATE.insert(), {"id": 90, "name": "gone", "version": 1, "live": False})
        connection.execute(CRATE.delete().where(CRATE.c.id == 90))
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT setval('shipments_crate_id_seq', 90)")

    execute(url, work)


def values(url: URL) -> dict[str, Any]:
    """Return all rows, as the models give them."""

    def read(connection: sa.Connection) -> dict[str, Any]:
        found = {}
        for table in (CRATE, PALLET, PLACE, shipments.notes):
            rows = [dict(row) for row in connection.execute(table.select()).mappings()]
            for row in rows:
                if row.get("zoned") is not None and row["zoned"].tzinfo is None:
                    row["zoned"] = row["zoned"].replace(tzinfo=dt.UTC)
                if row.get("mint"):
                    row["mint"] = row["mint"].rstrip()
            found[table.name] = sorted(rows, key=repr)
        nulls = sa.select(CRATE.c.id).where(CRATE.c.data.is_(sa.null())).order_by(CRATE.c.id)
        sealed = connection.scalars(sa.text("SELECT sealed FROM shipments_crate WHERE id = 1")).all()
        return {**found, "nulls": connection.scalars(nulls).all(), "sealed": sealed}

    return execute(url, read)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_every_value_arrives_as_it_was(
    one: str, other: str, make_shipments: Callable[[str], tuple[Flask, URL]], tmp_path: Path
) -> None:
    app, url = make_shipments(one)
    fill(url)
    folder = tmp_path / "dump"
    dumped = app.test_cli_runner().invoke(args=["transfer", "dump", str(folder)])
    assert dumped.exit_code == 0, dumped.output
    there, target = make_shipments(other)
    loaded = there.test_cli_runner().invoke(args=["transfer", "load", str(folder)])

    assert loaded.exit_code == 0, loaded.output
    assert values(target) == values(url)
    assert values(target)["sealed"] == ["sealed terces"]
    assert values(target)["nulls"] == values(url)["nulls"]
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}
    assert "_data_load" not in execute(target, lambda connection: sa.inspect(connection).get_table_names())
    # Keys hold again, and no number is given twice.
    new = {"name": "new", "version": 1, "live": False}
    key = execute(target, lambda connection: connection.execute(CRATE.insert(), new).inserted_primary_key[0])
    assert key == 91
    if other != "sqlite":
        with pytest.raises(sa.exc.IntegrityError):
            execute(target, lambda connection: connection.execute(CRATE.insert(), {**new, "inside_id": 999}))
        names = execute(target, lambda connection: sa.inspect(connection).get_foreign_keys("shipments_crate"))
        assert len(names) == 2


RANGE = pg.Range
ONLY_HERE = {
    "postgresql": {
        **{"numbers": [1, -32768], "texts": ["", "a,b", '"{}'], "grid": ((1, 2), (3, 4)), "amounts": [Decimal("1.50")]},
        **{
            "moments": [MOMENT],
            "metals": [column_types.Metal.GOLD],
            "marks": [uuid.UUID(int=9)],
            "labels": {"a": "b", "c": None},
        },
        **{"data": {"a": 1.5}, "address": "192.0.2.1/24", "network": "2001:db8::/32", "card": "08:00:2b:01:02:03"},
        **{"long_card": "08:00:2b:01:02:03:04:05", "small": RANGE(1, 5), "large": RANGE(-(2**63), None)},
        **{"amount": RANGE(Decimal("0.5"), Decimal("1.50"), bounds="(]"), "days": RANGE(empty=True)},
        **{"stay": RANGE(LOCAL, None), "booked": RANGE(MOMENT, None), "gaps": [RANGE(1, 3), RANGE(4, None)]},
        **{"shifts": [RANGE(MOMENT, None)], "flags": "0110", "some": "01", "oid": 2**32 - 1, "zip": "01234"},
        **{"mail": "A@b.c", "span": dt.timedelta(days=1, microseconds=1), "raw": b"\0\xff"},
        **{"zoned": dt.time(12, 30, tzinfo=dt.timezone(dt.timedelta(hours=1))), "tenths": MOMENT},
    },
    "mariadb": {
        **{
            "tiny": -128,
            "byte": 255,
            "medium": 2**23 - 1,
            "word": 65535,
            "big": 2**64 - 1,
            "amount": Decimal("999.99"),
        },
        **{"ratio": 0.5, "year": 2155, "marks": {"a", "c"}, "metal": "lead", "flags": 2**64 - 1},
        **{"moment": dt.datetime(2026, 1, 31, 12, 0, 0, 123000), "whole": LOCAL.replace(microsecond=0), "stamp": LOCAL},
        **{"clock": dt.time(23, 59, 59, 999999), "text": "é", "short": "x" * 255, "raw": b"\0\1", "few": b"\0\1\2\3\4"},
        **{"fixed": b"\0\1", "four": "192.0.2.1", "six": "2001:db8::1"},
    },
}


@pytest.mark.filterwarnings("ignore:Type object .* does not refer to an OperatorClass")
@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_engine_types_survive_transfer(
    engine: str,
    new_database: NewDatabase,
    make_app: Make,
    write_module: Callable[..., str],
    write_revision: Callable[[str], None],
    tmp_path: Path,
) -> None:
    base = {"postgresql": postgres_rows.Postgres, "mariadb": postgres_rows.Maria}[engine]
    init = "from flask import Blueprint\nbp = Blueprint('safe', __name__)\n"
    name = write_module("safe", init=init, models=f"from tests.dialects.postgres_rows import {base.__name__}\n")
    write_revision("pass")
    (table,) = base.metadata.tables.values()
    urls = [new_database(engine), new_database(engine)]
    for url in urls:
        migrations.upgrade(url, installed_apps=[name])
        if engine == "postgresql":
            execute(
                url, lambda connection: connection.exec_driver_sql("CREATE EXTENSION hstore; CREATE EXTENSION citext")
            )
        execute(url, base.metadata.create_all)
        execute(url, idempotency_keys.create)
    rows = [{"id": 1, "version": 1, **ONLY_HERE[engine]}, {"id": 2, "version": 1}]
    for row in rows:
        execute(urls[0], lambda connection, row=row: connection.execute(table.insert(), row))
    dump(make_app(urls[0], [name, "app.transfer"]), tmp_path / "dump")
    load(make_app(urls[1], [name, "app.transfer"]), tmp_path / "dump")
    asked = table.select().order_by(table.c.id)
    before, after = (execute(url, lambda connection: connection.execute(asked).mappings().all()) for url in urls)

    assert after == before
    assert before[0]["version"] == 1


@pytest.mark.parametrize(
    ("values", "other", "message"),
    [
        ({"name": "x" * 41}, "postgresql", "shipments_crate.name of row 1: VARCHAR(40) takes 40 characters"),
        ({"small": 40_000}, "mariadb", "SMALLINT takes -32768 to 32767"),
        ({"text": "x" * 65_536}, "mariadb", "TEXT takes 65,535 bytes"),
        ({"text": "a\0b"}, "postgresql", "PostgreSQL keeps no NUL"),
        ({"weight": float("inf")}, "mariadb", "mariadb has no inf"),
        ({"amount": Decimal("123456789")}, "postgresql", "has no room for 123456789"),
        ({"clock": dt.time(1, 2, 3, 4)}, "mariadb", "TIME keeps 0 digits of a second"),
        ({"single": 123456789.5}, "mariadb", "FLOAT keeps 7 digits"),
    ],
)
def test_unfit_value_named_before_writing(
    values: dict[str, Any],
    other: str,
    message: str,
    make_shipments: Callable[[str], tuple[Flask, URL]],
    tmp_path: Path,
) -> None:
    app, url = make_shipments("sqlite")
    row = {"id": 1, "name": "x", "version": 1, "live": False, **values}
    execute(url, lambda connection: connection.execute(CRATE.insert(), row))
    dump(app, tmp_path / "dump")
    there, target = make_shipments(other)
    execute(target, lambda connection: connection.execute(shipments.notes.insert(), {"text": "kept"}))
    with pytest.raises(TransferError) as refused:
        load(there, tmp_path / "dump", replace=True)

    assert message in str(refused.value)
    assert "nothing was written" in str(refused.value)
    assert execute(target, lambda connection: connection.scalars(sa.select(shipments.notes.c.text)).all()) == ["kept"]


TWINS = """
    import sqlalchemy as sa
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
    from core.data.models import exact
    from services import NAMING_CONVENTION


    class Base(DeclarativeBase):
        metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


    class Name(Base):
        __tablename__ = "twins_name"
        __table_args__ = (sa.UniqueConstraint("shelf", "label"), sa.Index(None, "slug", unique=True))
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str | None] = mapped_column(sa.String(40), unique=True)
        label: Mapped[str | None] = mapped_column(sa.String(40))
        shelf: Mapped[int | None]
        slug: Mapped[str | None] = mapped_column(exact(40))
        word: Mapped[str | None] = mapped_column(sa.String(40))


    class Code(Base):
        __tablename__ = "twins_code"
        code: Mapped[str] = mapped_column(sa.String(40), primary_key=True)


    # MariaDB has no index over an expression.
    index = sa.Index("uq_twins_word", sa.func.lower(Name.__table__.c.word), unique=True)
    index.ddl_if(callable_=lambda ddl, target, bind, **kw: bind.dialect.name != "mysql")
"""


@pytest.fixture
def make_twins(
    new_database: NewDatabase,
    make_app: Make,
    write_module: Callable[..., str],
    write_revision: Callable[[str], None],
) -> Callable[[str], tuple[Flask, URL, Any]]:
    """Make an application of a module whose rows must differ, on an engine, with its tables."""
    init = "from flask import Blueprint\nbp = Blueprint('twins', __name__)\n"
    name = write_module("twins", init=init, models=TWINS)
    write_revision("pass")

    def make(engine_name: str) -> tuple[Flask, URL, Any]:
        url = new_database(engine_name)
        migrations.upgrade(url, installed_apps=[name])
        tables = sys.modules["twins.models"].Base.metadata
        execute(url, tables.create_all)
        execute(url, idempotency_keys.create)
        return make_app(url, [name, "app.transfer"]), url, tables

    return make


@pytest.mark.parametrize(
    ("table", "rows", "other", "message"),
    [
        ("name", [{"name": "Éclair"}, {"name": "x"}, {"name": "éclair"}], "mariadb", "name of rows 1 and 3"),
        ("name", [{"name": "x"}, {"name": "x "}], "mariadb", "name of rows 1 and 2"),
        ("name", [{"shelf": 1, "label": "a"}, {"shelf": 1, "label": "A"}], "mariadb", "shelf, label of rows 1 and 2"),
        ("code", [{"code": "e"}, {"code": "é"}], "mariadb", "twins_code.code of rows 1 and 2 must differ"),
        ("name", [{"word": "É"}, {"word": "é"}], "postgresql", "word of rows 1 and 2"),
    ],
)
def test_equal_rows_are_named_before_writing(
    table: str,
    rows: list[dict[str, Any]],
    other: str,
    message: str,
    make_twins: Callable[[str], tuple[Flask, URL, Any]],
    tmp_path: Path,
) -> None:
    app, url, tables = make_twins("sqlite")
    chosen = tables.tables[f"twins_{table}"]
    for row in rows:
        plain = sa.table(chosen.name, *(sa.column(name) for name in row))
        execute(url, lambda connection, plain=plain, row=row: connection.execute(plain.insert(), row))
    dump(app, tmp_path / "dump")
    there, target, _ = make_twins(other)
    with pytest.raises(TransferError) as refused:
        load(there, tmp_path / "dump")

    assert message in str(refused.value)
    assert "nothing was written" in str(refused.value)
    assert execute(target, lambda connection: connection.scalar(sa.select(sa.func.count()).select_from(chosen))) == 0
    assert not execute(target, lambda connection: sa.inspect(connection).has_table("_data_load"))


@pytest.mark.parametrize("other", ["mariadb", "postgresql"])
def test_rows_that_differ_there_are_loaded(
    other: str, make_twins: Callable[[str], tuple[Flask, URL, Any]], tmp_path: Path
) -> None:
    app, url, tables = make_twins("sqlite")
    rows = [
        {"name": None, "label": "a", "shelf": None, "slug": "Éclair", "word": "a"},
        {"name": None, "label": "A", "shelf": None, "slug": "éclair", "word": "b"},
        {"name": "b", "label": "A", "shelf": 2, "slug": "eclair", "word": None},
    ]
    names = tables.tables["twins_name"]
    execute(url, lambda connection: connection.execute(names.insert(), rows))
    dump(app, tmp_path / "dump")
    there, target, _ = make_twins(other)
    load(there, tmp_path / "dump")
    assert execute(target, lambda connection: connection.scalar(sa.select(sa.func.count()).select_from(names))) == 3


def test_key_without_an_address_is_logged(
    make_twins: Callable[[str], tuple[Flask, URL, Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app, url, tables = make_twins("sqlite")
    codes = tables.tables["twins_code"]
    execute(url, lambda connection: connection.execute(codes.insert(), [{"code": "a/b"}, {"code": "."}, {"code": "c"}]))
    dump(app, tmp_path / "dump")
    there, target, _ = make_twins("sqlite")
    load(there, tmp_path / "dump")
    assert "twins_code: no address can name 2 of the keys, the first is row 1, '.'" in caplog.text
    assert execute(target, lambda connection: connection.scalar(sa.select(sa.func.count()).select_from(codes))) == 3


def test_rows_replaced_on_option_only(
    make_shipments: Callable[[str], tuple[Flask, URL]], tmp_path: Path, engine_name: str
) -> None:
    app, url = make_shipments(engine_name)
    fill(url)
    before = values(url)
    folder = tmp_path / "dump"
    dump(app, folder)
    run = app.test_cli_runner().invoke
    execute(url, lambda connection: connection.execute(shipments.notes.insert(), {"text": "later"}))

    assert "not overwritten" in run(args=["transfer", "dump", str(folder)]).output
    assert "--replace" in run(args=["transfer", "load", str(folder)]).output
    app.config["APP_ENV"] = "production"
    assert "name it with --database" in run(args=["transfer", "load", "--replace", str(folder)]).output
    app.config["APP_ENV"] = "testing"
    done = run(args=["transfer", "load", "--replace", str(folder)])
    assert done.exit_code == 0, done.output
    assert values(url) == before


def test_partial_dump_needs_references(make_shipments: Callable[[str], tuple[Flask, URL]], tmp_path: Path) -> None:
    app, url = make_shipments("sqlite")
    fill(url)
    run = app.test_cli_runner().invoke
    assert "There is no table" in run(args=["transfer", "dump", str(tmp_path / "no"), "--table", "nothing"]).output
    assert run(args=["transfer", "dump", str(tmp_path / "one"), "--table", "shipments_place"]).exit_code == 0
    assert run(args=["transfer", "dump", str(tmp_path / "all"), "--module", "shipments"]).exit_code == 0
    there, target = make_shipments("sqlite")
    result = there.test_cli_runner().invoke(args=["transfer", "load", str(tmp_path / "one")])

    assert "20 of shipments_place to shipments_pallet" in result.output
    assert "core_idempotency_key" not in json.loads((tmp_path / "all" / "manifest.json").read_text())["tables"]
    assert (
        "another dump was broken off"
        in there.test_cli_runner().invoke(args=["transfer", "load", str(tmp_path / "all")]).output
    )
    assert there.test_cli_runner().invoke(args=["transfer", "load", "--replace", str(tmp_path / "all")]).exit_code == 0
    assert values(target) == values(url)


VIEW = """
import sqlalchemy as sa

metadata = sa.MetaData()
box = sa.Table("storage_box", metadata, sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("owner_id", sa.ForeignKey("storage_owner.id")))
total = sa.Table("storage_total", metadata, sa.Column("id", sa.Integer, primary_key=True), info={"migrated": False})
owner = sa.Table("storage_owner", metadata, sa.Column("id", sa.Integer, primary_key=True), info={"migrated": False})
"""


def test_unmigrated_tables_are_not_carried(
    new_database: NewDatabase,
    make_app: Make,
    write_module: Callable[..., str],
    write_revision: Callable[[str], None],
    engine_name: str,
    tmp_path: Path,
) -> None:
    init = "from flask import Blueprint\nbp = Blueprint('storage', __name__)\n"
    name = write_module("storage", init=init, models=VIEW)
    made = (
        "CREATE TABLE storage_owner (id INTEGER PRIMARY KEY)",
        "INSERT INTO storage_owner VALUES (7)",
        "CREATE TABLE storage_box (id INTEGER PRIMARY KEY, owner_id INTEGER REFERENCES storage_owner (id))",
        "CREATE VIEW storage_total AS SELECT id FROM storage_box",
    )
    write_revision("; ".join(f"op.execute({statement!r})" for statement in made))
    urls = [new_database(engine_name), new_database(engine_name)]
    for url in urls:
        migrations.upgrade(url, installed_apps=[name])
        execute(url, idempotency_keys.create)
    execute(urls[0], lambda connection: connection.exec_driver_sql("INSERT INTO storage_box VALUES (1, 7)"))
    apps = [make_app(url, [name, "app.transfer"]) for url in urls]
    with apps[0].app_context():
        assert set(dump(apps[0], tmp_path / "dump").tables) == {"storage_box", idempotency_keys.name}
    with apps[1].app_context():
        load(apps[1], tmp_path / "dump")
    assert apps[1].test_cli_runner().invoke(args=["transfer", "sequences"]).exit_code == 0
    read = "SELECT id, owner_id FROM storage_box"
    assert execute(urls[1], lambda connection: connection.exec_driver_sql(read).all()) == [(1, 7)]


@pytest.mark.parametrize(
    "damage", ["cut", "changed", "gone", "manifest", "revision", "short", "object", "sequence", "counts"]
)
def test_damaged_dump_is_refused(
    damage: str, make_shipments: Callable[[str], tuple[Flask, URL]], tmp_path: Path
) -> None:
    app, url = make_shipments("sqlite")
    fill(url)
    dump(app, tmp_path / "dump")
    path, manifest = tmp_path / "dump" / "shipments_place.jsonl.gz", tmp_path / "dump" / "manifest.json"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    elif damage == "changed":
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"a1 ", b"a7 ", 1)))
    elif damage == "gone":
        path.unlink()
    elif damage == "manifest":
        manifest.write_text(manifest.read_text()[:-30])
    elif damage in ("short", "object"):
        path.write_bytes(gzip.compress({"short": b"[1]\n", "object": b'{"a":1}\n'}[damage]))
    elif damage in ("sequence", "counts"):
        lie = {"sequence": {"sequence": "1; x"}, "counts": {"rows": "5"}}[damage]
        seen = json.loads(manifest.read_text())
        seen["tables"]["shipments_place"] |= lie
        manifest.write_text(json.dumps(seen))
    else:
        manifest.write_text(manifest.read_text().replace('"one"', '"two"'))
    there, target = make_shipments("sqlite")
    with pytest.raises(TransferError, match=r"dump again|is of revision two"):
        load(there, tmp_path / "dump")

    assert values(target)["shipments_place"] == []


# --- broken off ---------------------------------------------------------------------------------

ROWS = 60_000


def start(url: URL, *words: str) -> subprocess.Popen[bytes]:
    address = url.render_as_string(hide_password=False)
    environ = {"PATH": os.environ["PATH"], "APP_ENV": "testing", "DATABASE_URL": address, "SECRET_KEY": "x" * 40}
    command = [sys.executable, "-m", "flask", "--app", "run", "transfer", *words]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(process: subprocess.Popen[bytes]) -> tuple[str, int]:
    """Return what it printed, and how many megabytes it had in memory."""
    most = 0
    while process.poll() is None:
        # Not by wait4: what a child begins with is this process's own, until it is another program.
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        most = int(found[1]) // 1024 if found else most
        time.sleep(0.02)
    printed = process.communicate()[0].decode()
    assert process.returncode == 0, printed
    return printed, most


def kill_when(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not reached():
        assert process.poll() is None, process.stdout and process.stdout.read().decode()
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_killed_load_resumes_in_constant_memory(new_database: NewDatabase, tmp_path: Path) -> None:
    url, target = new_database("postgresql"), new_database("mariadb")
    migrations.upgrade(url)
    migrations.upgrade(target)
    few = finish(start(url, "dump", str(tmp_path / "few")))[1]
    insert = (
        "INSERT INTO core_idempotency_key (id, fingerprint, expires_at) "
        f"SELECT 'k' || n, md5(n::text), now() FROM generate_series(1, {ROWS}) n"
    )
    execute(url, lambda connection: connection.exec_driver_sql(insert))
    folder = tmp_path / "dump"

    def checkpoint() -> dict[str, Any]:
        path = folder / "unfinished.json"
        state: dict[str, Any] = json.loads(path.read_text())["tables"]["core_idempotency_key"] if path.exists() else {}
        return state

    kill_when(start(url, "dump", str(folder)), lambda: checkpoint().get("rows", 0) > 0)
    begun = checkpoint()
    if begun:
        assert 0 < begun["rows"] < ROWS
        assert "holds no dump that is whole" in start(target, "load", str(folder)).communicate()[0].decode()
    kept = (folder / "core_idempotency_key.jsonl.gz").read_bytes()[: begun["size"]]
    printed, most = finish(start(url, "dump", str(folder)))

    assert "shows 2 moments" in printed
    assert (folder / "core_idempotency_key.jsonl.gz").read_bytes().startswith(kept)
    assert most < few + 30
    lines = gzip.decompress((folder / "core_idempotency_key.jsonl.gz").read_bytes()).splitlines()
    assert len({json.loads(line)[0] for line in lines}) == len(lines) == ROWS

    def loaded() -> int:
        asked = sa.select(sa.func.count()).select_from(idempotency_keys)
        return execute(target, lambda connection: connection.scalar(asked))

    kill_when(start(target, "load", "--replace", str(folder)), lambda: loaded() > 0)
    there = loaded()
    assert 0 < there < ROWS
    printed, most = finish(start(target, "load", str(folder)))
    assert "are those of the dump" in printed
    assert loaded() == ROWS
    assert most < few + 30
