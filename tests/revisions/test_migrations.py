"""Revisions that are made on one engine and run on all, and what autogenerate names."""

import sys

import sqlalchemy as sa
from alembic import command

from tests.core.projects import connected
from tests.core.projects import execute
from tests.core.projects import tables

ENGINES = ("sqlite", "postgresql", "mariadb")

OWN_BASE = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Item(Base):
    __tablename__ = "{label}_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(50))
"""


EVERY_TYPE = """
import enum
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from core.data.models import Money, Timestamped, UtcDateTime, Versioned
from services import NAMING_CONVENTION

class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)

class Color(enum.Enum):
    RED = "red"
    GREEN = "green"

class Maker(Base):
    __tablename__ = "LABEL_maker"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(50), unique=True)

class Paint(Base):
    __tablename__ = "LABEL_paint"
    id: Mapped[int] = mapped_column(primary_key=True)
    color = mapped_column(sa.Enum(Color, name="LABEL_color"))

class Thing(Timestamped, Versioned, Base):
    __tablename__ = "LABEL_thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    maker_id = mapped_column(sa.ForeignKey("LABEL_maker.id", ondelete="CASCADE"), index=True)
    string = mapped_column(sa.String(80), server_default="it's")
    empty = mapped_column(sa.String(80), server_default="")
    unicode_ = mapped_column(sa.Unicode(80))
    text = mapped_column(sa.Text)
    integer = mapped_column(sa.Integer, server_default="7")
    integer_text = mapped_column(sa.Integer, server_default=sa.text("12"))
    big = mapped_column(sa.BigInteger, server_default="0")
    small = mapped_column(sa.SmallInteger)
    boolean: Mapped[bool]
    yes = mapped_column(sa.Boolean, server_default=sa.true())
    no = mapped_column(sa.Boolean, server_default=sa.false())
    no_as_text = mapped_column(sa.Boolean, server_default="0")
    exact = mapped_column(sa.Numeric(10, 4), server_default="1.5")
    bare = mapped_column(sa.Numeric)
    money = mapped_column(Money, server_default="0")
    more_money = mapped_column(Money(15, 4))
    real = mapped_column(sa.Float)
    precise = mapped_column(sa.Float(53))
    double = mapped_column(sa.Double, server_default="2.5")
    day = mapped_column(sa.Date, server_default=sa.text("'2024-01-01'"))
    hour = mapped_column(sa.Time)
    naive = mapped_column(sa.DateTime)
    aware = mapped_column(sa.DateTime(timezone=True), server_default=sa.func.now())
    moment = mapped_column(UtcDateTime, server_default=sa.func.now())
    current = mapped_column(sa.DateTime, server_default=sa.func.current_timestamp())
    interval = mapped_column(sa.Interval)
    color = mapped_column(sa.Enum(Color, name="LABEL_color"), server_default="RED")
    color_text = mapped_column(sa.Enum(Color, name="LABEL_color_text", native_enum=False))
    color_checked = mapped_column(sa.Enum(Color, name="color_checked", native_enum=False, create_constraint=True))
    uid = mapped_column(sa.Uuid, unique=True)
    data = mapped_column(sa.JSON, server_default="{}")
    blob = mapped_column(sa.LargeBinary)
    pickled = mapped_column(sa.PickleType)
    explained = mapped_column(sa.Integer, comment="how many")
    __table_args__ = (sa.CheckConstraint("big >= 0", name="big"), sa.Index("ix_LABEL_two", "string", "integer"))
"""


def test_revision_from_one_engine_runs_everywhere(project, new_database, engine_name):
    project.module("every", EVERY_TYPE)
    text = project.autogenerate(new_database(engine_name))
    assert "import core" not in text
    assert "from core" not in text
    for other in ENGINES:
        url = new_database(other)
        command.upgrade(project.config(url), "head")
        command.check(project.config(url))
        command.downgrade(project.config(url), "base")
        assert tables(url) == set()
        command.upgrade(project.config(url), "head")
        command.check(project.config(url))


def test_revision_clean_on_mariadb_url(project, new_database):
    project.module("every", EVERY_TYPE)
    url = new_database("mariadb").set(drivername="mariadb+pymysql")
    project.autogenerate(url)
    command.upgrade(project.config(url), "head")
    command.check(project.config(url))


ALTERED = """
import sqlalchemy as sa
metadata = sa.MetaData()
item = sa.Table(
    "LABEL_item", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("state", sa.String({length}), nullable={nullable}, server_default={default!r}),
    sa.Column("is_open", sa.Boolean, nullable={nullable}, server_default=sa.true()),
    sa.Column("seen_at", sa.DateTime(timezone=True), nullable={nullable}, server_default=sa.func.now()),
    {more}
)
"""


def test_alteration_from_one_engine_runs_everywhere(project, new_database, engine_name):
    label = project.module("alter", ALTERED.format(length=20, nullable=True, default="new", more=""))
    urls = {name: new_database(name) for name in ENGINES}
    project.autogenerate(urls[engine_name], "first")
    for url in urls.values():
        command.upgrade(project.config(url), "head")
    more = 'sa.Column("size", sa.Enum("S", "L", name="LABEL_size")), sa.Column("cost", sa.Numeric(8, 2), index=True)'
    for name in (label, f"{label}.models"):
        del sys.modules[name]
    project.module("alter", ALTERED.format(length=40, nullable=False, default="fresh", more=more))
    project.autogenerate(urls[engine_name], "second")
    for url in urls.values():
        for act, revision in (("upgrade", "head"), ("downgrade", "-1"), ("upgrade", "head")):
            getattr(command, act)(project.config(url), revision)
        command.check(project.config(url))


GENERATED = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from services import NAMING_CONVENTION

class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)

class Line(Base):
    __tablename__ = "LABEL_line"
    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    price: Mapped[int]
    pieces: Mapped[int] = mapped_column(sa.SmallInteger)
    cost = mapped_column(sa.Numeric(8, 2), server_default="0")
    name: Mapped[str] = mapped_column(sa.String(50), server_default=sa.FetchedValue())
    note = mapped_column(sa.String(50), server_onupdate=sa.FetchedValue())
    total: Mapped[int] = mapped_column(sa.Computed("{total}"))
    twice: Mapped[int] = mapped_column(sa.BigInteger, sa.Computed("price * 2", persisted=True), index=True)
    thrice: Mapped[int] = mapped_column(sa.Computed("price * 3", persisted={persisted}), nullable=False)
    mixed = mapped_column(sa.Numeric(10, 2), sa.Computed("cost * pieces + 1.5", persisted=True))
    small = mapped_column(sa.String(80), sa.Computed("lower(name)", persisted=True))
    {more}
"""


def test_generated_columns_run_on_all(project, new_database, engine_name, caplog):
    models = GENERATED.replace("{total}", "price * pieces").replace("{persisted}", "False")
    label = project.module("gen", models.replace("{more}", ""))
    urls = {name: new_database(name) for name in ENGINES}
    project.autogenerate(urls[engine_name], "first")
    for url in urls.values():
        command.upgrade(project.config(url), "head")
        command.check(project.config(url))
    more = (
        'fourth: Mapped[int] = mapped_column(sa.Computed("price * 4"))\n    other: Mapped[str | None] = mapped_column()'
    )
    project.rewrite(label, models.replace("{more}", more.replace("column()", "column(sa.String(9))")))
    project.autogenerate(urls[engine_name], "second")
    for url in urls.values():
        execute(url, f"INSERT INTO {label}_line (price, pieces, name) VALUES (3, 4, 'Box')")
        for act, revision in (("upgrade", "head"), ("downgrade", "-1"), ("upgrade", "head")):
            getattr(command, act)(project.config(url), revision)
        command.check(project.config(url))
        with connected(url) as connection:
            found = connection.execute(sa.text(f"SELECT total, twice, thrice, small, fourth FROM {label}_line")).one()
        assert tuple(found) == (12, 6, 9, "box", 12)
        command.downgrade(project.config(url), "base")
        assert tables(url) == set()
    assert "differs" not in caplog.text


def test_changed_expression_is_named(project, new_database, engine_name, caplog):
    models = GENERATED.replace("{more}", "").replace("{persisted}", "True")
    label = project.module("gen", models.replace("{total}", "price * pieces"))
    url = new_database(engine_name)
    project.autogenerate(url, "first")
    command.upgrade(project.config(url), "head")
    project.rewrite(label, models.replace("{total}", "price + pieces").replace("sa.BigInteger, ", "sa.String(9), "))
    command.check(project.config(url))
    assert f"The generated column {label}_line.total differs: the database has" in caplog.text
    assert f"The generated column {label}_line.twice differs: it is BIGINT" in caplog.text
    assert "batch_op.drop_column('total')" in caplog.text


def test_source_of_generated_column_is_named(project, new_database, caplog):
    models = GENERATED.replace("{more}", "").replace("{persisted}", "True").replace("{total}", "price + pieces")
    label = project.module("gen", models)
    url = new_database("sqlite")
    project.autogenerate(url, "first")
    command.upgrade(project.config(url), "head")
    project.rewrite(
        label,
        models.replace(
            "name: Mapped[str] = mapped_column(sa.String(50)", "name: Mapped[str] = mapped_column(sa.String(60)"
        ),
    )
    project.autogenerate(url, "second")
    assert f"The type of {label}_line.name changes, and the generated column small reads it" in caplog.text
    assert "the generated column total" not in caplog.text


def test_identity_of_a_serial_is_named(project, new_database, caplog):
    models = GENERATED.replace("{more}", "").replace("{persisted}", "True").replace("{total}", "price")
    label = project.module("gen", models.replace("sa.Identity(), ", ""))
    url = new_database("postgresql")
    project.autogenerate(url, "first")
    command.upgrade(project.config(url), "head")
    project.rewrite(label, models)
    command.check(project.config(url))
    assert f"{label}_line.id is an IDENTITY in the model only" in caplog.text


def test_key_of_identity_can_be_widened(project, new_database, engine_name):
    models = GENERATED.replace("{more}", "").replace("{persisted}", "True").replace("{total}", "price")
    label = project.module("gen", models)
    urls = {name: new_database(name) for name in ENGINES}
    project.autogenerate(urls[engine_name], "first")
    for url in urls.values():
        command.upgrade(project.config(url), "head")
    project.rewrite(label, models.replace("sa.Identity(), ", "sa.BigInteger, sa.Identity(), "))
    project.autogenerate(urls[engine_name], "second")
    for url in urls.values():
        command.upgrade(project.config(url), "head")
        if url.get_backend_name() != "sqlite":  # which numbers an INTEGER only
            execute(url, f"INSERT INTO {label}_line (price, pieces, name) VALUES (3, 4, 'Box')")
        command.check(project.config(url))


def test_default_of_a_sequence_compares(project, new_database):
    models = ALTERED.replace("server_default={default!r}", "server_default={default}")
    default = 'sa.Sequence("LABEL_numbers").next_value()'
    label = project.module("seq", models.format(length=20, nullable=True, default=default, more=""))
    url = new_database("postgresql")
    execute(url, f"CREATE SEQUENCE {label}_numbers")
    text = project.autogenerate(url, "first")
    assert "nextval" in text
    command.upgrade(project.config(url), "head")
    command.check(project.config(url))


def test_columns_that_will_fail_are_named(project, new_database, caplog):
    label = project.module("shop", OWN_BASE)
    url = new_database("sqlite")
    project.autogenerate(url)
    command.upgrade(project.config(url), "head")
    assert "needs" not in caplog.text
    project.module("shop", OWN_BASE + "    size: Mapped[int]\n    note = mapped_column(sa.String)\n")
    sys.modules.pop(label), sys.modules.pop(f"{label}.models")
    project.autogenerate(url, "more")
    assert f"{label}_item.size may not be NULL and has no server_default" in caplog.text
    assert f"{label}_item.note is a String without a length" in caplog.text


VIEW = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Item(Base):
    __tablename__ = "LABEL_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String({length}))

class Total(Base):
    __tablename__ = "LABEL_total"
    {arguments}
    name: Mapped[str] = mapped_column(sa.String(50), primary_key=True, index=True)
    pieces: Mapped[int]

elsewhere = sa.MetaData(info={{"migrated": False}})
legacy = sa.Table("LABEL_legacy", elsewhere, sa.Column("id", sa.Integer, primary_key=True))
"""


NOT_OURS = '__table_args__ = {"info": {"is_view": True}}'


def test_view_is_left_alone(project, new_database, engine_name, caplog):
    label = project.module("sums", VIEW.format(length=20, arguments=NOT_OURS))
    url = new_database(engine_name)
    text = project.autogenerate(url)
    assert f"{label}_total" not in text
    assert f"{label}_legacy" not in text
    (path,) = project.written()
    query = f"SELECT name, count(*) AS pieces FROM {label}_item GROUP BY name"
    made = "materialized view" if engine_name == "postgresql" else "view"
    text = text.replace("    # ### end", f"    op.execute('CREATE {made} {label}_total AS {query}')\n    # ### end", 1)
    drop = f"op.execute('DROP {made} {label}_total')"
    text = text.replace("def downgrade() -> None:", f"def downgrade() -> None:\n    {drop}")
    path.write_text(text)
    for act, revision in (("upgrade", "head"), ("downgrade", "base"), ("upgrade", "head")):
        getattr(command, act)(project.config(url), revision)
    command.check(project.config(url))
    # A table of another system, with columns that this application does not know.
    execute(url, f"CREATE TABLE {label}_legacy (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL)")
    command.check(project.config(url))
    if engine_name != "postgresql":  # which alters no column that a view reads
        project.rewrite(label, VIEW.format(length=40, arguments=NOT_OURS))
        text = project.autogenerate(url)
        assert f"{label}_total" not in text
        command.upgrade(project.config(url), "head")
        execute(url, f"INSERT INTO {label}_item (name) VALUES ('a'), ('a')")
        with connected(url) as connection:
            assert connection.execute(sa.text(f"SELECT * FROM {label}_total")).all() == [("a", 2)]
    assert "is a view" not in caplog.text


def test_undeclared_view_is_named(project, new_database, engine_name, caplog):
    label = project.module("sums", VIEW.format(length=20, arguments=""))
    url = new_database(engine_name)
    project.revision("one", f"op.execute('CREATE VIEW {label}_total AS SELECT 1 AS name, 2 AS pieces')")
    command.upgrade(project.config(url), "head")
    assert f"{label}_total" not in project.autogenerate(url)
    assert f"{label}_total is a view or a foreign table in the database, and is left alone" in caplog.text
    assert '__table_args__ = {"info": {"is_view": True}}' in caplog.text
