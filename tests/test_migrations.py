"""The platform's own history: it makes what the models say, and can be taken back."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy.pool import NullPool

from core import migrations


def tables(url: URL) -> list[str]:
    return sa.inspect(sa.create_engine(url, poolclass=NullPool)).get_table_names()


def test_up_down_up_leaves_what_the_models_say(new_database: Callable[[str], URL], engine_name: str) -> None:
    url = new_database(engine_name)
    migrations.upgrade(url)
    command.check(migrations.make_config(url))
    migrations.downgrade(url, "base")
    assert tables(url) == ["alembic_version"]
    migrations.upgrade(url)
    command.check(migrations.make_config(url))
    assert {"example_product", "api_city"} <= set(tables(url))


def test_check_fails_when_models_and_history_differ(new_database: Callable[[str], URL]) -> None:
    url = new_database("sqlite")
    migrations.upgrade(url, revision="0001")
    with pytest.raises(CommandError, match="not up to date"):
        command.check(migrations.make_config(url))


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(migrations.make_config()).get_heads()) == 1


def test_revisions_import_nothing_of_ours() -> None:
    for script in ScriptDirectory.from_config(migrations.make_config()).walk_revisions():
        imported = {getattr(value, "__name__", "").partition(".")[0] for value in vars(script.module).values()}
        assert not imported & {"app", "core", "services", "settings", "config"}
