"""Indexes over expressions, in revisions that are made on one engine and run on all."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.engine import URL

from tests.core.projects import Project
from tests.core.projects import connected
from tests.core.projects import execute

ENGINES = ("sqlite", "postgresql", "mariadb")

MODELS = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Item(Base):
    __tablename__ = "LABEL_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String({length}))
    price: Mapped[int | None]

{indexes}
"""
LOWER = 'sa.Index("ix_LABEL_lower", sa.func.lower(Item.name), unique=True)'
PLAIN = 'sa.Index("ix_LABEL_down", Item.price.desc(), Item.name)'
SUM = 'sa.Index("ix_LABEL_sum", sa.func.coalesce(Item.price, 0) + 1, Item.name)'
UPPER = LOWER.replace("lower(", "upper(")


def models(*indexes: str, length: int = 20) -> str:
    return MODELS.format(length=length, indexes="\n".join(indexes))


def names(url: URL) -> set[str]:
    if url.get_backend_name() == "sqlite":
        with connected(url) as connection:
            return set(connection.scalars(sa.text("SELECT name FROM sqlite_master WHERE type = 'index' AND sql <> ''")))
    with connected(url) as connection:
        inspector = sa.inspect(connection)
        return {str(one["name"]) for table in inspector.get_table_names() for one in inspector.get_indexes(table)}


def test_expression_index_runs_on_all(
    project: Project, new_database: Callable[[str], URL], engine_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    label = project.module("expr", models(LOWER, PLAIN))
    urls = {name: new_database(name) for name in ENGINES}
    text = project.autogenerate(urls[engine_name], "first")
    assert "unique=True" in text
    for name, url in urls.items():
        command.upgrade(project.config(url), "head")
        command.check(project.config(url))
        assert (f"ix_{label}_lower" in names(url)) == (name != "mariadb")
        assert f"ix_{label}_down" in names(url)
    assert f"MariaDB has no index over an expression: ix_{label}_lower is left out" in caplog.text
    for url in (urls["sqlite"], urls["postgresql"]):
        execute(url, f"INSERT INTO {label}_item (name) VALUES ('a')")
        with pytest.raises(sa.exc.IntegrityError):
            execute(url, f"INSERT INTO {label}_item (name) VALUES ('A')")
    # Another is added to a table that is there, one goes, and the table is rebuilt.
    project.rewrite(label, models(SUM, PLAIN, length=40))
    text = project.autogenerate(urls[engine_name], "second")
    for name, url in urls.items():
        for act, revision in (("upgrade", "head"), ("downgrade", "-1"), ("upgrade", "head")):
            getattr(command, act)(project.config(url), revision)
        if name in ("mariadb", engine_name) or engine_name != "mariadb":
            command.check(project.config(url))
    for url in urls.values():
        command.downgrade(project.config(url), "base")


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_changed_expression_is_proposed(project: Project, new_database: Callable[[str], URL], engine: str) -> None:
    label = project.module("expr", models(LOWER))
    url = new_database(engine)
    project.autogenerate(url, "first")
    command.upgrade(project.config(url), "head")
    project.rewrite(label, models(UPPER))
    text = project.autogenerate(url, "second")
    assert f"drop_index('ix_{label}_lower'" in text.replace('"', "'")
    assert "upper(name)" in text
    for act, revision in (("upgrade", "head"), ("downgrade", "-1"), ("upgrade", "head")):
        getattr(command, act)(project.config(url), revision)
    command.check(project.config(url))
