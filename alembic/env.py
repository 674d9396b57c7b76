"""Alembic's environment: one history over the tables of all installed modules; see :mod:`core.migrations`."""

from alembic import context

from core.migrations import explained
from core.migrations import make_environment

environment = make_environment()
target_metadata = environment.target_metadata


def run_migrations_offline() -> None:
    """Write the SQL of the revisions to standard output (``--sql``)."""
    environment.configure(url=environment.url, literal_binds=True, dialect_opts={"paramstyle": "named"})
    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online() -> None:
    """Run the revisions on the database, or compare it with the models."""
    with environment.connect() as connection:
        environment.run_migrations(connection)


with explained(context.script):
    run_migrations_offline() if context.is_offline_mode() else run_migrations_online()
