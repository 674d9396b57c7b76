"""New members of enums, in revisions that are made on one engine and run on all."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.engine import URL

from tests.core.projects import Project
from tests.core.projects import execute

ENGINES = ("sqlite", "postgresql", "mariadb")

MODELS = """
import sqlalchemy as sa
from services import NAMING_CONVENTION
metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)
names = {members}
item = sa.Table(
    "LABEL_item", metadata, sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("native", sa.Enum(*names, name="LABEL_color"), nullable=False, server_default="red"),
    sa.Column("checked", sa.Enum(*names, name="checked", native_enum=False, create_constraint=True, length=20)),
    sa.Column("text", sa.Enum(*names, name="text", native_enum=False, length=20)),
)
other = sa.Table(
    "LABEL_other", metadata, sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("native", sa.Enum(*names, name="LABEL_color")),
)
"""


def models(*members: str) -> str:
    return MODELS.format(members=members)


def test_new_members_run_on_all(project: Project, new_database: Callable[[str], URL], engine_name: str) -> None:
    label = project.module("paint", models("red", "green"))
    urls = {name: new_database(name) for name in ENGINES}
    project.autogenerate(urls[engine_name], "first")
    for url in urls.values():
        command.upgrade(project.config(url), "head")
    project.rewrite(label, models("black", "red", "it's ultramarine", "green"))
    text = project.autogenerate(urls[engine_name], "second")
    assert "contracts" not in text
    for url in urls.values():
        for act, revision in (("upgrade", "head"), ("downgrade", "-1"), ("upgrade", "head")):
            getattr(command, act)(project.config(url), revision)
        command.check(project.config(url))
        for number, member in enumerate(("black", "it''s ultramarine", "green"), 1):
            values = f"(id, native, checked, text) VALUES ({number}, '{member}', '{member}', '{member}')"
            execute(url, f"INSERT INTO {label}_item {values}")
            execute(url, f"INSERT INTO {label}_other VALUES ({number}, '{member}')")
        with pytest.raises(sa.exc.DBAPIError):
            execute(url, f"INSERT INTO {label}_item (id, checked) VALUES (99, 'pink')")


def test_member_that_goes_is_named(
    project: Project, new_database: Callable[[str], URL], engine_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    label = project.module("paint", models("red", "green"))
    url = new_database(engine_name)
    project.autogenerate(url, "first")
    command.upgrade(project.config(url), "head")
    execute(url, f"INSERT INTO {label}_item (id, native, checked) VALUES (1, 'green', 'green')")
    project.rewrite(label, models("red", "lime"))
    project.autogenerate(url, "second")
    command.upgrade(project.config(url), "head")
    command.check(project.config(url))
    assert f"{label}_item.native: 'green' of the enum is in the database only" in caplog.text
    assert f"{label}_item.checked: 'green' of the enum is in the database only" in caplog.text
    execute(url, f"INSERT INTO {label}_item (id, native, checked) VALUES (2, 'lime', 'lime')")


def test_unnamed_enum_of_mariadb_grows(project: Project, new_database: Callable[[str], URL]) -> None:
    unnamed = models("red", "green").replace(', name="LABEL_color"', "")
    label = project.module("paint", unnamed)
    url = new_database("mariadb")
    project.autogenerate(url, "first")
    command.upgrade(project.config(url), "head")
    project.rewrite(label, unnamed.replace("'green'", "'green', 'blue'"))
    project.autogenerate(url, "second")
    command.upgrade(project.config(url), "head")
    command.check(project.config(url))
    execute(url, f"INSERT INTO {label}_other VALUES (1, 'blue')")
