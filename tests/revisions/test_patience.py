"""Locks on tables, which a migration waits for with pauses."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy.engine import URL

from app.revisions import patience
from core import migrations
from tests.core.projects import connected
from tests.core.projects import tables


@contextmanager
def reading(url: URL, table: str, seconds: float | None = None) -> Iterator[None]:
    """Keep a transaction open that has read this table; at most for so many seconds."""
    started = threading.Event()
    ended = threading.Event()

    def read() -> None:
        with connected(url) as connection:
            connection.execute(sa.text(f"SELECT * FROM {table}")).all()
            started.set()
            ended.wait(seconds)

    thread = threading.Thread(target=read)
    thread.start()
    started.wait()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(patience, "LOCK_SECONDS", 1)
    monkeypatch.setattr(patience, "PAUSES", (0.3, 0.3))


@pytest.fixture
def blocked(project, new_database):
    """Return a database of this engine that has one revision and needs another, of two statements."""

    def make(engine_name: str) -> URL:
        create = "op.create_table('{0}', sa.Column('id', sa.Integer(), primary_key=True))"
        project.revision("one", create.format("thing"))
        column = "op.add_column('thing', sa.Column('name', sa.String(20)))"
        project.revision("two", f"{create.format('other')}; {column}", down="one")
        url = new_database(engine_name)
        migrations.upgrade(url, "one", installed_apps=project.installed)
        return url

    return make


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_upgrade_retries_while_table_read(project, blocked, engine_name, hasty, caplog):
    url = blocked(engine_name)
    with reading(url, "thing", 1.8):
        migrations.upgrade(url, installed_apps=project.installed)
    assert "A table is locked by others; trying again" in caplog.text
    assert tables(url) == {"thing", "other"}
    with connected(url) as connection:
        assert migrations.distance(connection).pending == ()


@pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])
def test_upgrade_gives_up_on_reader(project, blocked, engine_name, hasty):
    url = blocked(engine_name)
    with reading(url, "thing"), pytest.raises(CommandError, match="not to be had in 3 attempts"):
        migrations.upgrade(url, installed_apps=project.installed)
    with connected(url) as connection:
        assert migrations.distance(connection).pending == ("two",)
