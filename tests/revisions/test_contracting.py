"""Warnings of autogenerate about changes that earlier code does not survive."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.engine import URL

from app.revisions.contracting import is_wider
from core import migrations
from tests.core.projects import Project
from tests.core.projects import connected
from tests.core.projects import execute

MODELS = """
import sqlalchemy as sa
from services import NAMING_CONVENTION
metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)
item = sa.Table("LABEL_{table}", metadata, sa.Column("id", sa.Integer, primary_key=True), {columns})
"""
BASE = 'sa.Column("name", sa.String(20)), sa.Column("price", sa.Integer, nullable=False, server_default="0")'


def models(columns: str = BASE, table: str = "item") -> str:
    return MODELS.format(columns=columns, table=table)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (BASE.partition(", sa.Column")[0], "LABEL_item.price goes"),
        (BASE.replace("String(20)", "String(9)"), "LABEL_item.name gets another or a narrower type"),
        (BASE.replace("sa.Integer", "sa.SmallInteger"), "LABEL_item.price gets another or a narrower type"),
        (BASE.replace("sa.Integer, null", "sa.String(9), null"), "LABEL_item.price gets another or a narrower type"),
        (BASE.replace("(20)", "(20), nullable=False"), "LABEL_item.name may not be NULL any more"),
        (BASE.replace(', server_default="0"', ""), "LABEL_item.price has no server default any more"),
        (BASE.replace("(20)", "(20), unique=True"), "name of LABEL_item becomes unique"),
    ],
)
def test_contracting_change_is_marked(
    project: Project,
    new_database: Callable[[str], URL],
    caplog: pytest.LogCaptureFixture,
    columns: str,
    reason: str,
    engine_name: str,
) -> None:
    label = project.module("shop", models())
    url = new_database(engine_name)
    assert "contracts" not in project.autogenerate(url, "first")
    command.upgrade(project.config(url), "head")
    project.rewrite(label, models(columns))
    text = project.autogenerate(url, "second")
    assert "\ncontracts = True\n" in text
    assert reason.replace("LABEL", label) in caplog.text
    assert migrations.upgrade(url, installed_apps=project.installed, contract=False)
    command.upgrade(project.config(url), "head")
    command.check(project.config(url))


@pytest.mark.parametrize(
    "columns",
    [
        BASE + ', sa.Column("note", sa.String(9), unique=True)',
        BASE.replace("String(20)", "String(40)").replace("sa.Integer, nullable=False", "sa.BigInteger"),
        BASE.replace("(20)", "(20), index=True"),
        BASE.replace("sa.String(20)", "sa.Text"),
    ],
)
def test_expanding_change_is_not_marked(
    project: Project, new_database: Callable[[str], URL], engine_name: str, columns: str
) -> None:
    label = project.module("shop", models())
    url = new_database(engine_name)
    project.autogenerate(url, "first")
    command.upgrade(project.config(url), "head")
    project.rewrite(label, models(columns))
    assert "contracts" not in project.autogenerate(url, "second")


@pytest.mark.parametrize(
    "index", ['sa.Index("ix_LABEL", sa.text("lower(name)"), unique=True)', 'sa.Index("ix_LABEL", "name", unique=True)']
)
def test_unique_index_of_new_table(project: Project, new_database: Callable[[str], URL], index: str) -> None:
    project.module("shop", models(f"{BASE}, {index}"))
    assert "contracts" not in project.autogenerate(new_database("sqlite"), "first")


def test_table_info_stays_out(project: Project, new_database: Callable[[str], URL]) -> None:
    project.module("shop", models(BASE + ', info={"owner": object()}'))
    text = project.autogenerate(new_database("sqlite"), "first")
    assert "info=" not in text


def test_dropped_table_is_marked(project: Project, new_database: Callable[[str], URL]) -> None:
    label = project.module("shop", models())
    url = new_database("sqlite")
    project.autogenerate(url, "first")
    command.upgrade(project.config(url), "head")
    project.rewrite(label, models('sa.Column("other", sa.Date)', "thing"))
    text = project.autogenerate(url, "second")
    assert "\ncontracts = True\n" in text
    assert "rename_table" not in text


def test_renamed_column_is_named(
    project: Project, new_database: Callable[[str], URL], engine_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    label = project.module("shop", models())
    url = new_database(engine_name)
    project.autogenerate(url, "first")
    command.upgrade(project.config(url), "head")
    project.rewrite(label, models(BASE.replace('"name", sa.String(20)', '"label", sa.String(20)')))
    text = project.autogenerate(url, "second")
    assert "\ncontracts = True\n" in text
    assert f"The column {label}_item.name is dropped, and label is added: what is in it is lost." in caplog.text
    assert f"first one with {label}_item.label" in caplog.text
    rename = "batch_op.alter_column('name', new_column_name='label', existing_type=sa.String(length=20), nullable=True)"
    assert f"        # {rename}\n" in text
    # The line works: it is what the comment says to write.
    kept = [
        line
        for line in text.splitlines()
        if "add_column(sa.Column('label'" not in line and "drop_column('name')" not in line
    ]
    (path,) = [path for path in project.written() if "second" in path.name]
    path.write_text("\n".join(kept).replace(f"# {rename}", rename, 1).partition("def downgrade")[0])
    execute(url, f"INSERT INTO {label}_item (name) VALUES ('kept')")
    command.upgrade(project.config(url), "head")
    command.check(project.config(url))
    with connected(url) as connection:
        assert connection.scalar(sa.text(f"SELECT label FROM {label}_item")) == "kept"


def test_renamed_table_is_named(
    project: Project, new_database: Callable[[str], URL], caplog: pytest.LogCaptureFixture
) -> None:
    label = project.module("shop", models())
    url = new_database("sqlite")
    project.autogenerate(url, "first")
    command.upgrade(project.config(url), "head")
    project.rewrite(label, models(table="thing"))
    text = project.autogenerate(url, "second")
    assert "\ncontracts = True\n" in text
    assert f"    # op.rename_table('{label}_item', '{label}_thing')\n" in text
    assert f"The table {label}_item is dropped, and {label}_thing is added" in caplog.text


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (sa.Numeric(8, 2), sa.Numeric(10, 2), True),
        (sa.Numeric(8, 2), sa.Numeric(8, 4), False),
        (sa.Numeric(8, 2), sa.Numeric(), True),
        (sa.Numeric(), sa.Numeric(8, 2), False),
        (sa.Text(), sa.String(80), False),
        (sa.String(80), sa.Text(), True),
        (sa.SmallInteger(), sa.BigInteger(), True),
        (sa.BigInteger(), sa.Integer(), False),
        (sa.Float(53), sa.Float(24), False),
        (sa.Enum("a", "b"), sa.Enum("a", "b", "c"), True),
        (sa.Enum("a", "b"), sa.Enum("a"), False),
        (sa.Date(), sa.DateTime(), False),
    ],
)
def test_width_of_types(old: sa.types.TypeEngine[object], new: sa.types.TypeEngine[object], expected: bool) -> None:
    assert is_wider(old, new) is expected
