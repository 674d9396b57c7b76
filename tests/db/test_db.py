"""``flask db``: Alembic's commands on the database and the modules of an application."""

import inspect
import re
from collections.abc import Callable

import pytest
from alembic import command
from click.testing import Result
from flask import Flask
from sqlalchemy import URL

from app.db.cli import db as group
from tests.core.projects import Project
from tests.core.projects import tables

MODELS = """
from sqlalchemy.orm import Mapped, mapped_column
from services import db

class Book(db.Model):
    __tablename__ = "LABEL_book"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
DatabaseCommand = Callable[..., Result]


@pytest.fixture
def url(new_database: Callable[[str], URL], engine_name: str) -> URL:
    return new_database(engine_name)


@pytest.fixture
def db_command(project: Project, make_app: Callable[..., Flask], url: URL) -> DatabaseCommand:
    """Run ``flask db …`` in a project: ``db_command("upgrade", APP_ENV="production")``."""

    def run(*words: str, **config: str) -> Result:
        app = make_app(url, [*project.installed, "app.db"], **config)
        return app.test_cli_runner().invoke(args=["db", *words])

    return run


def succeed(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def test_database_goes_there_and_back(project: Project, db_command: DatabaseCommand, url: URL) -> None:
    label = project.module("warehouse", MODELS)
    succeed(db_command("migrate", "-m", "books", "--rev-id", "one"))
    assert "not up to date" in db_command("check").output

    succeed(db_command("upgrade"))
    assert tables(url) == {f"{label}_book"}
    assert "No new upgrade operations" in succeed(db_command("check"))
    assert "one (head)" in succeed(db_command("current"))
    assert "one (head)" in succeed(db_command("heads"))
    assert "<base> -> one (head) (current), books" in succeed(db_command("history", "-i"))
    assert "Revision: one" in succeed(db_command("show"))

    succeed(db_command("downgrade", "-1"))
    assert tables(url) == set()
    succeed(db_command("stamp"))
    assert "one (head)" in succeed(db_command("current"))
    succeed(db_command("stamp", "base"))
    assert "one" not in succeed(db_command("current"))


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_heads_are_merged(project: Project, db_command: DatabaseCommand) -> None:
    project.revision("one", "pass")
    for name in ("two", "three"):
        project.revision(name, "pass", down="one")
    assert "one (branchpoint)" in succeed(db_command("branches"))
    refused = db_command("upgrade")
    assert (refused.exit_code, refused.output[:6]) == (1, "Error:")
    assert "alembic merge heads" in refused.output

    succeed(db_command("merge", "-m", "both", "--rev-id", "four"))
    assert succeed(db_command("heads")).split() == ["four", "(head)"]
    succeed(db_command("upgrade"))


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_downgrade_of_production_is_guarded(project: Project, db_command: DatabaseCommand, url: URL) -> None:
    project.revision("one", "op.create_table('thing', sa.Column('id', sa.Integer))", "op.drop_table('thing')")
    named = f"database={str(url.database).rpartition('/')[2]}"
    for words in (["downgrade", "-x", named], ["-x", named, "downgrade"]):
        succeed(db_command("upgrade"))
        refused = db_command("downgrade", APP_ENV="production")
        assert (refused.exit_code, tables(url)) == (1, {"thing"})
        assert "name it with -x database=NAME" in refused.output
        succeed(db_command(*words, APP_ENV="production"))
        assert tables(url) == set()


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_sql_is_printed(project: Project, db_command: DatabaseCommand, url: URL) -> None:
    project.revision("one", "op.create_table('thing', sa.Column('id', sa.Integer))")
    assert "CREATE TABLE thing" in succeed(db_command("upgrade", "--sql"))
    assert tables(url) == set()


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_unknown_revision_is_a_sentence(db_command: DatabaseCommand) -> None:
    result = db_command("upgrade", "nothing")
    assert result.exit_code == 1
    assert re.fullmatch(r"Error: .*nothing.*\n", result.output)


@pytest.mark.parametrize("name", sorted(group.commands))
def test_command_has_the_options_of_alembic(name: str) -> None:
    """A release of Alembic that adds an option fails here."""
    function = getattr(command, {"migrate": "revision"}.get(name, name))
    expected = set(inspect.signature(function).parameters) - {"config", "process_revision_directives"}
    found = {str(one.name) for one in group.commands[name].params} - {"x"}
    assert found - {"revision", "revisions"} == expected - {"revision", "revisions", "rev"} - (
        {"autogenerate"} if name == "migrate" else set()
    )
