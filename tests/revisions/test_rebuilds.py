"""A table that is rebuilt on SQLite keeps what it had, or the revision is refused."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy.engine import URL

from core import migrations
from tests.core.projects import Project
from tests.core.projects import connected
from tests.core.projects import execute

SCHEMA = (
    "CREATE TABLE maker (id INTEGER PRIMARY KEY, name TEXT)",
    """CREATE TABLE part (
        id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
        maker_id INTEGER REFERENCES maker (id) ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED,
        name VARCHAR(40) COLLATE NOCASE NOT NULL ON CONFLICT IGNORE,
        code TEXT DEFAULT ('a,b' || ')') CONSTRAINT short CHECK (length(code) < 40),
        price NUMERIC(8, 2) DEFAULT 1.5, "odd ""name" MONEY DEFAULT NULL,
        gross NUMERIC(8, 2) GENERATED ALWAYS AS (price * 2) STORED, net REAL AS (price / 2) /* a, comment */,
        UNIQUE (name, maker_id) ON CONFLICT REPLACE, CHECK (price >= 0), CONSTRAINT named CHECK (name <> '')
    )""",
    "CREATE UNIQUE INDEX part_lower ON part (lower(name), price DESC)",
    "CREATE INDEX part_cheap ON part (price) WHERE price < 10",
    "CREATE INDEX part_sorted ON part (code COLLATE NOCASE DESC)",
    "CREATE TABLE log (part_id INTEGER REFERENCES part (id) ON DELETE SET NULL, what TEXT)",
    "CREATE TRIGGER part_added AFTER INSERT ON part BEGIN INSERT INTO log VALUES (new.id, new.name); END",
    "CREATE TRIGGER log_added AFTER INSERT ON log BEGIN UPDATE part SET code = 'seen' WHERE id = new.part_id; END",
    "CREATE VIEW cheap AS SELECT name, gross FROM part WHERE price < 10",
    "CREATE VIEW cheapest AS SELECT name FROM cheap",
    "CREATE TABLE pair (a TEXT, b TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID, STRICT",
    "CREATE TABLE plain (name TEXT)",
)
ROWS = (
    "INSERT INTO maker VALUES (1, 'Acme')",
    "INSERT INTO part (id, maker_id, name, price) VALUES (5, 1, 'Bolt', 2), (9, 1, 'Nut', 30), (12, NULL, 'Rod', 4)",
    "DELETE FROM log WHERE part_id = 12",
    "DELETE FROM part WHERE id = 12",
    "INSERT INTO pair VALUES ('x', 'y')",
    "INSERT INTO plain (rowid, name) VALUES (7, 'seven'), (3, 'three')",
)


@pytest.fixture
def url(project: Project, new_database: Callable[[str], URL]) -> URL:
    """Return a database with all that SQLite has for a table; the next revision is ``two``."""
    url = new_database("sqlite")
    project.revision("one", "; ".join(f"op.execute({statement!r})" for statement in (*SCHEMA, *ROWS)))
    migrations.upgrade(url, installed_apps=project.installed)
    return url


def catalogue(url: URL) -> dict[str, str]:
    with connected(url) as connection:
        rows = connection.execute(sa.text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
    return {name: " ".join(text.split()) for name, text in rows}


def rows(url: URL, query: str) -> list[tuple[object, ...]]:
    with connected(url) as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def alter(project: Project, url: URL, table: str, *steps: str, arguments: str = "") -> None:
    body = "\n        ".join(steps)
    project.revision("two", f"with op.batch_alter_table({table!r}{arguments}) as batch_op:\n        {body}", down="one")
    migrations.upgrade(url, installed_apps=project.installed)


def test_rebuild_keeps_all_that_was_there(project: Project, url: URL) -> None:
    before = catalogue(url)
    data = rows(url, "SELECT id, maker_id, name, code, price, gross, net FROM part")
    alter(
        project,
        url,
        "part",
        "batch_op.alter_column('price', existing_type=sa.Numeric(8, 2), type_=sa.Numeric(10, 2), nullable=False)",
    )
    after = catalogue(url)
    assert {name: text for name, text in after.items() if before[name] != text}.keys() == {"part"}
    expected = before["part"].replace("price NUMERIC(8, 2) DEFAULT 1.5", "price NUMERIC(10, 2) DEFAULT 1.5 NOT NULL")
    for piece in expected.partition("(")[2].split(","):
        assert " ".join(piece.split()).strip(" )") in after["part"]
    assert rows(url, "SELECT id, maker_id, name, code, price, gross, net FROM part") == data
    assert rows(url, "SELECT seq FROM sqlite_sequence") == [(12,)]
    execute(url, "INSERT INTO part (name, price) VALUES ('Pin', 1)")
    assert rows(url, "SELECT id, code FROM part WHERE name = 'PIN'") == [(13, "seen")]
    assert rows(url, "SELECT name FROM cheapest ORDER BY name") == [("Bolt",), ("Pin",)]
    assert (13, "Pin") in rows(url, "SELECT part_id, what FROM log")


def test_rebuild_adds_and_drops(project: Project, url: URL) -> None:
    alter(
        project,
        url,
        "part",
        "batch_op.add_column(sa.Column('colour', sa.String(9), server_default='red', nullable=False))",
        "batch_op.add_column(sa.Column('first', sa.Integer), insert_before='id')",
        "batch_op.drop_column('odd \"name')",
        "batch_op.drop_constraint(op.f('named'), type_='check')",
        "batch_op.drop_constraint(op.f('short'), type_='check')",
        "batch_op.create_check_constraint(op.f('new_check'), 'price < 1000')",
        "batch_op.create_unique_constraint('new_unique', ['code', 'price'])",
        "batch_op.create_foreign_key('new_key', 'maker', ['first'], ['id'], ondelete='CASCADE')",
        "batch_op.drop_index('part_lower')",
        "batch_op.create_index('part_upper', [sa.text('upper(name)')], unique=True)",
        arguments=", recreate='always'",
    )
    text = catalogue(url)
    assert "part_lower" not in text
    assert text["part_upper"] == "CREATE UNIQUE INDEX part_upper ON part (upper(name))"
    assert text["part"].startswith('CREATE TABLE "part" ( first INTEGER, id INTEGER PRIMARY KEY AUTOINCREMENT')
    for piece in ("CONSTRAINT named", "CONSTRAINT short", "odd"):
        assert piece not in text["part"]
    for piece in (
        "colour VARCHAR(9) DEFAULT 'red' NOT NULL",
        "CONSTRAINT new_check CHECK (price < 1000)",
        "CONSTRAINT new_unique UNIQUE (code, price)",
        "CONSTRAINT new_key FOREIGN KEY(first) REFERENCES maker (id) ON DELETE CASCADE",
        "CHECK (price >= 0)",
    ):
        assert piece in text["part"]
    assert rows(url, "SELECT id, colour FROM part ORDER BY id") == [(5, "red"), (9, "red")]


def test_renamed_column_is_followed_everywhere(project: Project, url: URL) -> None:
    execute(url, "DROP VIEW cheapest")
    alter(
        project,
        url,
        "part",
        "batch_op.alter_column('name', new_column_name='label', existing_type=sa.String(40), type_=sa.String(80))",
    )
    text = catalogue(url)
    assert "label VARCHAR(80) COLLATE NOCASE" in text["part"].replace('"', "")
    assert 'lower("label")' in text["part_lower"]
    assert 'new."label"' in text["part_added"]
    assert rows(url, "SELECT label FROM cheap") == [("Bolt",)]


def test_rename_under_view_is_refused(project: Project, url: URL) -> None:
    before = catalogue(url)
    with pytest.raises(CommandError, match="cannot be renamed: error in view cheapest after rename"):
        alter(project, url, "part", "batch_op.alter_column('name', new_column_name='label')")
    assert catalogue(url) == before


def test_options_and_rowids_are_kept(project: Project, url: URL) -> None:
    project.revision(
        "two",
        "\n    ".join(
            f"with op.batch_alter_table({table!r}, recreate='always') as batch_op:\n"
            f"        batch_op.add_column(sa.Column('more', sa.Text, server_default='x'))"
            for table in ("pair", "plain")
        ),
        down="one",
    )
    migrations.upgrade(url, installed_apps=project.installed)
    assert catalogue(url)["pair"].endswith("WITHOUT ROWID, STRICT")
    assert rows(url, "SELECT * FROM pair") == [("x", "y", "x")]
    assert rows(url, "SELECT rowid, name FROM plain ORDER BY rowid") == [(3, "three"), (7, "seven")]


def test_autoincrement_can_be_added(project: Project, url: URL) -> None:
    alter(project, url, "maker", "pass", arguments=", recreate='always', table_kwargs={'sqlite_autoincrement': True}")
    execute(url, "DELETE FROM maker")
    execute(url, "INSERT INTO maker (name) VALUES ('New')")
    assert rows(url, "SELECT id FROM maker") == [(2,)]


@pytest.mark.parametrize(
    ("column", "named"),
    [("price", "index 'part_lower'"), ("code", "index 'part_sorted'"), ("name", "index 'part_lower'")],
)
def test_what_cannot_be_carried_is_refused(project: Project, url: URL, column: str, named: str) -> None:
    before, data = catalogue(url), rows(url, "SELECT * FROM part")
    steps = ["batch_op.drop_column('gross')", "batch_op.drop_column('net')"] if column == "price" else []
    checks = ["batch_op.drop_constraint(op.f('named'), type_='check')"] if column == "name" else []
    with pytest.raises(CommandError, match=f"cannot be rebuilt: its {named} cannot be made again: no such column"):
        alter(project, url, "part", *steps, *checks, f"batch_op.drop_column({column!r})")
    assert catalogue(url) == before
    assert rows(url, "SELECT * FROM part") == data


@pytest.mark.parametrize(
    ("column", "named"), [("gross", "the view 'cheap' .*no such column: gross"), ("code", "log_added")]
)
def test_broken_view_is_named(project: Project, url: URL, column: str, named: str) -> None:
    before = catalogue(url)
    steps = ["batch_op.drop_index('part_sorted')"] if column == "code" else []
    with pytest.raises(CommandError, match=named):
        alter(project, url, "part", *steps, f"batch_op.drop_column({column!r})")
    assert catalogue(url) == before


def test_failed_rebuild_changes_nothing(project: Project, url: URL) -> None:
    before = catalogue(url)
    with pytest.raises(sa.exc.IntegrityError):
        alter(
            project,
            url,
            "part",
            "batch_op.alter_column('maker_id', nullable=False)",
            "batch_op.create_check_constraint('c', 'price < 3')",
        )
    assert catalogue(url) == before
    assert rows(url, "SELECT seq FROM sqlite_sequence") == [(12,)]


def test_values_are_kept_by_another_type(project: Project, url: URL) -> None:
    """Alembic's CAST makes 2024 of a date."""
    execute(url, "UPDATE part SET code = '2024-05-06' WHERE id = 5")
    alter(project, url, "part", "batch_op.alter_column('code', existing_type=sa.Text(), type_=sa.Date())")
    assert rows(url, "SELECT code FROM part ORDER BY id") == [("2024-05-06",), ("seen",)]


def test_unnamed_constraints_are_found(project: Project, url: URL) -> None:
    convention = {"uq": "uq_%(table_name)s_%(column_0_N_name)s", "fk": "fk_%(column_0_name)s_%(referred_table_name)s"}
    alter(
        project,
        url,
        "part",
        "batch_op.drop_constraint('uq_part_name_maker_id', type_='unique')",
        "batch_op.drop_constraint('fk_maker_id_maker', type_='foreignkey')",
        arguments=f", naming_convention={convention!r}",
    )
    text = catalogue(url)["part"]
    assert "UNIQUE" not in text
    assert "REFERENCES" not in text
    assert "CHECK (price >= 0)" in text


def test_unknown_names_are_refused(project: Project, url: URL) -> None:
    with pytest.raises(ValueError, match="No such constraint: 'nothing'"):
        alter(project, url, "part", "batch_op.drop_constraint('nothing', type_='unique')")
    project.revision("two", "pass", down="one")


def test_etag_of_deleted_row_is_unique(project: Project, new_database: Callable[[str], URL]) -> None:
    """By autogenerate alone, as a module's author works."""
    models = """
import sqlalchemy as sa
metadata = sa.MetaData()
item = sa.Table("LABEL_item", metadata, sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String({length}), nullable=False), sqlite_autoincrement=True)
"""
    url = new_database("sqlite")
    label = project.module("shop", models.format(length=20))
    project.autogenerate(url, "first")
    migrations.upgrade(url, installed_apps=project.installed)
    execute(url, f"INSERT INTO {label}_item (name) VALUES ('a'), ('b')")
    execute(url, f"DELETE FROM {label}_item WHERE name = 'b'")
    project.rewrite(label, models.format(length=40))
    project.autogenerate(url, "second")
    migrations.upgrade(url, installed_apps=project.installed)
    execute(url, f"INSERT INTO {label}_item (name) VALUES ('c')")
    assert rows(url, f"SELECT id, name FROM {label}_item") == [(1, "a"), (3, "c")]
