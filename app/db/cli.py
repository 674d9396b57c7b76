"""``flask db``: Alembic's commands on the application's database, with the names and defaults of Flask-Migrate.

The program ``alembic`` runs the same commands without an application.
"""

from argparse import Namespace
from collections.abc import Callable
from typing import Any

import click
from alembic import command
from flask import current_app

import services
from core import migrations
from core import modules
from core.cli import CommandGroup
from core.data import revisions

_x = click.option("-x", "--x-arg", "x", multiple=True, metavar="NAME=VALUE", help="Pass a value to alembic/env.py.")
_sql = click.option("--sql", is_flag=True, help="Print the SQL instead of running it.")
_tag = click.option("--tag", help="Pass a name to alembic/env.py.")
_message = click.option("-m", "--message", help="The message of the revision.")
_head = click.option("--head", default="head", show_default=True, help="The revision that it follows.")
_splice = click.option("--splice", is_flag=True, help="Let it follow a revision that is no head.")
_branch_label = click.option("--branch-label", help="A label of the branch that it begins.")
_version_path = click.option("--version-path", help="The folder of its file.")
_rev_id = click.option("--rev-id", help="Its id; by default a random one.")
_depends_on = click.option("--depends-on", multiple=True, metavar="REVISION", help="A revision that it needs as well.")
_verbose = click.option("-v", "--verbose", is_flag=True, help="Print more.")


@click.group(cls=CommandGroup)
@_x
def db(x: tuple[str, ...]) -> None:
    """Migrate the database: Alembic's commands."""


@db.command()
@_message
@click.option("--autogenerate", is_flag=True, help="Compare the database with the models, and write what differs.")
@_sql
@_head
@_splice
@_branch_label
@_version_path
@_rev_id
@_depends_on
def revision(**options: Any) -> None:
    """Write a revision, by default an empty one."""
    _run(command.revision, **options)


@db.command()
@_message
@_sql
@_head
@_splice
@_branch_label
@_version_path
@_rev_id
@_depends_on
def migrate(**options: Any) -> None:
    """Write a revision from the changed models.

    The same as `revision --autogenerate`.
    """
    _run(command.revision, autogenerate=True, **options)


@db.command()
def check() -> None:
    """Fail if a revision is missing."""
    _run(command.check)


@db.command()
@click.argument("revisions", nargs=-1)
@_message
@_branch_label
@_rev_id
@_splice
def merge(revisions: tuple[str, ...], **options: Any) -> None:
    """Join revisions, by default all heads."""
    _run(command.merge, revisions or "heads", **options)


@db.command()
@click.argument("revision", default="head")
@_sql
@_tag
@_x
def upgrade(revision: str, **options: Any) -> None:
    """Apply revisions, by default all."""
    _run(command.upgrade, revision, **options)


# `-1` is no option.
@db.command(context_settings={"ignore_unknown_options": True})
@click.argument("revision", default="-1")
@_sql
@_tag
@_x
def downgrade(revision: str, **options: Any) -> None:
    """Revert revisions, by default the last.

    In production it takes the database's name: `-x database=NAME`.
    """
    _run(command.downgrade, revision, **options)


@db.command()
@click.argument("revision", nargs=-1)
@_sql
@_tag
@click.option("--purge", is_flag=True, help="Forget before at which revision the database is.")
def stamp(revision: tuple[str, ...], **options: Any) -> None:
    """Mark revisions as applied, without running them.

    By default all.
    """
    _run(command.stamp, revision or "head", **options)


@db.command()
@_verbose
@click.option("-c", "--check-heads", is_flag=True, help="Fail if the database is not at all heads.")
def current(**options: Any) -> None:
    """Show the revision of the database."""
    _run(command.current, **options)


@db.command()
@_verbose
@click.option("--resolve-dependencies", is_flag=True, help="Count what a revision depends on as one before it.")
def heads(**options: Any) -> None:
    """Show the revisions that none follows."""
    _run(command.heads, **options)


@db.command()
@_verbose
def branches(**options: Any) -> None:
    """Show the revisions that several follow."""
    _run(command.branches, **options)


@db.command()
@click.option("-r", "--rev-range", metavar="[START]:[END]", help="Only these revisions.")
@_verbose
@click.option("-i", "--indicate-current", is_flag=True, help="Mark the revision of the database.")
def history(**options: Any) -> None:
    """List the revisions, the newest first."""
    _run(command.history, **options)


@db.command()
@click.argument("revision", default="head")
def show(revision: str) -> None:
    """Show a revision, by default the newest."""
    _run(command.show, revision)


@db.command()
@click.argument("revision", default="current")
def edit(revision: str) -> None:
    """Open the file of a revision in $EDITOR.

    By default that of the database's revision.
    """
    _run(command.edit, revision)


def _run(function: Callable[..., Any], *arguments: Any, x: tuple[str, ...] = (), **options: Any) -> None:
    """Run a command of Alembic's on the application's database, with the tables of its modules."""
    group = click.get_current_context().parent
    config = migrations.make_config(services.db.engine.url, [module.name for module in modules.installed()])
    config.attributes["environment"] = current_app.config["APP_ENV"]
    config.cmd_opts = Namespace(cmd=(function, [], []), x=[*(group.params["x"] if group else ()), *x], **options)
    try:
        with migrations.explained(revisions.history()):
            function(config, *arguments, **options)
    except migrations.CommandError as error:
        raise click.ClickException(str(error)) from error
