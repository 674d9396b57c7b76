"""A column is renamed while two releases serve one database: docs/upgrading.md, step by step, under load."""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import URL
from sqlalchemy.pool import NullPool

from .conftest import environ
from .releases import Release
from .releases import Served

#: A module that keeps notes. What differs from release to release: the columns, which of them is read, and which
#: are written.
SHOP = '''
"""Notes: a text each."""

import sqlalchemy as sa
from flask import Blueprint
from flask import abort
from flask import request
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from core.access import PUBLIC
from core.access import access
from core.http.apis import mark_api
from services import db

bp = Blueprint("shop", __name__, url_prefix="/shop")
mark_api(bp)


class Note(db.Model):
    __tablename__ = "shop_note"
    id: Mapped[int] = mapped_column(primary_key=True)
{columns}


@bp.post("/")
@access(PUBLIC)
def create():
    note = Note()
    write(note)
    db.session.add(note)
    db.session.commit()
    return show(note)


@bp.route("/<int:key>", methods=["GET", "PUT"])
@access(PUBLIC)
def one(key):
    note = db.session.get(Note, key) or abort(404)
    if request.method == "PUT":
        write(note)
        db.session.commit()
    return show(note)


def write(note):
    for column in {written}:
        setattr(note, column, request.json["text"])


def show(note):
    return {{"id": note.id, "text": note.{read}}}


@bp.cli.command("backfill")
def backfill():
    last = 0
    note = Note.__table__.c
    with db.engine.connect().execution_options(isolation_level="READ COMMITTED") as connection:
        while ids := connection.scalars(sa.select(note.id).where(note.id > last).order_by(note.id).limit(50)).all():
            late = sa.update(Note.__table__).where(note.id.in_(ids), note.label.is_distinct_from(note.name))
            connection.execute(late.values(label=note.name))
            connection.commit()
            last = ids[-1]
    print("done")
'''

NAME = "    name: Mapped[str | None] = mapped_column(sa.String(80))"
OLD_NAME = "    name: Mapped[str] = mapped_column(sa.String(80))"
LABEL = "    label: Mapped[str | None] = mapped_column(sa.String(80))"

PACKAGES = [
    SHOP.format(columns=OLD_NAME, written=("name",), read="name"),
    SHOP.format(columns=f"{NAME}\n{LABEL}", written=("name", "label"), read="name"),
    SHOP.format(columns=f"{NAME}\n{LABEL}", written=("name", "label"), read="label"),
    SHOP.format(columns=LABEL, written=("label",), read="label"),
]

REVISION = """
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {down!r}
branch_labels = depends_on = None
{more}

def upgrade():
    {upgrade}


def downgrade():
    pass
"""

MAKE = "op.create_table('shop_note', sa.Column('id', sa.Integer, primary_key=True), {name})"
EXPAND = """with op.batch_alter_table('shop_note') as batch:
        batch.add_column(sa.Column('label', sa.String(80)))
        batch.alter_column('name', existing_type=sa.String(80), nullable=True)"""
CONTRACT = """with op.batch_alter_table('shop_note') as batch:
        batch.drop_column('name')"""


def revision(name: str, down: str | None, upgrade: str, more: str = "") -> dict[str, str]:
    return {name: REVISION.format(revision=name, down=down, upgrade=upgrade, more=more)}


MADE = revision("a", None, MAKE.format(name="sa.Column('name', sa.String(80), nullable=False)"))
EXPANDED = MADE | revision("b", "a", EXPAND)
CONTRACTED = EXPANDED | revision("c", "b", CONTRACT, "contracts = True")


@pytest.fixture
def releases(new_database: Callable[[str], URL], tmp_path: Path, engine_name: str) -> tuple[list[Release], URL]:
    url = new_database(engine_name)
    histories = [MADE, EXPANDED, EXPANDED, CONTRACTED]
    variables = environ(url, HEALTH_DATABASE_AHEAD="allow")
    made = [
        Release(tmp_path / f"release{number}", package, history, variables)
        for number, (package, history) in enumerate(zip(PACKAGES, histories, strict=True), start=1)
    ]
    return made, url


class Balancer:
    """Clients that write by one release and read by the next, on whichever serve."""

    def __init__(self, repeats: int) -> None:
        """Make the clients.

        :param repeats: how often a request that was answered with 503 is sent again
        """
        self.repeats = repeats
        self.served: tuple[Served, ...] = ()
        self.faults: list[Any] = []
        self.count = 0
        self.kept: dict[int, str] = {}
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(3)]

    def __enter__(self) -> "Balancer":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(60)
        for served in self.served:
            served.stop()

    def add(self, served: Served) -> None:
        self.served = (*self.served, served)
        self.go_on()

    def remove(self) -> None:
        """Take the oldest away, and end it once it is not asked any more."""
        oldest, *rest = self.served
        self.served = tuple(rest)
        self.go_on()
        oldest.stop()

    def go_on(self, requests: int = 60) -> None:
        """Wait until so many more requests are answered."""
        wanted, end = self.count + requests, time.monotonic() + 60
        while self.count < wanted and not self.faults:
            assert time.monotonic() < end, "the load does not go on"
            time.sleep(0.02)
        assert not self.faults, self.faults[:3]
        for served in self.served:
            assert ask(served, "GET", "/health/ready")[0] == 200, ask(served, "GET", "/health/ready")

    def _run(self, number: int) -> None:
        turn = itertools.count(number)
        while not self._ends.is_set():
            try:
                self._write_and_read(turn)
            except Exception as error:
                self.faults.append(error)
                return

    def _write_and_read(self, turn: Iterator[int]) -> None:
        text = f"text {next(turn)}"
        key = self._ask(turn, "POST", "/shop/", text)["id"]
        for change in ("", " changed", " changed again"):
            if change:
                self._ask(turn, "PUT", f"/shop/{key}", text + change)
            for _ in range(2):
                found = self._ask(turn, "GET", f"/shop/{key}")["text"]
                assert found == text + change, f"{found!r} was read after {text + change!r} was written"
        self.kept[key] = text + change

    def _ask(self, turn: Iterator[int], method: str, path: str, text: str | None = None) -> Any:
        served = self.served[next(turn) % len(self.served)]
        for repeat in range(self.repeats + 1):
            status, read = ask(served, method, path, text)
            if status != 503:
                break
            time.sleep(0.1 * repeat)
        assert status == 200, (method, path, status, read, served.log()[-2000:])
        self.count += 1
        return json.loads(read)


def ask(served: Served, method: str, path: str, text: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    try:
        body = None if text is None else json.dumps({"text": text})
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


# On MariaDB a request that has read a table and goes on to change it is in the way of an ALTER TABLE, which is in
# its way: the server ends the request's transaction (1213). On PostgreSQL such a request goes first.
@pytest.mark.parametrize(("engine_name", "repeats"), [("postgresql", 0), ("mariadb", 3)])
def test_column_rename_fails_no_request(releases: tuple[list[Release], URL], repeats: int) -> None:
    (first, second, third, fourth), url = releases
    first.run("prepare")
    balancer = Balancer(repeats)
    balancer.served = (first.serve(),)
    with balancer:
        balancer.go_on()
        # Two machines of the new release prepare at once, as those of a platform do.
        preparing = [second.begin("prepare") for _ in range(2)]
        said = [process.communicate(timeout=120)[0] for process in preparing]
        assert [process.returncode for process in preparing] == [0, 0], said
        balancer.go_on()
        balancer.add(second.serve())
        balancer.remove()
        assert "done" in second.run("shop", "backfill")
        balancer.add(third.serve())
        balancer.remove()
        assert "Held back: c." in fourth.run("prepare")
        balancer.add(fourth.serve())
        balancer.remove()
        fourth.run("prepare", "--contract")
        balancer.go_on()
    assert not balancer.faults, balancer.faults[:3]
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        assert {column["name"] for column in sa.inspect(connection).get_columns("shop_note")} == {"id", "label"}
        rows = {row.id: row.label for row in connection.execute(sa.text("SELECT id, label FROM shop_note"))}
    assert len(balancer.kept) > 20
    assert {key: rows.get(key) for key in balancer.kept} == balancer.kept
