import re
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from flask import Flask
from flask.cli import FlaskGroup
from sqlalchemy import inspect
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

import settings
from core import migrations
from core.cli import is_command_wanted
from core.cli.stand_in import create_stand_in
from core.modules import ModuleError
from services import db

Write = Callable[..., str]
Make = Callable[..., Flask]

Revise = Callable[[str], None]

PLAIN = "from flask import Blueprint\nbp = Blueprint({label!r}, __name__)\n"

COMMANDS = """
import click
from flask import current_app

from services import db


@click.command()
@click.argument("name")
@click.option("--loud", is_flag=True)
def greet(name, loud):
    '''Say hello.'''
    click.echo(f"{current_app.name}: hello {name.upper() if loud else name}")


@click.command("other-name")
def other():
    click.echo(db.engine.dialect.name)


@click.command()
def broken():
    raise click.ClickException("it is broken")


@click.command()
@click.option("--sql", default="SELECT 1 FROM corner_nook")
def ask(sql):
    db.session.execute(db.text(sql))


@click.group()
def tree():
    pass


@tree.command()
def leaf():
    click.echo(current_app.name)
"""

OWN = """
import click


@click.command()
def corner():
    '''Sweep the corner.'''
    click.echo("swept")
"""

MODELS = """
from sqlalchemy.orm import Mapped, mapped_column

from services import db


class Nook(db.Model):
    __tablename__ = "corner_nook"

    id: Mapped[int] = mapped_column(primary_key=True)
"""


@pytest.fixture
def app(write_module: Write, make_app: Make) -> Flask:
    write_module("corner", init=PLAIN.format(label="corner"), cli=COMMANDS)
    write_module("plain", init=PLAIN.format(label="plain"))
    return make_app(None, ["corner", "plain"])


def run(app: Flask, *words: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=list(words))
    return result.exit_code, result.output


def test_module_command_has_application_context(app: Flask) -> None:
    assert run(app, "corner", "greet", "Ada", "--loud") == (0, "app: hello ADA\n")
    assert run(app, "corner", "other-name") == (0, "sqlite\n")


def test_command_runs_again(app: Flask) -> None:
    for _ in range(3):
        assert run(app, "corner", "greet", "Ada") == (0, "app: hello Ada\n")


def test_commands_in_module_group(app: Flask) -> None:
    assert run(app, "corner", "tree", "leaf") == (0, "app\n")


def test_commands_of_a_module_are_listed(app: Flask) -> None:
    code, output = run(app, "corner", "--help")
    assert code == 0
    assert "Commands of corner." in output
    assert "Say hello." in output
    listed = [line.split()[0] for line in output.partition("Commands:\n")[2].splitlines()]
    assert listed == ["ask", "broken", "greet", "other-name", "tree"]


def test_module_without_commands_has_no_group(app: Flask) -> None:
    assert "plain" not in app.cli.commands
    code, output = run(app, "plain")
    assert code == 2
    assert "No such command" in output


def test_unknown_command(app: Flask) -> None:
    assert run(app, "corner", "nothing")[0] == 2


def test_command_fault_not_hidden(app: Flask) -> None:
    assert run(app, "corner", "broken") == (1, "Error: it is broken\n")


def test_database_behind_is_one_sentence(app: Flask) -> None:
    code, output = run(app, "corner", "ask")
    assert (code, len(output.splitlines())) == (1, 1)
    assert output.startswith("Error: The database is behind: run `alembic upgrade head`. ")


def test_database_away_is_one_sentence(write_module: Write, make_app: Make) -> None:
    write_module("corner", init=PLAIN.format(label="corner"), cli=COMMANDS)
    app = make_app(
        URL.create("postgresql+psycopg", "postgres", host="127.0.0.1", port=9, database="test_none"), ["corner"]
    )
    code, output = run(app, "corner", "ask")
    assert code == 1
    assert output.startswith("Error: The database does not answer. ")


def test_other_statement_fault_not_hidden(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["corner", "ask", "--sql", "SELEKT"])
    assert isinstance(result.exception, OperationalError)


def test_commands_imported_on_lookup(app: Flask) -> None:
    assert "corner.cli" not in sys.modules
    run(app, "--help")
    assert "corner.cli" not in sys.modules
    run(app, "corner", "greet", "Ada")
    assert "corner.cli" in sys.modules


def test_broken_commands_reported(write_module: Write, make_app: Make) -> None:
    write_module("corner", init=PLAIN.format(label="corner"), cli="import nothing_of_this_name")
    result = make_app(None, ["corner"]).test_cli_runner().invoke(args=["corner", "x"])
    assert isinstance(result.exception, ModuleNotFoundError)


def test_two_applications_have_their_own_commands(app: Flask, make_app: Make) -> None:
    other = make_app(None, ["plain"])
    assert "corner" not in other.cli.commands
    assert run(app, "corner", "greet", "Ada")[0] == 0


def test_shell_has_database_and_models(write_module: Write, make_app: Make) -> None:
    app = make_app(None, [write_module("corner", init=PLAIN.format(label="corner"), models=MODELS)])
    with app.app_context():
        names = dict(app.make_shell_context())
    assert names["db"] is db
    assert names["app"] is app
    assert names["Nook"].__tablename__ == "corner_nook"


def test_prepare_brings_the_database_to_head(
    app: Flask, make_app: Make, new_database: Callable[[str], URL], write_revision: Revise
) -> None:
    write_revision("op.create_table('corner_nook', sa.Column('id', sa.Integer, primary_key=True))")
    app = make_app(new_database("sqlite"), ["corner", "plain"])
    assert run(app, "prepare")[0] == 0
    with app.app_context():
        assert set(inspect(db.engine).get_table_names()) == {"alembic_version", "corner_nook"}
    assert run(app, "prepare")[0] == 0


def test_prepare_loads_demo_in_development(
    write_module: Write, make_app: Make, new_database: Callable[[str], URL], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_module("corner", init=PLAIN.format(label="corner"), demo="def load():\n    return 1234\n")
    monkeypatch.setattr(migrations, "upgrade", lambda url, contract: [])
    url = new_database("sqlite")
    assert "rows" not in run(make_app(url, ["corner"]), "prepare")[1]
    development = make_app(url, ["corner"], APP_ENV="development")
    assert "corner: loaded 1,234 rows of demo data." in run(development, "prepare")[1]


def test_equally_named_command_is_module(write_module: Write, make_app: Make) -> None:
    app = make_app(None, [write_module("corner", init=PLAIN.format(label="corner"), cli=OWN)])
    assert run(app, "corner") == (0, "swept\n")
    assert "Sweep the corner." in run(app, "corner", "--help")[1]


def test_module_summary_from_docstring(write_module: Write, make_app: Make) -> None:
    init = f"'Corner: what is swept.'\n{PLAIN.format(label='corner')}"
    app = make_app(None, [write_module("corner", init=init, cli=COMMANDS)])
    assert re.search(r"^  corner +What is swept\.$", run(app, "--help")[1], re.M)


# --- an application that cannot start -----------------------------------------------------------

FAULT = ModuleError("Module 'app.shop' cannot be imported.")

PATIENT = """
import click
from core.cli import works_without_app


@click.command()
@works_without_app
def sweep():
    click.echo("swept")


@click.command()
def paint():
    click.echo("painted")
"""


@pytest.fixture
def stand_in(write_module: Write, monkeypatch: pytest.MonkeyPatch) -> Flask:
    write_module("corner", init=PLAIN.format(label="corner"), cli=PATIENT)
    write_module("broken", init="import nothing_of_this_name")
    write_module("street.run", init=PLAIN.format(label="run"), cli="")
    monkeypatch.setattr(settings, "INSTALLED_APPS", ["broken", "corner", "street.run"])
    return create_stand_in(FAULT)


def test_stand_in_says_why_nothing_starts(stand_in: Flask) -> None:
    answer = stand_in.test_client().post("/anything")
    assert answer.status_code == 500
    assert str(FAULT) in answer.text


def test_list_of_commands_names_the_fault(stand_in: Flask) -> None:
    result = stand_in.test_cli_runner().invoke(args=["--help"])
    assert result.exit_code == 0
    assert result.stderr == f"Error: {FAULT}\n\n"
    assert re.search(r"^  corner ", result.stdout, re.M)


def test_command_that_needs_no_application_runs(stand_in: Flask) -> None:
    assert run(stand_in, "corner", "sweep") == (0, "swept\n")


@pytest.mark.parametrize("words", [["corner", "paint"], ["prepare"], ["access"]])
def test_other_commands_give_the_fault(stand_in: Flask, words: list[str]) -> None:
    assert run(stand_in, *words) == (1, f"Error: {FAULT}\n")


def test_unimportable_commands_report_fault(stand_in: Flask, tmp_path: Path) -> None:
    (tmp_path / "corner" / "cli.py").write_text("import nothing_of_this_name")
    assert run(stand_in, "corner", "sweep") == (1, f"Error: {FAULT}\n")


def test_only_flask_program_gets_replacement() -> None:
    assert not is_command_wanted()
    with click.Context(click.Command("granian")):
        assert not is_command_wanted()
    with click.Context(FlaskGroup()):
        assert is_command_wanted()
