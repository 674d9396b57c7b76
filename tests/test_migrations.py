"""The platform's own history: it makes what the installed models say, and can be taken back.

Nothing here knows which modules or revisions there are, nor that there are any.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import URL
from sqlalchemy.pool import NullPool

from core import migrations


def tables(url: URL) -> set[str]:
    found = sa.inspect(sa.create_engine(url, poolclass=NullPool)).get_table_names()
    return set(found) - {"alembic_version"}


def test_migrations_up_down_up_match_models(new_database: Callable[[str], URL], engine_name: str) -> None:
    url = new_database(engine_name)
    migrations.upgrade(url)
    command.check(migrations.make_config(url))
    made = tables(url)
    migrations.downgrade(url, "base")
    assert tables(url) == set()
    migrations.upgrade(url)
    command.check(migrations.make_config(url))
    assert tables(url) == made


def test_history_does_not_fork() -> None:
    assert len(ScriptDirectory.from_config(migrations.make_config()).get_heads()) <= 1


def test_revisions_import_nothing_of_ours() -> None:
    for script in ScriptDirectory.from_config(migrations.make_config()).walk_revisions():
        imported = {getattr(value, "__name__", "").partition(".")[0] for value in vars(script.module).values()}
        assert not imported & {"app", "core", "services", "settings", "config"}
