"""Commands that destroy data ask in production which database is meant."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import URL

from config import ROOT
from core import migrations
from core.data import guards

Make = Callable[..., Flask]
Write = Callable[..., str]

INIT = "from flask import Blueprint\nbp = Blueprint('corner', __name__)\n"

COMMANDS = """
import click

from core.data.guards import destructive


@click.command()
@click.argument("count", type=int)
@destructive
def sweep(count):
    '''Sweep the corner.'''
    click.echo(f"swept {count} times")
"""


@pytest.fixture
def run_command(write_module: Write, make_app: Make) -> Callable[..., tuple[int, str]]:
    """Run the command in an environment: ``run("production", "3")``."""
    name = write_module("corner", init=INIT, cli=COMMANDS)

    def run(environment: str, *words: str) -> tuple[int, str]:
        app = make_app(None, [name], APP_ENV=environment)
        result = app.test_cli_runner().invoke(args=["corner", "sweep", *words])
        run.name = Path(str(app.config["SQLALCHEMY_DATABASE_URI"].database)).name
        return result.exit_code, result.output

    return run


def test_destructive_command_runs_in_development(run_command: Callable[..., tuple[int, str]]) -> None:
    assert run_command("development", "3") == (0, "swept 3 times\n")
    assert run_command("testing", "3") == (0, "swept 3 times\n")


def test_destructive_command_refused_in_production(run_command: Callable[..., tuple[int, str]]) -> None:
    code, output = run_command("production", "3")

    assert code == 2
    assert f"production database '{run_command.name}'" in output
    assert "--database NAME" in output
    assert "swept" not in output


def test_destructive_command_runs_when_named(run_command: Callable[..., tuple[int, str]]) -> None:
    run_command("production", "3")

    assert run_command("production", "3", "--database", run_command.name) == (0, "swept 3 times\n")


@pytest.mark.parametrize("named", ["other.db", "", "yes"])
def test_destructive_command_refuses_other_name(run_command: Callable[..., tuple[int, str]], named: str) -> None:
    code, output = run_command("production", "3", "--database", named)

    assert code == 2
    assert "is not the production database" in output


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql+psycopg://site@db.example.org/shop", "shop"),
        ("mysql+pymysql://site@db.example.org/shop", "shop"),
        ("sqlite:////srv/site/instance/site.db", "site.db"),
    ],
)
def test_name_of_a_database(url: str, name: str) -> None:
    assert guards.database_name(sa.make_url(url)) == name


# --- alembic downgrade --------------------------------------------------------------------------


def alembic(url: URL, *words: str, environment: str = "production") -> subprocess.CompletedProcess[str]:
    given = {
        "PATH": os.environ["PATH"],
        "APP_ENV": environment,
        "SECRET_KEY": os.urandom(30).hex(),
        "DATABASE_URL": url.render_as_string(hide_password=False),
    }
    command = [sys.executable, "-m", "alembic", *words]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)


def tables(url: URL) -> set[str]:
    return set(sa.inspect(sa.create_engine(url)).get_table_names())


def test_production_downgrade_needs_database_name(new_database: Callable[[str], URL]) -> None:
    url = new_database("sqlite")
    migrations.upgrade(url)
    before = tables(url)
    refused = alembic(url, "downgrade", "base")

    assert refused.returncode != 0
    assert "-x database=NAME" in refused.stderr + refused.stdout
    assert tables(url) == before
    assert alembic(url, "-x", "database=other.db", "downgrade", "base").returncode != 0
    assert tables(url) == before
    assert alembic(url, "-x", f"database={Path(str(url.database)).name}", "downgrade", "base").returncode == 0
    assert tables(url) == {"alembic_version"}


def test_upgrade_and_sql_are_no_destruction(new_database: Callable[[str], URL]) -> None:
    # SQLite rebuilds tables, which takes a database.
    url = new_database("postgresql")

    assert alembic(url, "upgrade", "head").returncode == 0
    assert "DROP TABLE" in alembic(url, "downgrade", "head:base", "--sql").stdout


def test_downgrade_elsewhere_is_not_asked_about(new_database: Callable[[str], URL]) -> None:
    url = new_database("sqlite")
    migrations.upgrade(url)

    assert alembic(url, "downgrade", "base", environment="testing").returncode == 0
